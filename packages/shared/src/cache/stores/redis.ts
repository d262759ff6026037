import { FOREIGN_CODEC, envelopeParts, parseStored } from '../../kernel/codec/envelope.js'
import { type Clock, systemClock } from '../../kernel/clock.js'
import { type RandomSource, systemRandom } from '../../kernel/random.js'
import { RedisReplyError } from '../../redis/errors.js'
import type { Keyspace } from '../../redis/keyspace.js'
import { command, scriptCommand } from '../../redis/script.js'
import { SCRIPTS } from '../../redis/scripts.gen.js'
import type { RedisCommand, RedisReply, Shard, Topology, Unit, UnitReplies } from '../../redis/topology.js'
import type {
  AcquireReply,
  CacheStore,
  Fill,
  FillReply,
  HeldLease,
  Hold,
  LeaseRequest,
  Lifetime,
  NewEntry,
  ReadReply,
  SetOutcome,
  SetReply,
  Source,
  StandingHold,
  StoredEntry,
  TagReply,
  PushSource,
} from '../cache-store.js'
import { CacheUnavailableError } from '../errors.js'
import { holdsReply, memberOf, membersOf, RedisClock, tagReply } from './redis-clock.js'
import { RedisScans } from './redis-scans.js'
import { RedisUnits } from './redis-units.js'
import { RedisWrites, type Tells } from './redis-writes.js'

/** Keys of one MGET: no command of ours keeps the server for longer than a fraction of a millisecond. */
const MGET_LIMIT = 500
/** Life of the signal that wakes waiters where no entry changes. */
const SIGNAL_MS = 1_000
/** The epoch of all servers where failovers are trusted. */
const TRUSTED_EPOCH = 'trusting'

/** What a {@link RedisCacheStore} takes beside its connection. */
export interface RedisCacheStoreOptions {
  /** The connection's `commandTimeout`, ms: a write that lands later than this after it was sent is refused (R14). */
  readonly deadlineMs: number
  /** Whether entries outlive a change of the master that they lie on (R16). @default 'flush': they are misses then */
  readonly onFailover?: 'flush' | 'trust' | undefined
  readonly random?: RandomSource | undefined
  readonly clock?: Clock | undefined
}

/**
 * The port on Redis, on one server or a Cluster: a list is one round trip to each master, and the commands on one key run in the order
 * written here.
 *
 * Hits need no script and no TIME (R6): the entries and the clock's delta. Scripts touch one key each, the fill and the versioned write two
 * of one slot.
 */
export class RedisCacheStore implements CacheStore {
  private readonly units: RedisUnits
  private readonly writes: RedisWrites
  private readonly clock: RedisClock
  private readonly scans: RedisScans
  private readonly trustFailovers: boolean
  /** Of the last reading of each server: what most readings share. */
  private lastSource: Source = { epoch: '', nowMs: 0 }

  /** @param topology where keys live @param keyspace names of keys @param pushes where they say so, writes are published (R23) */
  constructor(
    private readonly topology: Topology,
    private readonly keyspace: Keyspace,
    readonly pushes: PushSource & Partial<Tells>,
    { deadlineMs, onFailover = 'flush', random = systemRandom, clock = systemClock }: RedisCacheStoreOptions,
  ) {
    this.trustFailovers = onFailover === 'trust'
    this.units = new RedisUnits(topology, deadlineMs, clock)
    this.writes = new RedisWrites(keyspace, pushes)
    this.clock = new RedisClock(this.units, this.writes, keyspace, random, this.trustFailovers)
    this.scans = new RedisScans(this.units, keyspace)
  }

  get inOrder(): boolean {
    return !this.topology.sharded
  }

  async read(keys: readonly string[], since: number | null): Promise<ReadReply> {
    if (!this.clock.settled) await this.clock.settle()
    if (this.topology.sharded) return this.readEach(keys, since, (key) => [this.get(key)])
    const list = this.readCommands(keys)
    const answered = await this.units.one(this.clock.unit([...list, ...this.clock.reading(since)]))
    this.clock.check(answered)
    const { replies } = answered
    const entries: (StoredEntry | null)[] = []
    for (let i = 0; i < list.length; i++) addEntries(entries, replies[i]!)
    const source = this.sourceOf(answered)
    return { entries, sources: keys.map(() => source), clock: this.clock.readingReply(since, replies) }
  }

