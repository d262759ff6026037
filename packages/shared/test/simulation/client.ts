import { CacheUnavailableError, LoadTimeoutError } from '../../src/cache/errors.js'
import type { GetOrSetOptions } from '../../src/cache/public-types.js'
import { GLOBS, MANY_TAGS, type Row, rowOf } from './catalogue.js'
import type { Model } from './model.js'
import type { Process, World } from './world.js'

/** How much of each operation a run has, and of what; a run that does few things finds other faults than one that does all. */
export interface Habits {
  readonly rows: readonly Row[]
  readonly tags: readonly string[]
  readonly weights: Readonly<Record<Habit, number>>
  /** Every load answers and is stored. */
  readonly reliable?: true
  /** Entries are served for a while after their time. */
  readonly grace?: boolean
  /** Callers give up, because of the time or without a reason, while the loads go on for others. */
  readonly impatient?: boolean
}

export type Habit =
  'load' | 'get' | 'many' | 'delete' | 'tag' | 'tags' | 'set' | 'touch' | 'clear' | 'pattern' | 'around'

/** A caller of one process: draws one operation after the other. */
export class Client {
  private readonly name: string

  constructor(
    private readonly world: World,
    private readonly model: Model,
    private readonly process: Process,
    private readonly habits: Habits,
    number: number,
  ) {
    this.name = `${process.name}.${number}`
  }

  async run(operations: number): Promise<void> {
    for (let i = 0; i < operations; i++) {
      await this.world.turn(this.name, 'goes on')
      await this.does(this.habit())
      this.model.check()
    }
  }

  private habit(): Habit {
    const habits = Object.entries(this.habits.weights) as [Habit, number][]
    let drawn = this.world.random.float() * habits.reduce((sum, [, weight]) => sum + weight, 0)
    for (const [habit, weight] of habits) if ((drawn -= weight) < 0) return habit
    return 'load'
  }

  private does(habit: Habit): Promise<void> {
    const { random } = this.world
    const row = random.pick(this.habits.rows)
    switch (habit) {
      case 'load':
        return this.load(row)
      case 'get':
        return this.get(row)
      case 'many':
        return this.loadMany()
      case 'delete':
        return row.from === undefined ? this.writeAndDelete(row) : this.get(row)
      case 'tag':
        return this.writeAndInvalidate(random.pick(this.habits.tags))
      case 'tags':
        return this.invalidateManyTags()
      case 'set':
        if (row.versioned === true) return this.writeVersion(row)
        return row.set === true ? this.writeThrough(row) : this.load(row)
      case 'touch':
        return this.touch(row)
      case 'clear':
        return this.writeAndClear()
      case 'pattern':
        return this.writeAndDeletePattern()
      case 'around':
        return this.writeAround()
    }
  }

  private async load(row: Row): Promise<void> {
    const done = this.model.reading([row.name], this.name)
    const value = await unlessFailed(this.getOrSet(row))
    if (value !== FAILED) done([value])
  }

  /** `getOrSet` with all its ways: tags given and tags added, a short life, skipped, failing, a nested load. */
  private getOrSet(row: Row): Promise<number> {
    const { random } = this.world
    return this.process.cache.getOrSet(
      row.name,
      async (context) => {
        this.world.count('loads')
        this.world.count(`loads of ${row.name}`)
        await this.world.turn(`${this.name} loading`, row.name)
        const value = row.from === undefined ? this.model.value(row.name) : await this.getOrSet(rowOf(row.from))
        this.world.note(() => `${this.name} loads ${row.name}=${value}`)
        await this.world.turn(`${this.name} loaded`, row.name)
        const way = this.habits.reliable === true ? -1 : random.int(16)
        if (way === 0) throw new LoadFailed()
        if (way === 1) context.skip()
        if (way === 2) context.setTtl('200ms')
        context.addTags(...row.tags.slice(1))
        return value
      },
      { tags: row.tags.slice(0, 1), grace: this.grace, l1: this.l1(row), ...this.patience() },
    )
  }

  private patience(): Pick<GetOrSetOptions<number>, 'loadTimeout' | 'signal'> {
    const { random } = this.world
    if (this.habits.impatient !== true) return {}
    const loadTimeout = random.pick([undefined, { hard: '2s' }, { soft: '200ms', hard: '4s' }])
    if (random.chance(0.7)) return { loadTimeout }
    const controller = new AbortController()
    void this.world.turn(`${this.name} impatient`, 'gives up').then(() => {
      this.world.count('aborts')
      controller.abort(new GivenUp())
    })
    return { loadTimeout, signal: controller.signal }
  }

  private async get(row: Row): Promise<void> {
    const { cache, session } = this.process
    const done = this.model.reading([row.name], this.name)
    if (session === null || this.world.random.chance(0.5)) return done([await cache.get(row.name)])
    const { value, level } = await cache.lookup(row.name)
    done([value], level === 'l2')
  }

  private async loadMany(): Promise<void> {
    const names = this.habits.rows
      .filter(({ from, tags }) => from === undefined && tags.length < 5)
      .filter(() => this.world.random.chance(0.7))
      .map(({ name }) => name)
    const done = this.model.reading(names, this.name)
    const values = await unlessFailed(
      this.process.cache.getOrSetMany(names, {
        key: (name) => name,
        tags: ['x', 'y', 'z'],
        grace: this.grace,
        load: async (missing) => {
          this.world.count('loads of many')
          await this.world.turn(`${this.name} loading`, missing.join())
          const loaded = missing.map((name) => this.model.value(name))
          await this.world.turn(`${this.name} loaded`, missing.join())
          if (this.world.random.chance(0.1)) throw new LoadFailed()
          return loaded
        },
      }),
    )
    if (values !== FAILED) done(values)
  }

