import { setTimeout } from 'node:timers/promises'
import { CacheUnavailableError } from '../../src/cache/errors.js'
import { waitFor } from '../support/wait-for.js'
import { SeededRandom } from '../support/seeded-random.js'
import { differences } from './at-rest.js'
import { carriersOf, KEYS, PLAIN, type Row, TAGGED, TAGS, tagsOf, THROUGH, TTL_S } from './catalogue.js'
import type { Fleet, Member } from './fleet.js'
import { LONGEST } from './longest.js'
import type { Committed, ModelDatabase } from './model.js'
import type { Watchdog } from './watchdog.js'

const READERS = 5
const WRITERS = 2
/** For the last operations to end: longer than any of them may take. */
const STOP_MS = 30_000

/** Everybody reads and writes the same few keys, each process through its own cache, until {@link stop}; every answer is judged. */
export class Traffic {
  /** Answers judged. */
  judged = 0
  loads = 0
  /** Invalidations that were acknowledged, by operation. */
  readonly acknowledged: Record<string, number> = {}
  /** Invalidations that were not, by operation. */
  readonly refused: Record<string, number> = {}
  /** Stale answers, and whatever else must not be. */
  readonly violations: string[] = []
  private running = true
  private writing = true
  private writes = 0
  private readonly actors: Promise<void>[] = []

  /** @param losesHolds the fault forgets what stands in the clock, holds too */
  constructor(
    private readonly fleet: Fleet,
    private readonly database: ModelDatabase,
    private readonly watchdog: Watchdog,
    private readonly options: { readonly seed: number; readonly losesHolds: boolean },
  ) {}

  start(): void {
    this.fleet.members.forEach((member, number) => {
      for (let i = 0; i < READERS + WRITERS; i++) {
        const random = new SeededRandom(this.options.seed + 100 * number + i)
        this.actors.push(this.act(member, random, i < READERS))
      }
    })
  }

  /** Nobody writes any more; resolves when what was being written is in effect. */
  async calm(): Promise<void> {
    this.writing = false
    await waitFor('the writers to rest', () => this.writes === 0 && this.fleet.pending === 0)
  }

  /** Resolves when every operation has ended. */
  async stop(): Promise<void> {
    this.running = false
    const ended = new AbortController()
    const late = setTimeout(STOP_MS, undefined, { signal: ended.signal }).then(
      () => void this.violations.push(`never ended: ${this.watchdog.hanging().join(', ')}`),
      () => undefined,
    )
    await Promise.race([Promise.all(this.actors), late])
    ended.abort()
  }

  /** With nobody writing: compares every cache with the database. */
  async verify(): Promise<void> {
    this.settle()
    this.violations.push(...(await differences(this.fleet, this.database)))
  }

  private async act(member: Member, random: SeededRandom, reads: boolean): Promise<void> {
    while (this.running) {
      try {
        if (reads) await this.read(member, random)
        else if (this.writing) await this.writeOnce(member, random)
      } catch (error) {
        this.violations.push(`${member.name}: ${error instanceof Error ? error.stack : String(error)}`)
      }
      await setTimeout(random.int(reads ? 4 : 30))
    }
  }

  /** What a process owed, and owes no longer, is in effect from now on. */
  private settle(): void {
    for (const { cache, owed } of this.fleet.members) {
      if (owed.length === 0 || cache.getStatistics().pending > 0) continue
      for (const committed of owed.splice(0)) this.database.acknowledge(committed)
    }
  }

  private async read(member: Member, random: SeededRandom): Promise<void> {
    this.settle()
    const operation = random.pick(['get', 'getMany', 'getOrSet', 'getOrSet', 'getOrSetMany'] as const)
    const many = operation === 'getMany' || operation === 'getOrSetMany'
    const keys = Array.from({ length: many ? 3 : 1 }, () => random.pick(KEYS))
    const floors = keys.map((key) => Math.max(this.database.floor(key), member.own.get(key) ?? 0))
    const rows = await this.watchdog.time(operation, LONGEST[operation], () =>
      this.ask(member, operation, keys, random),
    )
    keys.forEach((key, i) => {
      const row = rows[i] ?? null
      this.judged++
      if (row === null ? operation === 'get' || operation === 'getMany' : row.key === key && row.version >= floors[i]!)
        return
      this.violations.push(
        `${member.name} ${operation} ${key}: ${JSON.stringify(row)}, acknowledged before it was version ${floors[i]}`,
      )
    })
  }

