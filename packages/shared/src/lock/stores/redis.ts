import { type Clock, systemClock } from '../../kernel/clock.js'
import { type RandomSource, systemRandom } from '../../kernel/random.js'
import type { RedisConnection } from '../../redis/connection.js'
import { RedisReplyError, RedisUnavailableError } from '../../redis/errors.js'
import type { Keyspace } from '../../redis/keyspace.js'
import { command, type Script, scriptCommand } from '../../redis/script.js'
import { SCRIPTS } from '../../redis/scripts.gen.js'
import { Subscriber } from '../../redis/subscriber.js'
import type { RedisArg, RedisReply, Shard, Topology } from '../../redis/topology.js'
import { LockUnavailableError } from '../errors.js'
import type {
  AcquireReply,
  AcquireRequest,
  Holder,
  LockMode,
  LockName,
  LockStore,
  ReleaseRequest,
  WakeListener,
} from '../lock-store.js'

/** What a {@link RedisLockStore} takes beside its connection. */
export interface RedisLockStoreOptions {
  /** The connection's `commandTimeout`, ms: a call that lands later than this after it was sent does nothing. */
  readonly deadlineMs: number
  /** Told, once an outage, why wake-ups can't be heard. */
  readonly warn: (message: string) => void
  readonly clock?: Clock | undefined
  readonly random?: RandomSource | undefined
}

/** For how long a lock's last fence is remembered; afterwards the next begins at Redis' time in µs, which is larger. */
const FENCE_MS = 7 * 86_400_000
/** For how long a late copy of a call is refused that was given up: longer than any connection keeps one. */
const GIVEN_UP_MS = 10_000
/** How the connection of the wake-ups is seen to be alive. */
const HEARTBEAT = { everyMs: 1_000, timeoutMs: 2_000 }

/** The port on Redis: each method is one script on keys of one slot, so a lock lives on one master. */
export class RedisLockStore implements LockStore {
  private readonly subscriber: Subscriber
  private readonly deadlineMs: number
  private warned = false

  /** @param door where the connection of the wake-ups is opened */
  constructor(
    private readonly topology: Topology,
    door: RedisConnection['door'],
    private readonly keyspace: Keyspace,
    { deadlineMs, warn, clock = systemClock, random = systemRandom }: RedisLockStoreOptions,
  ) {
    this.deadlineMs = deadlineMs
    this.subscriber = new Subscriber({
      port: door,
      clock,
      random,
      name: 'vextrus-locks',
      connectTimeoutMs: 10_000,
      timeoutMs: 10_000,
      heartbeat: HEARTBEAT,
      onError: (error) => {
        if (this.warned) return
        this.warned = true
        warn(`wake-ups of locks are not heard, and those who wait ask now and then: ${messageOf(error)}`)
      },
    })
  }

  async acquire(request: AcquireRequest): Promise<AcquireReply> {
    const { lock, holder, ttlMs, process, aliveMs, giveBack, passOthers = false, next, replicas = 0 } = request
    const keys = this.keysOf(lock, ['', 'line', 'waiters', 'fence', 'given-up'])
    const commandsFor = (shard: Shard) => {
      const serverNow = shard.serverNow()
      const notAfter = serverNow === undefined ? 0 : Math.floor(serverNow + this.deadlineMs)
      const args = [
        ...[memberOf(holder), process, modeOf(holder.mode), ttlMs, aliveMs, notAfter, FENCE_MS],
        ...[this.keyspace.lockWakes, nameOf(lock)],
        ...[
          giveBack === undefined ? '' : memberOf(giveBack),
          passOthers ? 1 : 0,
          next === undefined ? '' : modeOf(next),
        ],
      ]
      if (replicas === 0) return [scriptCommand(SCRIPTS.lockAcquire, keys, args)]
      // In one write with the script, so on the connection whose writes it counts; and in full, for a script that the server does not know is
      // sent again, after a WAIT that has counted nothing.
      return [
        command('EVAL', [SCRIPTS.lockAcquire.lua, keys.length, ...keys, ...args]),
        command('WAIT', [replicas, Math.ceil(this.deadlineMs / 2)]),
      ]
    }
    const replies = await this.run(lock, keys[0]!, commandsFor)
    const [outcome, fence, retryMs, gaveBack] = replies[0] as [number, string, number, number]
    if (outcome === TOO_LATE) {
      throw new LockUnavailableError(
        'Redis got the call after its deadline; if the server is slow, raise `commandTimeout`',
        {
          key: lock.key,
        },
      )
    }
    return {
      fence: outcome === GRANTED ? BigInt(fence) : null,
      retryMs,
      gaveBack: gaveBack === 1,
      replicas: replicas === 0 ? null : (replies[1] as number),
    }
  }

