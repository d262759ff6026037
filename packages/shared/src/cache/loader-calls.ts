import type { Clock } from '../kernel/clock.js'
import type { ConcurrencyLimit } from '../kernel/concurrency.js'
import type { StoredEntry } from './cache-store.js'
import { type Caller, LEFT } from './caller.js'
import { LoadTimeoutError } from './errors.js'
import type { LoadedEntry } from './lease-upkeep.js'
import type { Load } from './load.js'
import type { LoadPlan, PlanContext } from './load-plan.js'
import { LoadScope } from './load-scope.js'
import { LoadStop } from './load-stop.js'
import { NearEntry } from './near-entry.js'
import type { Statistics } from './statistics.js'
import { UNREADABLE, type Values } from './values.js'

/** What a loader has brought. */
export interface Loaded {
  readonly value: unknown
  /** Null: it is not stored. */
  readonly stored: LoadedEntry | null
  readonly loadMs: number
  readonly skipped: boolean
}

/** What the calls stand on. */
export interface CallSurroundings {
  readonly clock: Clock
  readonly statistics: Statistics
  readonly values: Values
  /** How many loads run at once while the store is away. */
  readonly origin: ConcurrencyLimit
  /** Draws the number that says when a loader was called (R9). */
  readonly draw: () => number
}

/** Calls the users' loaders: inside their scope, with their context, counted, and no longer than they are wanted. */
export class LoaderCalls {
  /** Knows which loads the code that runs now is a part of. */
  readonly scope = new LoadScope()
  private readonly alone = new Set<LoadStop>()
  private readonly clock: Clock
  private readonly statistics: Statistics
  private readonly values: Values
  private readonly origin: ConcurrencyLimit
  private readonly draw: () => number

  constructor({ clock, statistics, values, origin, draw }: CallSurroundings) {
    this.clock = clock
    this.statistics = statistics
    this.values = values
    this.origin = origin
    this.draw = draw
  }

  /** Calls the loader, when it is its turn, and makes of its value what is stored. */
  async load(load: Load, leader: Caller): Promise<Loaded> {
    const { plan } = leader
    const context = await this.newContext(load.key, leader, load.stop)
    let loadMs = 0
    const value = await this.bounded(load, leader, async () => {
      load.stop.throwIfStopped()
      const started = this.clock.mono()
      load.began = this.draw()
      const loaded = await this.call(plan, context, load.key)
      loadMs = this.clock.mono() - started
      return loaded
    })
    const storing = plan.storing(value, context)
    const encoded = storing === null ? null : await this.values.ofLoad(load.key, value)
    const stored = storing === null || encoded === null ? null : { ...storing, ...encoded }
    return { value, stored, loadMs, skipped: context.skipped }
  }

  /** A load of its own, under no lease and shared with nobody: the caller is a part of the one it would wait for. */
  async loadAlone(key: string, caller: Caller): Promise<unknown> {
    const stop = new LoadStop()
    this.alone.add(stop)
    const context = await this.newContext(key, caller, stop)
    try {
      const value = await caller.within(this.call(caller.plan, context, key), false, () =>
        stop.stop(caller.hasAborted ? caller.plan.signal!.reason : caller.timedOut()),
      )
      return value === LEFT ? caller.parting() : value
    } finally {
      this.alone.delete(stop)
    }
  }

  /** Stops those that nobody else ends. */
  stopAlone(reason: unknown): void {
    for (const stop of this.alone) stop.stop(reason)
  }

  /**
   * While the store is away every process loads for itself, and every key: so many at once and no more. What another load waits for does not
   * queue, or goes on past the others, or that one would keep the place that it waits for.
   */
  private bounded(load: Load, leader: Caller, work: () => Promise<unknown>): Promise<unknown> {
    if (!leader.away || load.urgent) return work()
    return this.origin.run(work, (goPast) => (load.goPast = goPast))
  }

  private async newContext(key: string, { plan, stale }: Caller, stop: LoadStop): Promise<PlanContext> {
    const value = stale === null ? UNREADABLE : await this.copyOf(key, stale)
    return plan.newContext(stop, value === UNREADABLE ? undefined : { value })
  }

  private copyOf(key: string, entry: StoredEntry): unknown {
    return entry instanceof NearEntry && entry.unpacked ? entry.handOut() : this.values.read(key, entry)
  }

  private async call(plan: LoadPlan, context: PlanContext, key: string): Promise<unknown> {
    this.statistics.loaded(key)
    try {
      // The race inside: a loader that goes on after its end is no part of the load any more.
      return await this.scope.run([key], () => context.stop.race(plan.load(context) as PromiseLike<unknown>))
    } catch (error) {
      // What its callers have given up is no failure of the loader.
      if (!context.stop.isStopped || error instanceof LoadTimeoutError) this.statistics.loadFailed(key)
      throw error
    }
  }
}
