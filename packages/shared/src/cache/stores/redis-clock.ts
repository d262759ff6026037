import { SingleFlight } from '../../kernel/single-flight.js'
import type { RandomSource } from '../../kernel/random.js'
import type { Keyspace } from '../../redis/keyspace.js'
import { command } from '../../redis/script.js'
import { SCRIPTS } from '../../redis/scripts.gen.js'
import type { RedisCommand, RedisReply, Shard, Unit, UnitReplies } from '../../redis/topology.js'
import type { ClockReply, Hold, StandingHold, TagReply } from '../cache-store.js'
import { CacheUnavailableError } from '../errors.js'
import type { RedisUnits } from './redis-units.js'
import type { RedisWrites } from './redis-writes.js'

/** Marks that one delta carries at most: a reply as long as this may have been cut (R3). */
const DELTA_LIMIT = 1_200
/** Most hold members: all of them travel with every reading of the clock. */
const MOST_HOLDS = 100
/** Where the scores of holds begin: milliseconds since 1970, above every sequence and below every generation. */
const HOLDS_FROM = 2 ** 40
const HOLDS_BELOW = `(${2 ** 45}`
const RANDOM_BOUND = 2 ** 44
const LARGEST_CLEAR_STEP = 2 ** 20
/** Life of the marker that `clear` leaves. Its end is told like a write of it, and empties L1 once more: so not often. */
const CLEAR_MARKER_MS = 86_400_000

/**
 * The tag clock on Redis: the commands on its one key, what their replies say, and its move to another master.
 *
 * A promoted replica may lack marks that its master had acknowledged, and entries on other masters of a Cluster know nothing of it. So the
 * generation is moved on once for each master that the clock comes to lie on, and nothing is judged by a clock before that was done (R16).
 */
export class RedisClock {
  /** The epoch of the master under which the clock is known to be current; null: none yet. */
  private current: string | null = null
  private readonly moving = new SingleFlight<'', void>()

  /** @param trustFailovers promoted masters are taken at their word: `onFailover: 'trust'` */
  constructor(
    private readonly units: RedisUnits,
    private readonly writes: RedisWrites,
    private readonly keyspace: Keyspace,
    private readonly random: RandomSource,
    private readonly trustFailovers: boolean,
  ) {}

  /** Moves the generation on if the clock lies on another master than at the last look. @throws CacheUnavailableError */
  async settle(): Promise<void> {
    if (this.trustFailovers) return
    const session = this.units.topology.shardOf(this.keyspace.tags)?.session
    if (session !== undefined && session.epoch === this.current) return
    await this.moving.run('', async () => {
      const { session: answered } = await this.units.one(this.unit((shard) => [this.script(shard, false)]))
      this.current = answered.epoch
    })
  }

  /** True: it need not be asked to {@link settle}. The question of every read. */
  get settled(): boolean {
    if (this.trustFailovers) return true
    const session = this.units.topology.shardOf(this.keyspace.tags)?.session
    return session !== undefined && session.epoch === this.current
  }

  /** @throws CacheUnavailableError the answer is of a master to which the clock has not moved yet */
  check({ session }: UnitReplies): void {
    if (this.trustFailovers || session.epoch === this.current) return
    // While its slot moves the clock may be on another master than the slot map says: the next look asks where it is.
    this.current = null
    throw new CacheUnavailableError('the tag clock has just moved to another master; the next call finds it there')
  }

  /** Commands on the clock. */
  unit(commands: Unit['commands']): Unit {
    return { key: this.keyspace.tags, commands }
  }

  /** A delta from `since` on, or a base: one command, or two of which the holds are read last (R3). */
  reading(since: number | null): RedisCommand[] {
    return since === null
      ? [this.tags([]), this.holds()]
      : [command('ZREVRANGEBYSCORE', [this.keyspace.tags, '+inf', since, 'LIMIT', 0, DELTA_LIMIT, 'WITHSCORES'])]
  }

  /** What the commands of {@link reading} were answered. */
  readingReply(since: number | null, replies: readonly RedisReply[]): ClockReply {
    if (since !== null) return deltaReply(replies.at(-1)!)
    const [tags, holds] = replies.slice(-2)
    return { ...tagReply(tags!), tags: [], seqs: [], holds: holdsReply(holds!), full: false, base: true }
  }

  tags(tags: readonly string[]): RedisCommand {
    return command('ZMSCORE', [this.keyspace.tags, '#g', '#s', '#f', ...tags.map((tag) => `t:${tag}`)])
  }

  holds(): RedisCommand {
    return command('ZRANGEBYSCORE', [this.keyspace.tags, HOLDS_FROM, HOLDS_BELOW, 'WITHSCORES'])
  }

  /** Creates the clock if it is absent. */
  async create(): Promise<TagReply> {
    const { replies } = await this.units.one(this.unit((shard) => [this.script(shard, true)]))
    return tagReply(replies[0]!)
  }

