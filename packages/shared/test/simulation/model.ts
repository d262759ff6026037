import { CacheUnavailableError } from '../../src/cache/errors.js'
import { CATALOGUE, type Row, sourceOf } from './catalogue.js'
import type { World } from './world.js'

type Due = readonly [key: string, value: number]

interface Acknowledged {
  readonly value: number
  readonly atMs: number
  /** The process that was told. */
  readonly by: string
}

/**
 * The database behind the caches, and what they owe it: its values are numbers that only grow, and a read must not answer less than what the
 * key held when an invalidation was called for that has been acknowledged before the read began (P1). Linear in the number of operations.
 */
export class Model {
  /** What the database holds. */
  private readonly values = new Map<string, number>(CATALOGUE.map(({ name }) => [name, 0]))
  /** What was acknowledged, of each key: what a read that begins later may not fall short of. */
  private readonly due = new Map<string, Acknowledged[]>()
  private readonly locks = new Map<string, Promise<void>>()
  private failed: string | undefined

  constructor(private readonly world: World) {}

  value(key: string): number {
    return this.values.get(sourceOf(key))!
  }

  write(rows: readonly Row[]): void {
    for (const { name } of rows) {
      this.values.set(name, this.value(name) + 1)
      this.world.note(() => `the database writes ${name}=${this.value(name)}`)
    }
  }

  /** Calls for an invalidation of these rows; once it is acknowledged, what they held at the call is the least that is due. */
  async invalidates(what: string, rows: readonly Row[], by: string, call: () => Promise<unknown>): Promise<void> {
    await this.acknowledged(
      what,
      rows.map(({ name }) => [name, this.value(name)]),
      by,
      call,
    )
  }

  private async acknowledged(
    what: string,
    held: readonly Due[],
    by: string,
    call: () => Promise<unknown>,
  ): Promise<void> {
    this.world.note(() => `begins: ${what}`)
    try {
      await call()
      this.demand(held, by)
      this.world.note(() => `acknowledged: ${what}`)
      this.world.count('acknowledged')
    } catch (error) {
      if (!(error instanceof CacheUnavailableError)) throw error
      this.world.note(() => `refused: ${what}`)
      this.world.count('unavailable')
    }
  }

  /** {@link invalidates} of a `set` of one value: others may have written later ones by then. */
  async stores(what: string, { name }: Row, value: number, by: string, call: () => Promise<unknown>): Promise<void> {
    await this.acknowledged(what, [[name, value]], by, call)
  }

  /**
   * Work on these rows inside `invalidateAround`. From the commit on, what the rows then hold is the least that a read beginning later may
   * answer, whatever becomes of the process and of the clock – if the hold stood at the commit (R13): nothing that was loaded before it is
   * served while it stands, and its end or its finishing takes away what was stored.
   */
  committed(what: string, rows: readonly Row[], isHeld: boolean, by: string): void {
    this.world.note(() => `commits${isHeld ? '' : ', uncovered'}: ${what}`)
    this.world.count(isHeld ? 'commits under a hold' : 'commits without their hold')
    if (isHeld)
      this.demand(
        rows.map(({ name }) => [name, this.value(name)]),
        by,
      )
  }

  /**
   * Begins a read of these keys. What it answers is to be told to the function that comes back.
   *
   * A process with L1 may answer what is older by its staleness than what was acknowledged to others (P2); what was acknowledged to itself, and
   * what it says to have from the store, may not be older at all.
   */
  reading(keys: readonly string[], by: string): (values: readonly unknown[], fromStore?: boolean) => void {
    const [process = by] = by.split('.')
    const nowMs = this.world.clock.mono()
    const least = keys.map((key) => this.least(key, nowMs, process))
    const known = keys.map((key) => this.least(key, nowMs - this.world.stalenessOf(process), process))
    this.world.note(() => `${by} begins to read ${keys.join()}, due ${known.join()}, of the store ${least.join()}`)
    return (values, fromStore = false) =>
      keys.forEach((key, i) => this.answered(key, values[i], (fromStore ? least : known)[i]!, by))
  }

  /** Writers of one key, one after the other: what two `set`s of a key that don't know of each other come to is not promised. */
  async locked<T>(key: string, work: () => Promise<T>): Promise<T> {
    const before = this.locks.get(key) ?? Promise.resolve()
    let unlock!: () => void
    this.locks.set(key, new Promise((resolve) => (unlock = resolve)))
    await before
    try {
      return await work()
    } finally {
      unlock()
    }
  }

  check(): void {
    if (this.failed !== undefined) throw new Error(this.failed)
  }

  private answered(key: string, value: unknown, least: number, by: string): void {
    this.world.note(() => `${by} reads ${key}=${String(value)}`)
    if (value === null) return
    if (typeof value !== 'number' || value > this.value(key))
      this.fail(`${by} read ${key}=${String(value)}, which never was`)
    else if (value < least) this.fail(`stale: ${by} read ${key}=${value}, at least ${least} was due`)
  }

  private least(key: string, untilMs: number, process: string): number {
    let least = 0
    for (const { value, atMs, by } of this.due.get(key) ?? []) {
      if (value > least && (atMs <= untilMs || by === process)) least = value
    }
    return least
  }

  private demand(least: readonly Due[], by: string): void {
    for (const [key, value] of least) {
      const all = this.due.get(key) ?? []
      all.push({ value, atMs: this.world.clock.mono(), by })
      this.due.set(key, all)
    }
  }

  fail(message: string): void {
    this.failed ??= message
    this.world.note(() => message)
  }
}