  async extend(lock: LockName, holder: Holder, ttlMs: number): Promise<boolean> {
    return this.one(SCRIPTS.lockExtend, lock, [''], [memberOf(holder), ttlMs])
  }

  async release({ lock, holder, process, forGood = false }: ReleaseRequest): Promise<boolean> {
    return this.one(
      SCRIPTS.lockRelease,
      lock,
      ['', 'line', 'waiters', 'given-up'],
      [
        ...[holder === undefined ? '' : memberOf(holder), process ?? '', forGood ? GIVEN_UP_MS : 0],
        ...[this.keyspace.lockWakes, nameOf(lock)],
      ],
    )
  }

  async listen(process: string, listener: WakeListener): Promise<() => void> {
    try {
      const subscription = await this.subscriber.subscribe(
        { channel: this.keyspace.lockWakes + process },
        {
          message: (payload) => {
            const lock = lockOf(payload.toString())
            if (lock !== undefined) listener.woken(lock)
          },
          gap: () => listener.gap(),
        },
      )
      this.warned = false
      return () => void subscription.unsubscribe()
    } catch (error) {
      if (!(error instanceof RedisReplyError || error instanceof RedisUnavailableError)) throw error
      throw new LockUnavailableError(error.message, { cause: error })
    }
  }

  /** Ends the connection of the wake-ups. */
  close(): void {
    this.subscriber.close()
  }

  private async one(
    script: Script,
    lock: LockName,
    parts: readonly string[],
    args: readonly RedisArg[],
  ): Promise<boolean> {
    const keys = this.keysOf(lock, parts)
    const [reply] = await this.run(lock, keys[0]!, [scriptCommand(script, keys, args)])
    return reply === 1
  }

  private async run(
    { key }: LockName,
    redisKey: string,
    commands: Parameters<Topology['exec']>[0][number]['commands'],
  ): Promise<readonly RedisReply[]> {
    const [outcome] = await this.topology.exec([{ key: redisKey, commands }])
    const failure =
      outcome instanceof Error ? outcome : outcome!.replies.find((reply) => reply instanceof RedisReplyError)
    if (failure !== undefined) {
      const unsent = failure instanceof RedisUnavailableError && UNSENT.has(failure.reason)
      throw new LockUnavailableError((failure as Error).message, { cause: failure, key, unsent })
    }
    return (outcome as { replies: readonly RedisReply[] }).replies
  }

  private keysOf({ kind, key }: LockName, parts: readonly string[]): string[] {
    return parts.map((part) => this.keyspace.lock(key, part === '' ? kind : `${kind}-${part}`))
  }
}

const UNSENT: ReadonlySet<RedisUnavailableError['reason']> = new Set(['not-connected', 'circuit-open'])

const GRANTED = 1
const TOO_LATE = -1

/** What `lua/include/line.lua` knows modes and holders by. */
function modeOf(mode: LockMode): string {
  return mode === 'exclusive' ? 'x' : String(mode)
}

function memberOf({ mode, token }: Holder): string {
  return `${mode === 'exclusive' ? 'x' : 's'}:${token}`
}

function nameOf({ kind, key }: LockName): string {
  return `${kind}:${key}`
}

/** Undefined: nothing of ours. */
function lockOf(name: string): LockName | undefined {
  const [, kind, key] = /^(mutex|semaphore|read-write):(.+)$/s.exec(name) ?? []
  return kind === undefined ? undefined : { kind: kind as LockName['kind'], key: key! }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
