import { envelopeParts, parseEnvelope } from '../../kernel/codec/envelope.js'
import { type Clock, systemClock } from '../../kernel/clock.js'
import { type RandomSource, systemRandom } from '../../kernel/random.js'
import { RedisReplyError, RedisUnavailableError } from '../../redis/errors.js'
import type { Keyspace } from '../../redis/keyspace.js'
import { command, scriptCommand } from '../../redis/script.js'
import { SCRIPTS } from '../../redis/scripts.gen.js'
import type { Executed, RedisCommand, RedisReply, Shard, Topology } from '../../redis/topology.js'
import type {
  AcquireReply,
  CacheStore,
  ClockReply,
  Fill,
  FillReply,
  HeldLease,
  LeaseRequest,
  NewEntry,
  ReadReply,
  SetReply,
  StoredEntry,
  TagReply,
  WakeSource,
} from '../cache-store.js'
import { CacheUnavailableError } from '../errors.js'

/** Marks that one delta carries at most: a reply as long as this may have been cut (R3). */
const DELTA_LIMIT = 1_200
/** Keys of one MGET: no command of ours keeps the server for longer than a fraction of a millisecond. */
const MGET_LIMIT = 500
/** Life of the signal that wakes waiters where no entry changes, and of the marker that `clear` leaves. */
const SIGNAL_MS = 1_000
const CLEAR_MARKER_MS = 60_000
/** The server compares whole milliseconds, and a timer may fire a little early. */
const CLOCK_GRAIN_MS = 2
const RANDOM_BOUND = 2 ** 44
const LARGEST_CLEAR_STEP = 2 ** 20

/**
 * The port on Redis: every method is one pipeline on one connection, so its commands run in the order written here.
 *
 * Hits need no script and no TIME (R6): the entries and the clock's delta. Scripts touch one key each, the fill two of one slot.
 */
export class RedisCacheStore implements CacheStore {
  /**
   * @param topology where keys live
   * @param keyspace names of keys
   * @param deadlineMs the connection's `commandTimeout`: a write that lands later than this after it was sent is refused (R14)
   */
  constructor(
    private readonly topology: Topology,
    private readonly keyspace: Keyspace,
    readonly wakes: WakeSource,
    private readonly deadlineMs: number,
    private readonly random: RandomSource = systemRandom,
    private readonly clock: Clock = systemClock,
  ) {}

  async read(keys: readonly string[], since: number | null): Promise<ReadReply> {
    const { replies, session } = await this.exec(this.readCommands(keys, since))
    return this.readReply(keys, since, replies, 0, session.epoch)
  }

  async tags(tags: readonly string[]): Promise<TagReply> {
    const { replies } = await this.exec([this.tagCommand(tags)])
    return tagReply(replies[0]!)
  }

  async createClock(): Promise<TagReply> {
    const { replies } = await this.exec([this.clockScript()])
    return tagReply(replies[0]!)
  }

  async acquire(leases: readonly LeaseRequest[], since: number | null): Promise<AcquireReply> {
    const keys = leases.map(({ key }) => key)
    const { replies, session } = await this.exec([
      ...leases.map(({ key, token, ttlMs }) =>
        scriptCommand(SCRIPTS.cacheAcquire, [this.keyspace.lease(key)], [token, ttlMs]),
      ),
      ...this.readCommands(keys, since),
    ])
    return {
      leases: leases.map(({ token }, i) => {
        const [value, remainingMs] = replies[i] as [string, number]
        return { granted: value.startsWith(`${token}:`), value, remainingMs }
      }),
      ...this.readReply(keys, since, replies, leases.length, session.epoch),
    }
  }

  async renew(leases: readonly HeldLease[], ttlMs: number): Promise<boolean[]> {
    const { replies } = await this.exec(
      leases.map(({ key, value }) => scriptCommand(SCRIPTS.cacheRenew, [this.keyspace.lease(key)], [value, ttlMs])),
    )
    return replies.map((reply) => reply === 1)
  }

  async release(leases: readonly HeldLease[]): Promise<void> {
    await this.exec(
      leases.map(({ key, value }) => scriptCommand(SCRIPTS.cacheRelease, [this.keyspace.lease(key)], [value])),
    )
    // Not beside it: a server that has to be sent the script would tell the waiters first, and they would find the lease still held.
    await this.signal(leases.map(({ key }) => key))
  }

