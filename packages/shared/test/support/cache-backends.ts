import type { CacheStore } from '../../src/cache/cache-store.js'
import { RedisCacheService } from '../../src/cache/cache.js'
import type { CacheDependencies, CacheOptions } from '../../src/cache/options.js'
import { DeliveryStore } from './delivery-store.js'
import {
  clusterBackend,
  memoryBackend,
  publishedBackend,
  redisBackend,
  restrictedBackend,
  type StoreBackend,
} from './store-backends.js'

/** Caches as several processes have them: each with a client of its own on one server. */
export interface CacheBackend {
  readonly stores: StoreBackend
  /** Two processes on a prefix of their own. */
  caches(options?: CacheOptions, surroundings?: CacheDependencies): Promise<CachePair>
  /** One more process, on the prefix of others. */
  cacheOn(prefix: string, options?: CacheOptions, surroundings?: CacheDependencies): Promise<RedisCacheService>
  /** Begins to close the caches that were made so far, with their clients (see `StoreBackend.release`); {@link close} waits for it. */
  release(): void
  close(): Promise<void>
}

export interface CachePair {
  readonly one: RedisCacheService
  readonly other: RedisCacheService
  readonly prefix: string
  /** The store as `one` has it. */
  readonly store: SwitchedStore
}

/** A store that can be away: every call then rejects, and nothing happens. */
export class SwitchedStore extends DeliveryStore {
  away = false
  /** Calls so far, by operation. */
  readonly calls: string[] = []

  constructor(inner: CacheStore) {
    super(inner, (call) => {
      this.calls.push(call.operation)
      if (this.away) call.giveUp()
      else call.deliver()
    })
  }
}

export async function memoryCaches(): Promise<CacheBackend> {
  const stores = await memoryBackend()
  return backend(stores, { clock: stores.clock })
}

export async function redisCaches(): Promise<CacheBackend> {
  return backend(await redisBackend(), {})
}

export async function restrictedCaches(): Promise<CacheBackend> {
  return backend(await restrictedBackend(), {})
}

export async function publishedCaches(): Promise<CacheBackend> {
  return backend(await publishedBackend(), {})
}

export async function clusterCaches(): Promise<CacheBackend> {
  return backend(await clusterBackend(), {})
}

function backend(stores: StoreBackend, defaults: CacheDependencies): CacheBackend {
  const caches: RedisCacheService[] = []
  const closing: Promise<void>[] = []
  let prefixes = 0
  // Nobody waits for it: loads that a test has left hanging get a second.
  const release = (): void => {
    const closeClients = stores.release()
    closing.push(Promise.all(caches.splice(0).map((cache) => cache.close())).then(closeClients))
  }
  return {
    stores,
    release,
    async caches(options, surroundings) {
      const prefix = `vextrus${++prefixes}:`
      const [store, second] = [new SwitchedStore(await stores.store(prefix)), await stores.store(prefix)]
      const settings = { jitter: 0, l1: false, ...options } as const
      const [one, other] = [store, second].map(
        (each) => new RedisCacheService(each, settings, { ...defaults, ...surroundings }),
      ) as [RedisCacheService, RedisCacheService]
      caches.push(one, other)
      return { one, other, prefix, store }
    },
    async cacheOn(prefix, options, surroundings) {
      const store = await stores.store(prefix)
      const cache = new RedisCacheService(store, { jitter: 0, l1: false, ...options }, { ...defaults, ...surroundings })
      caches.push(cache)
      return cache
    },
    async close() {
      release()
      // That second is of whoever's clock.
      if (defaults.clock !== undefined) await stores.elapse(1_000)
      await Promise.all(closing)
      await stores.close()
    },
  }
}
