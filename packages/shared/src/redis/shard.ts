import { CircuitBreaker, type CircuitState } from '../kernel/circuit-breaker.js'
import type { Clock } from '../kernel/clock.js'
import type { RawCommand, RedisPort } from './client.js'
import { Deadlines } from './deadlines.js'
import { RedisReplyError, RedisUnavailableError } from './errors.js'
import type { Executed, RedisCommand, RedisReply, Shard, ShardSession } from './topology.js'

/**
 * Commands to one master: each list leaves in one write, with a deadline, and only on a connection whose session is known. Its
 * `MasterWatch` begins and ends the sessions.
 */
export class RedisShard implements Shard {
  private current: ShardSession | undefined
  private port: RedisPort | undefined
  private breaker: CircuitBreaker
  private readonly deadlines: Deadlines
  private lastTime: { readonly serverMs: number; readonly at: number } | undefined
  private failure: Error | undefined

  constructor(
    private readonly name: string,
    private readonly clock: Clock,
    readonly timeoutMs: number,
  ) {
    this.deadlines = new Deadlines(clock, timeoutMs)
    this.breaker = this.newBreaker()
  }

  get id(): string {
    return this.port?.id ?? this.name
  }

  get session(): ShardSession | undefined {
    return this.current
  }

  get circuit(): CircuitState {
    return this.breaker.state
  }

  exec(commands: readonly RedisCommand[]): Promise<Executed> {
    return this.run(commands, false)
  }

  /** {@link exec} where a slot is being moved to: each command has its ASKING before it, also one that is sent again. */
  execAsking(commands: readonly RedisCommand[]): Promise<Executed> {
    return this.run(commands, true)
  }

  private async run(commands: readonly RedisCommand[], asking: boolean): Promise<Executed> {
    const { current: session, breaker } = this
    if (session === undefined) throw this.unavailable('not-connected')
    // The heartbeat is the probe that closes it again: no caller waits for a server that may be dead.
    if (breaker.state !== 'closed') throw this.unavailable('circuit-open')
    try {
      const replies = await this.bounded(this.send(commands, session, asking))
      breaker.success()
      return { replies, session }
    } catch (cause) {
      if (cause instanceof RedisUnavailableError) breaker.failure()
      throw cause
    }
  }

  /** Commands of the connection itself: with the deadline, but without session and circuit. */
  ask(commands: readonly RawCommand[]): Promise<RedisReply[]> {
    return this.bounded(this.write(commands))
  }

  serverNow(): number | undefined {
    return this.lastTime === undefined ? undefined : this.lastTime.serverMs + (this.clock.mono() - this.lastTime.at)
  }

  /** Feeds {@link serverNow} with the server's answer to `TIME`. */
  noteTime(serverMs: number): void {
    this.lastTime = { serverMs, at: this.clock.mono() }
  }

  /** The port to send on, once there is one. */
  attach(port: RedisPort): void {
    this.port = port
  }

  /** Opens the shard for `exec`. The circuit of another connection says nothing about this one. */
  begin(session: ShardSession): void {
    this.current = session
    this.failure = undefined
    this.breaker = this.newBreaker()
  }

  /** The same connection, another epoch. */
  renew(session: ShardSession): void {
    this.current = session
  }

  /** Closes the shard for `exec`. @param cause shown by the errors until the next {@link begin} */
  end(cause: Error | undefined): void {
    this.current = undefined
    this.lastTime = undefined
    this.failure = cause
  }

  /** Asks the circuit for a probe, which the heartbeat then reports. */
  probe(): boolean {
    return this.breaker.allow()
  }

  report(well: boolean): void {
    if (well) this.breaker.success()
    else this.breaker.failure()
  }

  close(): void {
    this.end(new Error('closed'))
    this.deadlines.close()
  }

  private send(commands: readonly RedisCommand[], session: ShardSession, asking: boolean): Promise<RedisReply[]> {
    const write = asking ? this.writeAsking : this.write
    return commands.some(isScript) ? this.sendScripts(commands, session, write) : write(commands)
  }

  private async sendScripts(
    commands: readonly RedisCommand[],
    session: ShardSession,
    write: (commands: readonly RawCommand[]) => Promise<RedisReply[]>,
  ): Promise<RedisReply[]> {
    const replies = await write(commands.map(byHash))
    const unknown = commands.flatMap((command, i) => (isUnknownScript(command, replies[i]) ? [i] : []))
    if (unknown.length === 0) return replies
    // The port sends on its present connection: that must still be the one on which the others were answered.
    if (this.current !== session) throw this.unavailable('lost')
    const again = await write(unknown.map((i) => inFull(commands[i]!)))
    unknown.forEach((place, i) => {
      replies[place] = again[i]!
    })
    return replies
  }

  private readonly write = (commands: readonly RawCommand[]): Promise<RedisReply[]> =>
    this.port === undefined ? Promise.reject(this.unavailable('not-connected')) : this.port.pipeline(commands)

  private readonly writeAsking = async (commands: readonly RawCommand[]): Promise<RedisReply[]> => {
    const replies = await this.write(commands.flatMap((command) => [ASKING, command]))
    // Where ASKING itself is refused, its answer says more than that of the command.
    return commands.map((_, i) => (replies[2 * i] instanceof RedisReplyError ? replies[2 * i]! : replies[2 * i + 1]!))
  }

  private bounded<T>(answer: Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const deadline = this.deadlines.begin((why) => reject(this.unavailable(why)))
      answer.then(
        (value) => {
          this.deadlines.met(deadline)
          resolve(value)
        },
        (cause: Error) => {
          this.deadlines.met(deadline)
          reject(cause)
        },
      )
    })
  }

  private unavailable(reason: RedisUnavailableError['reason']): RedisUnavailableError {
    return new RedisUnavailableError(this.id, reason, { timeoutMs: this.timeoutMs, cause: this.failure })
  }

  private newBreaker(): CircuitBreaker {
    return new CircuitBreaker(BREAKER, this.clock)
  }
}

const ASKING: RawCommand = { name: 'ASKING', args: [] }

/** No cool-down: only heartbeats probe, and they have a pace of their own. */
const BREAKER = { failures: 3, coolDownMs: 0 }

function isScript(command: RedisCommand): boolean {
  return command.script !== undefined
}

function byHash(command: RedisCommand): RawCommand {
  const { script, keyCount = 0, args, binary = false } = command
  return script === undefined ? command : { name: 'EVALSHA', args: [script.sha, keyCount, ...args], binary }
}

function inFull({ script, keyCount = 0, args, binary = false }: RedisCommand): RawCommand {
  return { name: 'EVAL', args: [script!.lua, keyCount, ...args], binary }
}

function isUnknownScript(command: RedisCommand, reply: RedisReply | undefined): boolean {
  return isScript(command) && reply instanceof RedisReplyError && reply.reply === 'NOSCRIPT'
}