  async fill(fills: readonly Fill[], tags: readonly string[]): Promise<FillReply> {
    const { replies } = await this.exec([
      ...fills.map(({ key, value, entry, e }) => {
        const { head, tail } = envelopeParts({ ...entry, e, version: null })
        const keys = [this.keyspace.entry(key), this.keyspace.lease(key)]
        return scriptCommand(SCRIPTS.cacheFill, keys, [value, head, tail, entry.ttlMs, entry.ttlMs])
      }),
      this.tagCommand(tags),
    ])
    return { stored: fills.map((_, i) => replies[i] === 1), clock: tagReply(replies[fills.length]!) }
  }

  async set(entries: readonly NewEntry[], since: number): Promise<SetReply> {
    const { e, notAfter } = this.stamp()
    const { replies } = await this.execInTime([
      ...entries.flatMap((entry) => {
        const { head, tail } = envelopeParts({ ...entry, e, version: null })
        return [
          command('DEL', [this.keyspace.lease(entry.key)]),
          scriptCommand(
            SCRIPTS.cacheSet,
            [this.keyspace.entry(entry.key)],
            [notAfter, head, tail, entry.ttlMs, entry.ttlMs],
          ),
        ]
      }),
      this.deltaCommand(since),
    ])
    return { stored: entries.map((_, i) => replies[2 * i + 1] === 1), clock: deltaReply(replies.at(-1)!) }
  }

  async touch(key: string, seen: StoredEntry, ttlMs: number): Promise<boolean> {
    const { head } = envelopeParts(seen)
    const args = [this.stamp().notAfter, head, `${seen.s} `, ttlMs, ttlMs]
    const { replies } = await this.execInTime([scriptCommand(SCRIPTS.cacheTouch, [this.keyspace.entry(key)], args)])
    return replies[0] === 1
  }

  async delete(keys: readonly string[]): Promise<boolean[]> {
    // R11: this order. A fill between the two is deleted, a later one refused.
    const { replies } = await this.exec(
      keys.flatMap((key) => [
        command('DEL', [this.keyspace.lease(key)]),
        command('UNLINK', [this.keyspace.entry(key)]),
      ]),
    )
    const existed = keys.map((_, i) => replies[2 * i + 1] === 1)
    const unheard = keys.filter((_, i) => replies[2 * i] === 1 && !existed[i]!)
    if (unheard.length > 0) await this.signal(unheard)
    return existed
  }

  async bumpTags(tags: readonly string[], maxTags: number): Promise<void> {
    await this.exec([this.clockScript(), scriptCommand(SCRIPTS.cacheBump, [this.keyspace.tags], [maxTags, ...tags])])
  }

  async clear(): Promise<void> {
    // A second time where the server had to be sent the script first, and so made the clock after the other command had looked for it.
    if (!(await this.nextGeneration()) && !(await this.nextGeneration()))
      throw new CacheUnavailableError('the tag clock was lost while clearing; call again')
    await this.exec([command('SET', [this.keyspace.clearMarker, '1', 'PX', CLEAR_MARKER_MS])])
  }

  private get shard(): Shard {
    return this.topology.shardOf(this.keyspace.tags)
  }

  /** The only place where Redis' errors are met: whatever it is, there is no good answer. */
  private async exec(commands: readonly RedisCommand[]): Promise<Executed> {
    try {
      const executed = await this.shard.exec(commands)
      for (const reply of executed.replies) if (reply instanceof RedisReplyError) throw reply
      return executed
    } catch (error) {
      if (!(error instanceof RedisUnavailableError || error instanceof RedisReplyError)) throw error
      throw new CacheUnavailableError(error.message, { cause: error })
    }
  }

  /**
   * {@link exec} of a write that is refused after its deadline. Nobody is told that it failed before it must have: what was sent on a lost
   * connection may still be on its way to the server (R14).
   */
  private async execInTime(commands: readonly RedisCommand[]): Promise<Executed> {
    const overAt = this.clock.mono() + this.deadlineMs + CLOCK_GRAIN_MS
    try {
      return await this.exec(commands)
    } catch (error) {
      const leftMs = overAt - this.clock.mono()
      if (leftMs > 0 && mayLandLater(error)) await new Promise<void>((over) => void this.clock.timer(leftMs, over))
      throw error
    }
  }

  private readCommands(keys: readonly string[], since: number | null): RedisCommand[] {
    const entries = keys.map((key) => this.keyspace.entry(key))
    const commands: RedisCommand[] = []
    if (entries.length === 1) commands.push(command('GET', entries))
    else {
      for (let first = 0; first < entries.length; first += MGET_LIMIT) {
        commands.push(command('MGET', entries.slice(first, first + MGET_LIMIT)))
      }
    }
    commands.push(since === null ? this.tagCommand([]) : this.deltaCommand(since))
    return commands
  }