  async tags(tags: readonly string[]): Promise<TagReply> {
    if (!this.clock.settled) await this.clock.settle()
    const answered = await this.units.one(this.clock.unit([this.clock.tags(tags)]))
    this.clock.check(answered)
    return tagReply(answered.replies[0]!)
  }

  async createClock(): Promise<TagReply> {
    return this.clock.create()
  }

  async acquire(leases: readonly LeaseRequest[], since: number | null): Promise<AcquireReply> {
    if (!this.clock.settled) await this.clock.settle()
    const answers: AcquireReply['leases'][number][] = []
    const keys = leases.map(({ key }) => key)
    const reply = await this.readEach(
      keys,
      since,
      (key, i) => {
        const { token, ttlMs } = leases[i]!
        return [scriptCommand(SCRIPTS.cacheAcquire, [this.keyspace.lease(key)], [token, ttlMs]), this.get(key)]
      },
      (answered, i) => {
        if (answered === null) return void answers.push(null)
        const [value, remainingMs] = answered.replies[0] as [string, number]
        answers.push({ granted: value.startsWith(`${leases[i]!.token}:`), value, remainingMs })
      },
    )
    return { leases: answers, ...reply }
  }

  async renew(leases: readonly HeldLease[], ttlMs: number): Promise<boolean[]> {
    const answered = await this.units.all(
      leases.map(({ key, value }) =>
        this.unit(key, [scriptCommand(SCRIPTS.cacheRenew, [this.keyspace.lease(key)], [value, ttlMs])]),
      ),
    )
    return answered.map(({ replies }) => replies[0] === 1)
  }

  async release(leases: readonly HeldLease[]): Promise<void> {
    await this.units.all(
      leases.map(({ key, value }) =>
        this.unit(key, [scriptCommand(SCRIPTS.cacheRelease, [this.keyspace.lease(key)], [value])]),
      ),
    )
    // Not beside it: a server that has to be sent the script would tell the waiters first, and they would find the lease still held.
    await this.signal(leases.map(({ key }) => key))
  }

  async fill(fills: readonly Fill[], tags: readonly string[]): Promise<FillReply> {
    const results = await this.units.each([
      ...fills.map(({ key, value, entry, e }) => {
        const { head, tail } = envelopeParts({ ...entry, e })
        const args = [value, head, tail, entry.ttlMs, entry.ttlMs + entry.graceMs]
        return this.unit(key, [
          this.writes.script(SCRIPTS.cacheFill, [this.keyspace.entry(key), this.keyspace.lease(key)], args),
        ])
      }),
      this.clock.unit([this.clock.tags(tags), this.clock.holds()]),
    ])
    // A server that has refused the value, for it is full perhaps, still holds the lease, and the others would wait for its end.
    const refused = fills.filter((_, i) => isRefusal(results[i]!))
    if (refused.length > 0) await this.tryTo(this.release(refused))
    const clock = results.at(-1)!
    if (clock instanceof CacheUnavailableError) throw clock
    this.clock.check(clock)
    return {
      stored: fills.map((_, i) => !(results[i] instanceof Error) && (results[i] as UnitReplies).replies[0] === 1),
      clock: tagReply(clock.replies[0]!),
      holds: holdsReply(clock.replies[1]!),
    }
  }

  async set(entries: readonly NewEntry[], since: number): Promise<SetReply> {
    if (!this.clock.settled) await this.clock.settle()
    const until = this.units.deadline()
    const results = await this.units.inTime([
      ...entries.map((entry) => this.unit(entry.key, (shard) => this.setCommands(entry, shard, until))),
      this.clock.unit(this.clock.reading(since)),
    ])
    const clock = results.at(-1)!
    if (clock instanceof CacheUnavailableError) throw clock
    this.clock.check(clock)
    return {
      outcomes: entries.map((_, i) => setOutcome(results[i]!)),
      clock: this.clock.readingReply(since, clock.replies),
    }
  }