  /** R1; beside it members of holds are removed: all, or those that are expired. */
  async bump(tags: readonly string[], maxTags: number, members: readonly string[] = [], which = 'all'): Promise<void> {
    const args = [maxTags, which, members.length, ...members, ...tags]
    await this.units.one(
      this.unit((shard) => [
        this.script(shard, true),
        this.writes.script(SCRIPTS.cacheBump, [this.keyspace.tags], args),
      ]),
    )
  }

  /** R2. Answers the generation. */
  async clear(): Promise<string> {
    // A second time where the server had to be sent the first script, and so made the clock after the other had looked for it.
    const generation = (await this.nextGeneration()) ?? (await this.nextGeneration())
    if (generation === null) throw new CacheUnavailableError('the tag clock was lost while clearing; call again')
    await this.markClear()
    return generation
  }

  /** Tells every process that anything may have been written. @throws CacheUnavailableError */
  async markClear(): Promise<void> {
    const marker = this.keyspace.clearMarker
    await this.units.one({
      key: marker,
      commands: [this.writes.script(SCRIPTS.cacheMarkClear, [marker], [CLEAR_MARKER_MS])],
    })
  }

  /** The members of a hold. False: there are too many. @throws CacheUnavailableError */
  async placeMembers(hold: Hold, ttlMs: number): Promise<boolean> {
    const placed = (await this.holdScript(hold, ttlMs, 'place')) ?? (await this.holdScript(hold, ttlMs, 'place'))
    if (placed === null) throw new CacheUnavailableError('the tag clock was lost while placing a hold; call again')
    return placed
  }

  /** False: one of them is gone. @throws CacheUnavailableError */
  async renewMembers(hold: Hold, ttlMs: number): Promise<boolean> {
    return (await this.holdScript(hold, ttlMs, 'renew')) ?? false
  }

  private async holdScript(hold: Hold, ttlMs: number, how: 'place' | 'renew'): Promise<boolean | null> {
    const args = [ttlMs, how, MOST_HOLDS, ...membersOf(hold)]
    const { replies } = await this.units.one(
      this.unit((shard) => [
        this.script(shard, how === 'place'),
        this.writes.script(SCRIPTS.cacheHold, [this.keyspace.tags], args),
      ]),
    )
    return replies[1] === -1 ? null : replies[1] === 1
  }

  /** Moves `#g` on. Null: there was no clock. */
  private async nextGeneration(): Promise<string | null> {
    const step = 1 + this.random.int(LARGEST_CLEAR_STEP)
    const { replies } = await this.units.one(
      this.unit((shard) => [
        this.script(shard, true),
        this.writes.script(SCRIPTS.cacheClear, [this.keyspace.tags], [step]),
      ]),
    )
    return replies[1] === null ? null : String(replies[1])
  }

  private script(shard: Shard, create: boolean): RedisCommand {
    const epoch = this.trustFailovers ? '' : (shard.session?.epoch ?? '')
    const args = [this.random.int(RANDOM_BOUND), epoch, create ? '1' : '0']
    return this.writes.script(SCRIPTS.cacheClock, [this.keyspace.tags], args)
  }
}

/** The members of a hold in the clock: `h:k:<owner>:<key>` and `h:t:<owner>:<tag>`. */
export function membersOf({ owner, keys, tags }: Hold): string[] {
  return [...keys.map((key) => `h:k:${owner}:${key}`), ...tags.map((tag) => `h:t:${owner}:${tag}`)]
}

/** The member that a reading showed. */
export function memberOf({ owner, kind, name }: StandingHold): string {
  return `h:${kind === 'key' ? 'k' : 't'}:${owner}:${name}`
}

/** ZMSCORE #g #s #f tags…; over RESP3 scores are numbers. */
export function tagReply(reply: RedisReply): TagReply {
  const [g, s, f, ...marks] = reply as (string | null)[]
  return {
    g: g == null ? null : String(g),
    s: Number(s ?? 0),
    f: Number(f ?? 0),
    seqs: marks.map((mark) => (mark === null ? null : Number(mark))),
  }
}

/** Members and scores in turn. */
export function holdsReply(reply: RedisReply): readonly StandingHold[] {
  const rows = reply as string[]
  return rows.flatMap((member, i) => (i % 2 === 0 ? (holdOf(member, rows[i + 1]!) ?? []) : []))
}

const NO_HOLDS: readonly StandingHold[] = Object.freeze([])

/** ZREVRANGEBYSCORE … WITHSCORES: members and scores in turn, highest first. */
function deltaReply(reply: RedisReply): ClockReply {
  const rows = reply as string[]
  let g: string | null = null
  let s: number | null = null
  let f: number | null = null
  let holds = NO_HOLDS
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
    } else {
      const hold = holdOf(member, rows[i + 1]!)
      if (hold !== null) holds = [...holds, hold]
    }
  }
  return { g, s, f, tags, seqs, holds, full: rows.length >= 2 * DELTA_LIMIT, base: false }
}

/** An owner has no colon. */
function holdOf(member: string, score: string): StandingHold | null {
  const [, kind, owner, name] = /^h:([kt]):([^:]+):(.+)$/su.exec(member) ?? []
  if (kind === undefined) return null
  return { kind: kind === 'k' ? 'key' : 'tag', owner: owner!, name: name!, endMs: Number(score) }
}