  private readReply(
    keys: readonly string[],
    since: number | null,
    replies: readonly RedisReply[],
    first: number,
    epoch: string,
  ): ReadReply {
    const last = replies.length - 1
    const entries: (StoredEntry | null)[] = []
    for (let i = first; i < last; i++) {
      const texts = replies[i] as string | null | (string | null)[]
      if (Array.isArray(texts)) for (const text of texts) entries.push(text === null ? null : parseEnvelope(text))
      else entries.push(texts === null ? null : parseEnvelope(texts))
    }
    const clock = replies[last]!
    return {
      entries,
      clock: since === null ? { ...tagReply(clock), tags: [], seqs: [], full: false, base: true } : deltaReply(clock),
      nowMs: this.now(),
      epochs: keys.map(() => epoch),
    }
  }

  private tagCommand(tags: readonly string[]): RedisCommand {
    return command('ZMSCORE', [this.keyspace.tags, '#g', '#s', '#f', ...tags.map((tag) => `t:${tag}`)])
  }

  private deltaCommand(since: number): RedisCommand {
    return command('ZREVRANGEBYSCORE', [this.keyspace.tags, '+inf', since, 'LIMIT', 0, DELTA_LIMIT, 'WITHSCORES'])
  }

  private clockScript(): RedisCommand {
    return scriptCommand(SCRIPTS.cacheClock, [this.keyspace.tags], [this.random.int(RANDOM_BOUND)])
  }

  private wakeCommand(key: string): RedisCommand {
    return command('SET', [this.keyspace.wake(key), '1', 'PX', SIGNAL_MS])
  }

  /** Waiters that miss this signal look again when the lease that they saw would have ended; so the delete it follows has not failed. */
  private async signal(keys: readonly string[]): Promise<void> {
    try {
      await this.exec(keys.map((key) => this.wakeCommand(key)))
    } catch (error) {
      if (!(error instanceof CacheUnavailableError)) throw error
    }
  }

  /** Moves `#g` on. False: there was no clock. */
  private async nextGeneration(): Promise<boolean> {
    const step = 1 + this.random.int(LARGEST_CLEAR_STEP)
    const { replies } = await this.exec([
      this.clockScript(),
      // Sent twice it moves on twice, never back (R2); XX because a generation is only ever made by the clock's script.
      command('ZADD', [this.keyspace.tags, 'XX', 'INCR', step, '#g']),
    ])
    return replies[1] !== null
  }

  /** The epoch that a write is sent under, and the server's time after which it must not land (R14). */
  private stamp(): { readonly e: string; readonly notAfter: number } {
    const { session } = this.shard
    if (session === undefined) throw this.disconnected()
    return { e: session.epoch, notAfter: Math.floor(this.now() + this.deadlineMs) }
  }

  /** The server's clock, by its last `TIME`, which the heartbeat asks for. */
  private now(): number {
    const now = this.shard.serverNow()
    if (now === undefined) throw this.disconnected()
    return now
  }

  private disconnected(): CacheUnavailableError {
    return new CacheUnavailableError(`Redis at ${this.shard.id} is not connected; check \`host\`, \`port\` or \`url\``)
  }
}

function mayLandLater(error: unknown): boolean {
  const cause = error instanceof CacheUnavailableError ? error.cause : null
  return cause instanceof RedisUnavailableError && (cause.reason === 'lost' || cause.reason === 'deadline')
}

/** ZMSCORE #g #s #f tags…; over RESP3 scores are numbers. */
function tagReply(reply: RedisReply): TagReply {
  const [g, s, f, ...marks] = reply as (string | null)[]
  return {
    g: g == null ? null : String(g),
    s: Number(s ?? 0),
    f: Number(f ?? 0),
    seqs: marks.map((mark) => (mark === null ? null : Number(mark))),
  }
}

/** ZREVRANGEBYSCORE … WITHSCORES: members and scores in turn, highest first. */
function deltaReply(reply: RedisReply): ClockReply {
  const rows = reply as string[]
  let g: string | null = null
  let s: number | null = null
  let f: number | null = null
  const tags: string[] = []
  const seqs: number[] = []
  for (let i = 0; i < rows.length; i += 2) {
    const member = rows[i]!
    if (member === '#g') g = String(rows[i + 1])
    else if (member === '#s') s = Number(rows[i + 1])
    else if (member === '#f') f = Number(rows[i + 1])
    else if (member.startsWith('t:')) {
      tags.push(member.slice(2))
      seqs.push(Number(rows[i + 1]))
    }
  }
  return { g, s, f, tags, seqs, full: rows.length >= 2 * DELTA_LIMIT, base: false }
}
