import { CacheUnavailableError } from '../../src/cache/errors.js'
import { CATALOGUE, type Row, sourceOf } from './catalogue.js'
import type { World } from './world.js'

type Due = readonly [key: string, value: number]

/**
 * The database behind the caches, and what they owe it: its values are numbers that only grow, and a read must not answer less than what the
 * key held when an invalidation was called for that has been acknowledged before the read began (P1). Linear in the number of operations.
 */
export class Model {
  /** What the database holds. */
  private readonly values = new Map<string, number>(CATALOGUE.map(({ name }) => [name, 0]))
  /** The least that a read beginning now may answer. */
  private readonly due = new Map<string, number>()
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
  async invalidates(what: string, rows: readonly Row[], call: () => Promise<unknown>): Promise<void> {
    await this.acknowledged(
      what,
      rows.map(({ name }) => [name, this.value(name)]),
      call,
    )
  }

  private async acknowledged(what: string, held: readonly Due[], call: () => Promise<unknown>): Promise<void> {
    this.world.note(() => `begins: ${what}`)
    try {
      await call()
      this.demand(held)
      this.world.note(() => `acknowledged: ${what}`)
      this.world.count('acknowledged')
    } catch (error) {
      if (!(error instanceof CacheUnavailableError)) throw error
      this.world.note(() => `refused: ${what}`)
      this.world.count('unavailable')
    }
  }

  /** {@link invalidates} of a `set` of one value: others may have written later ones by then. */
  async stores(what: string, { name }: Row, value: number, call: () => Promise<unknown>): Promise<void> {
    await this.acknowledged(what, [[name, value]], call)
  }

  /**
   * Work on these rows inside `invalidateAround`. From the commit on, what the rows then hold is the least that a read beginning later may
   * answer, whatever becomes of the process and of the clock – if the hold stood at the commit (R13): nothing that was loaded before it is
   * served while it stands, and its end or its finishing takes away what was stored.
   */
  committed(what: string, rows: readonly Row[], isHeld: boolean): void {
    this.world.note(() => `commits${isHeld ? '' : ', uncovered'}: ${what}`)
    this.world.count(isHeld ? 'commits under a hold' : 'commits without their hold')
    if (isHeld) this.demand(rows.map(({ name }) => [name, this.value(name)]))
  }

  /** Begins a read of these keys. What it answers is to be told to the function that comes back. */
  reading(keys: readonly string[], by: string): (values: readonly unknown[]) => void {
    const least = keys.map((key) => this.due.get(key) ?? 0)
    this.world.note(() => `${by} begins to read ${keys.join()}, due ${least.join()}`)
    return (values) => keys.forEach((key, i) => this.answered(key, values[i], least[i]!, by))
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

  private demand(least: readonly Due[]): void {
    for (const [key, value] of least) this.due.set(key, Math.max(value, this.due.get(key) ?? 0))
  }

  fail(message: string): void {
    this.failed ??= message
    this.world.note(() => message)
  }
}