  private async ask(
    { cache }: Member,
    operation: 'get' | 'getMany' | 'getOrSet' | 'getOrSetMany',
    keys: readonly string[],
    random: SeededRandom,
  ): Promise<readonly (Row | null)[]> {
    const key = keys[0]!
    switch (operation) {
      case 'get':
        return [await cache.get<Row>(key)]
      case 'getMany':
        return cache.getMany<Row>(keys)
      case 'getOrSet':
        return [await cache.getOrSet(key, () => this.load(key, random), { ttl: TTL_S, tags: tagsOf(key) })]
      case 'getOrSetMany':
        return cache.getOrSetMany(keys, {
          key: (each) => each,
          load: (missing) => Promise.all(missing.map((each) => this.load(each, random))),
          ttl: TTL_S,
          tags: (row) => tagsOf(row.key),
        })
    }
  }

  /** Reads the database, slowly. The wait after the read is the race: what was read is getting old. */
  private async load(key: string, random: SeededRandom): Promise<Row> {
    this.loads++
    await setTimeout(random.int(3))
    const row = { key, version: this.database.version(key) }
    await setTimeout(random.int(random.chance(0.1) ? 40 : 6))
    return row
  }

  private async writeOnce(member: Member, random: SeededRandom): Promise<void> {
    this.writes++
    try {
      await this.write(member, random)
    } finally {
      this.writes--
    }
  }

  private async write(member: Member, random: SeededRandom): Promise<void> {
    const { cache } = member
    switch (random.pick(WRITES)) {
      case 'delete': {
        const keys = [random.pick([...PLAIN, ...TAGGED])]
        return this.commitThen(member, 'delete', keys, () => cache.delete(keys))
      }
      case 'invalidateByTag': {
        const tag = random.pick(TAGS)
        return this.commitThen(member, 'invalidateByTag', carriersOf(tag), () => cache.invalidateByTag(tag))
      }
      case 'deleteByPattern':
        return this.commitThen(member, 'deleteByPattern', PLAIN, () => cache.deleteByPattern('plain:*'))
      case 'clear':
        return this.commitThen(member, 'clear', [...PLAIN, ...TAGGED], () => cache.clear())
      case 'set': {
        const key = random.pick(THROUGH)
        const versioned = random.chance(0.5)
        return this.database.alone(key, () =>
          this.commitThen(member, 'set', [key], (committed) => {
            const { version } = committed[0]!
            const options = { ttl: TTL_S, onUnavailable: 'throw' } as const
            return cache.set(key, { key, version }, versioned ? { ...options, version } : options)
          }),
        )
      }
      case 'invalidateAround':
        return this.commitInside(member, random)
    }
  }

  private async commitThen(
    member: Member,
    operation: keyof typeof LONGEST,
    keys: readonly string[],
    invalidate: (committed: Committed) => Promise<unknown>,
  ): Promise<void> {
    const committed = this.database.commit(keys)
    try {
      await this.watchdog.time(operation, LONGEST[operation], () => invalidate(committed))
    } catch (error) {
      if (!(error instanceof CacheUnavailableError)) throw error
      count(this.refused, operation)
      // A write that failed is repeated as a delete, whatever its caller is told (R24).
      if (!error.pending && operation !== 'set') this.violations.push(`${operation} failed for good: ${error.message}`)
      member.owed.push(committed)
      // It reads nothing from the store before it has repeated that, so itself it sees no older version from now on.
      for (const { key, version } of committed) member.own.set(key, Math.max(version, member.own.get(key) ?? 0))
      return
    }
    count(this.acknowledged, operation)
    this.database.acknowledge(committed)
  }

  /** R13. What could not be held is not committed. */
  private async commitInside(member: Member, random: SeededRandom): Promise<void> {
    const targets = { keys: [random.pick(PLAIN)], tags: [TAGS[random.int(2)]!] }
    let committed: Committed | undefined
    const work = async (): Promise<void> => {
      await setTimeout(random.int(20))
      committed = this.database.commit([...targets.keys, ...targets.tags.flatMap(carriersOf)])
      await setTimeout(random.int(20))
    }
    try {
      await this.watchdog.time('invalidateAround', LONGEST.invalidateAround, () =>
        member.cache.invalidateAround(targets, work),
      )
    } catch (error) {
      if (!(error instanceof CacheUnavailableError)) throw error
      count(this.refused, 'invalidateAround')
      if (committed !== undefined) this.violations.push(`invalidateAround rejected after its work: ${error.message}`)
      return
    }
    count(this.acknowledged, 'invalidateAround')
    // It resolves although its last step may be owed: the hold covers that gap, unless the server has forgotten it.
    if (this.options.losesHolds && member.cache.getStatistics().pending > 0) member.owed.push(committed!)
    else this.database.acknowledge(committed!)
  }
}

const WRITES = [
  'delete',
  'delete',
  'invalidateByTag',
  'invalidateByTag',
  'deleteByPattern',
  'clear',
  'set',
  'set',
  'invalidateAround',
] as const

function count(counts: Record<string, number>, what: string): void {
  counts[what] = (counts[what] ?? 0) + 1
}