  async touch(key: string, seen: StoredEntry, { ttlMs, graceMs }: Lifetime): Promise<boolean> {
    const entry = this.keyspace.entry(key)
    const until = this.units.deadline()
    const commands = (shard: Shard): RedisCommand[] => {
      if (seen.codec === FOREIGN_CODEC) return [command('PEXPIRE', [entry, ttlMs])]
      const { head } = envelopeParts(seen)
      const args = [this.stamp(shard, until).notAfter, head, `${seen.s} `, ttlMs, ttlMs + graceMs]
      return [this.writes.script(SCRIPTS.cacheTouch, [entry], args)]
    }
    const [result] = await this.units.inTime([this.unit(key, commands)])
    if (result instanceof CacheUnavailableError) throw result
    return result!.replies[0] === 1
  }

  async lifetime(key: string): Promise<number | null> {
    const { replies } = await this.units.one(this.unit(key, [command('PTTL', [this.keyspace.entry(key)])]))
    const ms = Number(replies[0])
    return ms === -2 ? null : ms === -1 ? Infinity : ms
  }

  async delete(keys: readonly string[]): Promise<boolean[]> {
    // R11: this order. A fill between the two is deleted, a later one refused.
    const answered = await this.units.all(
      keys.map((key) =>
        this.unit(key, [command('DEL', [this.keyspace.lease(key)]), this.writes.unlink(this.keyspace.entry(key))]),
      ),
    )
    const existed = answered.map(({ replies }) => replies[1] === 1)
    const unheard = keys.filter((_, i) => answered[i]!.replies[0] === 1 && !existed[i]!)
    if (unheard.length > 0) await this.signal(unheard)
    return existed
  }

  async deletePattern(glob: string): Promise<number> {
    const { removed, leased } = await this.scans.deletePattern(glob)
    // Nobody told of evictions, so what is not there any more may be near somebody still: then all is dropped that is near.
    if (this.writes.told) await this.clock.markClear()
    if (leased.length > 0) await this.signal(leased)
    return removed
  }

  async bumpTags(tags: readonly string[], maxTags: number): Promise<void> {
    await this.clock.bump(tags, maxTags)
  }

  async clear(): Promise<string> {
    return this.clock.clear()
  }

  async reclaim(generation: string): Promise<number> {
    return this.scans.reclaim(generation)
  }

  async placeHold(hold: Hold, ttlMs: number, maxTags: number): Promise<boolean> {
    if (!(await this.clock.placeMembers(hold, ttlMs))) return false
    if (hold.keys.length > 0) await this.delete(hold.keys)
    if (hold.tags.length > 0) await this.clock.bump(hold.tags, maxTags)
    return true
  }

  async renewHold(hold: Hold, ttlMs: number): Promise<boolean> {
    return this.clock.renewMembers(hold, ttlMs)
  }

  async endHold(hold: Hold, maxTags: number): Promise<void> {
    if (hold.keys.length > 0) await this.delete(hold.keys)
    await this.clock.bump(hold.tags, maxTags, membersOf(hold))
  }

  async finishHolds(holds: readonly StandingHold[], maxTags: number): Promise<void> {
    const names = (kind: StandingHold['kind']) => holds.flatMap((hold) => (hold.kind === kind ? [hold.name] : []))
    const keys = names('key')
    if (keys.length > 0) await this.delete(keys)
    await this.clock.bump(names('tag'), maxTags, holds.map(memberOf), 'expired')
  }

  /** The commands of each key, and beside them the clock. */
  private async readEach(
    keys: readonly string[],
    since: number | null,
    commands: (key: string, i: number) => RedisCommand[],
    each: (answered: UnitReplies | null, i: number) => void = () => undefined,
  ): Promise<ReadReply> {
    const results = await this.units.each([
      ...keys.map((key, i) => this.unit(key, commands(key, i))),
      this.clock.unit(this.clock.reading(since)),
    ])
    const clock = results.at(-1)!
    if (clock instanceof CacheUnavailableError) throw clock
    this.clock.check(clock)
    const entries: (StoredEntry | null)[] = []
    const sources: (Source | null)[] = []
    for (let i = 0; i < keys.length; i++) {
      const result = results[i]!
      const answered = result instanceof CacheUnavailableError ? null : result
      each(answered, i)
      sources.push(answered === null ? null : this.sourceOf(answered))
      if (answered === null) entries.push(null)
      else addEntries(entries, answered.replies.at(-1)!)
    }
    return { entries, sources, clock: this.clock.readingReply(since, clock.replies) }
  }

