import type { Clock, Timer } from '../../kernel/clock.js'
import type { RedisConnection } from '../../redis/connection.js'
import { RedisReplyError, RedisUnavailableError } from '../../redis/errors.js'
import type { Keyspace } from '../../redis/keyspace.js'
import { command } from '../../redis/script.js'
import { SCRIPTS } from '../../redis/scripts.gen.js'
import type { RedisCommand, RedisReply } from '../../redis/topology.js'
import type { TrackingMode } from '../../redis/tracking-handshake.js'
import { type Telling, type Tells, toldCommand } from './redis-writes.js'

/**
 * Who has to be told of writes by messages (R23), so that a process that is refused tracking hears of those that are not.
 *
 * The servers know who listens: each process that is refused subscribes to the channel at every master. So a process that tracks asks them, in
 * each epoch once it is live, and publishes until all have said that nobody does. A process that is refused writes a marker, after it has
 * subscribed; its push makes those that track publish again, and ask anew. Whichever comes first, the question or the subscription, one of
 * the two tells of the other.
 *
 * That push takes as long as any, and a process whose socket is half open, or that was stopped, does not hear it. So that nobody listens is
 * believed only for as long as there is proof that every push until a moment ago was heard, as with a hit of L1 (R18): a lease of its own,
 * the same for every process whatever its staleness. What was sent under it is acknowledged within the deadline of commands, or never. So
 * what a process that is refused may keep begins a lease and a deadline after its marker: nothing that it has read by then was changed unheard.
 */
export class RedisTold implements Tells {
  /** Monotonic ms from which on what is heard is all that there is to hear; 0: the servers tell of everything. */
  private opensAt = Infinity
  private state: Telling = 'try'
  /** This process has announced itself, and still is refused: from then on others rely on its messages. */
  private announced = false
  /** A question or an announcement that has been overtaken is of no use. */
  private turn = 0
  private timer: Timer | undefined
  private warned = false

  constructor(
    private readonly connection: Pick<RedisConnection, 'exec' | 'shards' | 'commandTimeoutMs'>,
    private readonly keyspace: Keyspace,
    private readonly clock: Clock,
    private readonly pushes: { validFrom(): number },
    private readonly warn: (message: string) => void,
  ) {}

  get telling(): Telling {
    const isProven = this.state !== 'no' || this.clock.mono() - this.pushes.validFrom() < LEASE_MS
    return isProven ? this.state : 'try'
  }

  /** All that is written is heard of. The clock is looked at only where it matters: every hit asks. */
  get open(): boolean {
    return this.opensAt === 0 || this.clock.mono() >= this.opensAt
  }

  /** An epoch is live. */
  began(mode: TrackingMode): void {
    if (mode === 'published') return void this.announce()
    this.opensAt = 0
    this.announced = false
    this.stop()
    void this.ask()
  }

  /** An epoch has ended: nobody knows who listens. */
  ended(): void {
    this.opensAt = Infinity
    this.stop()
  }

  /** The marker was written: somebody has subscribed. */
  marked(): void {
    // Who does not track publishes anyway.
    if (this.opensAt !== 0) return
    this.stop()
    void this.ask()
  }

  /** What was asked is not waited for, and writes are told. */
  stop(): void {
    this.turn++
    this.timer?.cancel()
    this.state = this.announced ? 'must' : 'try'
  }

  private async ask(): Promise<void> {
    const turn = ++this.turn
    const listeners = await this.listeners()
    if (turn !== this.turn) return
    if (listeners === 0) {
      this.state = 'no'
      this.warned = false
      return
    }
    if (listeners !== undefined) this.warnOnce(othersAreRefused(this.keyspace.changes))
    this.later(() => void this.ask())
  }

  /** Undefined: not every server has said. */
  private async listeners(): Promise<number | undefined> {
    const question = command('PUBSUB', ['NUMSUB', this.keyspace.changes])
    try {
      const answers = await Promise.all(this.connection.shards().map((shard) => shard.exec([question])))
      const counts = answers.map(({ replies }) => countOf(replies[0]!))
      return counts.reduce((sum, count) => sum + count, 0)
    } catch (error) {
      if (!(error instanceof RedisUnavailableError || error instanceof RedisReplyError)) throw error
      return undefined
    }
  }

  private async announce(): Promise<void> {
    const turn = ++this.turn
    const { publishedMarker: key, changes } = this.keyspace
    const failure = await this.attempt(key, toldCommand(SCRIPTS.cacheSignal, [key], [MARKER_MS], changes, 'must'))
    if (turn !== this.turn) return
    if (failure === undefined) {
      this.announced = true
      this.warned = false
      this.state = 'must'
      this.opensAt = this.clock.mono() + LEASE_MS + this.connection.commandTimeoutMs
      return
    }
    const refused = failure instanceof RedisReplyError && failure.reply === 'NOPERM'
    if (refused) this.warnOnce(mayNotPublish(this.keyspace.changes, failure))
    this.later(() => void this.announce(), refused ? RETRY_MS : SOON_MS)
  }

  private async attempt(key: string, write: RedisCommand): Promise<Error | undefined> {
    const [outcome] = await this.connection.exec([{ key, commands: [write] }])
    if (outcome instanceof Error) return outcome
    const [reply] = outcome!.replies
    return reply instanceof RedisReplyError ? reply : undefined
  }

  private later(work: () => void, afterMs = RETRY_MS): void {
    this.timer = this.clock.timer(afterMs, work)
  }

  private warnOnce(message: string): void {
    if (!this.warned) this.warn(message)
    this.warned = true
  }
}

/** Nobody reads it: that it is written is all. */
const MARKER_MS = 60_000
const RETRY_MS = 30_000
/** How old the proof may be that the marker was not written. Longer than from one proof to the next, also of a process that is busy. */
const LEASE_MS = 2_000
/** No answer, or one that passes: BUSY, NOREPLICAS. */
const SOON_MS = 1_000

function countOf(reply: RedisReply): number {
  if (reply instanceof RedisReplyError) throw reply
  return Number((reply as RedisReply[])[1])
}

function othersAreRefused(channel: string): string {
  return (
    `Another process of this prefix is refused client-side tracking, so this one publishes its writes on \`${channel}\` too. Allow both the ` +
    'same: that process keeps nothing fresh that foreign programs write'
  )
}

function mayNotPublish(channel: string, { message }: RedisReplyError): string {
  return (
    `The near cache stays off: client-side tracking is refused, and this user may not tell others of its writes (${message}). Allow ` +
    `\`+client|tracking\`, or \`+publish\` and the channel \`&${channel}\``
  )
}
