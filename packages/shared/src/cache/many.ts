import { TickBatch } from '../kernel/batch.js'
import { LoaderResultError } from './errors.js'
import type { LoadContext, PlanContext } from './load-plan.js'
import { LoadStop } from './load-stop.js'
import type { GetOrSetOptions } from './public-types.js'

/** What the `load` of `getOrSetMany` is given beside the items. It is not told the stale values of keys: one request loads them all. */
export interface LoadManyContext {
  /** Aborted when the load is in vain for every one of its items; as the `signal` of a `LoadContext`. */
  readonly signal: AbortSignal
}

/** How `getOrSetMany` finds, loads and stores. */
export interface GetOrSetManyOptions<K, T> extends GetOrSetOptions<T> {
  /** The key of an item. */
  readonly key: (item: K) => string
  /**
   * One load for all that are missing. A Map may leave items out: they are null. An array must be as long as `missing` and in its order, else
   * `LoaderResultError`.
   */
  readonly load: (missing: K[], context: LoadManyContext) => Promise<Map<K, T> | readonly (T | null | undefined)[]>
}

interface Request<K, T> {
  readonly key: string
  readonly item: K
  /** Ends when nobody wants this item any more. */
  readonly stop: LoadStop
  readonly resolve: (value: T | null) => void
  readonly reject: (error: unknown) => void
}

/**
 * Collects the single loads of a `getOrSetMany` into calls of the user's one: leases of a tick are answered together, so what was granted
 * together is loaded together, and nothing that was granted waits for what was not.
 */
export class ManyLoads<K, T> {
  private readonly batch = new TickBatch<Request<K, T>>((requests) => this.loadAll(requests), {
    max: Number.POSITIVE_INFINITY,
  })

  constructor(
    private readonly loadMissing: GetOrSetManyOptions<K, T>['load'],
    private readonly runInside: <R>(keys: readonly string[], work: () => PromiseLike<R>) => Promise<R>,
  ) {}

  /** @param context of the item's own load */
  load(key: string, item: K, context: LoadContext): Promise<T | null> {
    const { stop } = context as PlanContext
    return new Promise((resolve, reject) => this.batch.add({ key, item, stop, resolve, reject }))
  }

  private async loadAll(requests: Request<K, T>[]): Promise<void> {
    const stop = new LoadStop()
    let wanted = requests.length
    const unwanted = (reason: unknown): void => {
      if (--wanted === 0) stop.stop(reason)
    }
    const ends = requests.map((request) => request.stop.onStop(unwanted))
    try {
      stop.throwIfStopped()
      const missing = requests.map(({ item }) => item)
      const loaded = await this.runInside(
        requests.map(({ key }) => key),
        () => stop.race(this.loadMissing([...missing], new ManyContext(stop))),
      )
      const valueOf = byItem(loaded, missing)
      requests.forEach(({ resolve }, i) => resolve(valueOf(i) ?? null))
    } catch (error) {
      for (const { reject } of requests) reject(error)
    } finally {
      for (const end of ends) end()
    }
  }
}

class ManyContext implements LoadManyContext {
  constructor(private readonly stop: LoadStop) {}

  get signal(): AbortSignal {
    return this.stop.signal
  }
}

function byItem<K, T>(
  loaded: Map<K, T> | readonly (T | null | undefined)[],
  missing: readonly K[],
): (i: number) => T | null | undefined {
  if (loaded instanceof Map) return (i) => loaded.get(missing[i]!)
  if (!Array.isArray(loaded)) throw new LoaderResultError('`load` must answer a Map or an array of values')
  if (loaded.length !== missing.length) {
    throw new LoaderResultError(
      `\`load\` answered ${loaded.length} values for ${missing.length} items; answer one for each, in their order, or a Map`,
    )
  }
  return (i) => loaded[i]
}