  private unit(key: string, commands: Unit['commands']): Unit {
    return { key: this.keyspace.entry(key), commands }
  }

  private get(key: string): RedisCommand {
    return command('GET', [this.keyspace.entry(key)], BINARY)
  }

  private readCommands(keys: readonly string[]): RedisCommand[] {
    if (keys.length === 1) return [this.get(keys[0]!)]
    const entries = keys.map((key) => this.keyspace.entry(key))
    const commands: RedisCommand[] = []
    for (let first = 0; first < entries.length; first += MGET_LIMIT) {
      commands.push(command('MGET', entries.slice(first, first + MGET_LIMIT), BINARY))
    }
    return commands
  }

  private setCommands(entry: NewEntry, shard: Shard, until: number): RedisCommand[] {
    const { e, notAfter } = this.stamp(shard, until)
    const { head, tail } = envelopeParts({ ...entry, e })
    const [key, lease] = [this.keyspace.entry(entry.key), this.keyspace.lease(entry.key)]
    const args = [notAfter, head, tail, entry.ttlMs, entry.ttlMs + entry.graceMs]
    return entry.version === null
      ? [command('DEL', [lease]), this.writes.script(SCRIPTS.cacheSet, [key], args)]
      : [this.writes.script(SCRIPTS.cacheSetVersion, [key, lease], [...args, entry.version])]
  }

  /**
   * The epoch that a write is sent under, and the server's time after which it must not land (R14): also where it was redirected to, it has
   * no longer than its caller waits. A server whose clock is not known takes nothing.
   */
  private stamp(shard: Shard, until: number): { readonly e: string; readonly notAfter: number } {
    const now = shard.serverNow()
    return {
      e: this.trustFailovers ? TRUSTED_EPOCH : (shard.session?.epoch ?? '--------'),
      notAfter: now === undefined ? 0 : Math.floor(now + this.units.leftUntil(until)),
    }
  }

  /** The server's clock is its last `TIME`, which the heartbeat asks for, and the time since; so nearly all readings of a tick are equal. */
  private sourceOf({ session, shard, redirected }: UnitReplies): Source {
    const epoch = this.trustFailovers ? TRUSTED_EPOCH : session.epoch
    // Without a `TIME` nothing is judged expired; the server itself does not answer what is.
    const nowMs = Math.floor(shard.serverNow() ?? 0)
    if (redirected) return { epoch, nowMs, redirected }
    const last = this.lastSource
    return last.epoch === epoch && last.nowMs === nowMs ? last : (this.lastSource = { epoch, nowMs })
  }

  /** Waiters that miss this signal look again when the lease that they saw would have ended; so the delete it follows has not failed. */
  private signal(keys: readonly string[]): Promise<void> {
    return this.tryTo(
      this.units.all(keys.map((key) => this.unit(key, [this.writes.signal(this.keyspace.wake(key), SIGNAL_MS)]))),
    )
  }

  private async tryTo(work: Promise<unknown>): Promise<void> {
    try {
      await work
    } catch (error) {
      if (!(error instanceof CacheUnavailableError)) throw error
    }
  }
}

const BINARY = { binary: true }

function addEntries(entries: (StoredEntry | null)[], reply: RedisReply): void {
  if (Array.isArray(reply)) for (const text of reply) entries.push(text === null ? null : parseStored(text as Buffer))
  else entries.push(reply === null ? null : parseStored(reply as Buffer))
}

function setOutcome(result: UnitReplies | CacheUnavailableError): SetOutcome {
  if (result instanceof CacheUnavailableError) return result
  const stored = result.replies.at(-1)
  return stored === 1 ? 'stored' : stored === 2 ? 'older' : 'late'
}

/** The server answered, and refused; else nobody knows. */
function isRefusal(result: UnitReplies | CacheUnavailableError): boolean {
  return result instanceof CacheUnavailableError && result.cause instanceof RedisReplyError
}