  private writeAndDelete(row: Row): Promise<void> {
    return this.alone(row, async () => {
      this.model.write([row])
      await this.world.turn(this.name, `has written ${row.name}`)
      await this.model.invalidates(`delete ${row.name}`, [row], this.process.name, () =>
        this.process.cache.delete(row.name),
      )
    })
  }

  private async writeAndInvalidate(tag: string): Promise<void> {
    const tagged = this.habits.rows.filter(({ tags }) => tags.includes(tag))
    this.model.write(tagged.filter(freelyWritten))
    await this.world.turn(this.name, `has written all of ${tag}`)
    await this.model.invalidates(`tag ${tag}`, tagged, this.process.name, () => this.process.cache.invalidateByTag(tag))
  }

  /** Nearly as many tags as a clock remembers, so that twice is more: the oldest marks are trimmed. */
  private async invalidateManyTags(): Promise<void> {
    const { random } = this.world
    const tags = MANY_TAGS.slice(0, 70 + random.int(35)).map((tag) => `${tag} ${random.int(3)}`)
    await this.model.invalidates('many tags', [], this.process.name, () => this.process.cache.invalidateByTag(tags))
  }

  private writeThrough(row: Row): Promise<void> {
    return this.alone(row, async () => {
      this.model.write([row])
      const value = this.model.value(row.name)
      await this.world.turn(this.name, `has written ${row.name}`)
      await this.model.invalidates(`set ${row.name}=${value}`, [row], this.process.name, () =>
        this.process.cache.set(row.name, value, { tags: row.tags, grace: this.grace, onUnavailable: 'throw' }),
      )
    })
  }

  private async writeVersion(row: Row): Promise<void> {
    this.model.write([row])
    const version = this.model.value(row.name)
    await this.world.turn(this.name, `has written ${row.name}`)
    await this.model.stores(`set ${row.name}=${version} as its version`, row, version, this.process.name, () =>
      this.process.cache.set(row.name, version, { version, onUnavailable: 'throw' }),
    )
  }

  /** What is computed from another row goes with that one only: alone it may be computed again from an entry of before. */
  private async writeAndDeletePattern(): Promise<void> {
    const [glob, matches] = this.world.random.pick(GLOBS)
    const matching = this.habits.rows.filter(({ name, from }) => matches.test(name) && matches.test(from ?? name))
    this.model.write(matching.filter(freelyWritten))
    await this.world.turn(this.name, `has written all of ${glob}`)
    await this.model.invalidates(`pattern ${glob}`, matching, this.process.name, () =>
      this.process.cache.deleteByPattern(glob),
    )
  }

  private async writeAround(): Promise<void> {
    const { random } = this.world
    const tag = random.chance(0.5) ? random.pick(this.habits.tags) : null
    const rows = this.habits.rows.filter((row) => (tag === null ? freelyWritten(row) : row.tags.includes(tag)))
    const targets = tag === null ? { keys: rows.map(({ name }) => name) } : { tags: [tag] }
    const what = `around ${tag ?? rows.map(({ name }) => name).join()}`
    let committed = false
    const work = async (signal: AbortSignal): Promise<void> => {
      await this.world.turn(`${this.name} working`, what)
      if (signal.aborted || random.chance(0.1)) throw new WorkFailed()
      this.model.write(rows.filter(freelyWritten))
      this.model.committed(what, rows, this.world.isHeld(targets), this.process.name)
      committed = true
      this.process.unfinished++
      await this.world.turn(`${this.name} worked`, what)
      if (random.chance(0.1)) throw new WorkFailed()
    }
    try {
      await this.model.invalidates(what, [], this.process.name, () =>
        this.process.cache.invalidateAround(targets, work, { hold: random.pick(['3s', '30s']) }),
      )
    } catch (error) {
      if (!(error instanceof WorkFailed)) throw error
    } finally {
      if (committed) this.process.unfinished--
    }
  }

  private get grace(): '2m' | false {
    return this.habits.grace === true && '2m'
  }

  /**
   * Few calls go past L1, but half of those of what is computed from another row: then its part is often near and it is not. Without L1 the
   * question is not asked, so that worlds of before stay as they were.
   */
  private l1({ from }: Row): false | undefined {
    return this.process.session !== null && this.world.random.chance(from === undefined ? 0.05 : 0.5)
      ? false
      : undefined
  }

  private async touch(row: Row): Promise<void> {
    await unlessFailed(this.process.cache.touch(row.name, 120))
  }

  private async writeAndClear(): Promise<void> {
    this.model.write(this.habits.rows.filter(freelyWritten))
    await this.world.turn(this.name, `has written everything`)
    await this.model.invalidates('clear', this.habits.rows, this.process.name, () => this.process.cache.clear())
  }

  private alone(row: Row, work: () => Promise<void>): Promise<void> {
    return row.set === true ? this.model.locked(row.name, work) : work()
  }
}

const freelyWritten = ({ set, versioned, from }: Row): boolean =>
  set === undefined && versioned === undefined && from === undefined

class LoadFailed extends Error {}

class WorkFailed extends Error {}

class GivenUp extends Error {}

const FAILED = Symbol('failed')
const EXPECTED = [LoadFailed, GivenUp, LoadTimeoutError, CacheUnavailableError]

/** What a loader threw, what took too long, and what a store that is away made of a `touch`, is no news. */
async function unlessFailed<T>(work: Promise<T>): Promise<T | typeof FAILED> {
  try {
    return await work
  } catch (error) {
    if (EXPECTED.some((kind) => error instanceof kind)) return FAILED
    throw error
  }
}
