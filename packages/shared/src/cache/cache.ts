import type { CacheStore } from './cache-store.js'
import { CacheEngine } from './engine.js'
import { RedisCache } from './operations.js'
import type { CacheDependencies, CacheOptions } from './options.js'
import { rootScope } from './scope.js'
import type { CacheStatistics } from './statistics.js'

/**
 * The cache: reads that become misses when the store is away, loads that run once, and invalidations that always win. Its operations are
 * those of {@link RedisCache}, on the whole `keyPrefix`; `forTenant` and `forUser` give the same inside a scope.
 *
 * In a Nest application it is injected; by hand: `new RedisCacheService(new MemoryCacheStore(new MemoryHub()))`.
 */
export class RedisCacheService extends RedisCache {
  /** @throws ConfigurationError, InvalidDurationError, MissingPeerError: options that can't be used */
  constructor(store: CacheStore, options: CacheOptions = {}, dependencies: CacheDependencies = {}) {
    const engine = new CacheEngine(store, options, dependencies)
    super(engine, rootScope(engine.tenancy))
  }

  /**
   * Loads the package of the serializer and derives the keys of the encryption, where the options need it, instead of at the first value. The
   * Nest module does so at boot.
   * @throws MissingPeerError
   */
  async prepare(): Promise<void> {
    await this.engine.prepare()
  }

  /** Hits, misses and the rest since the start or {@link resetStatistics}, of this process, in all scopes. */
  getStatistics(): CacheStatistics {
    const { statistics, store, near } = this.engine
    return statistics.report(store.pending, near?.bytes ?? 0, near?.audit?.report())
  }

  /** Starts the statistics anew. */
  resetStatistics(): void {
    this.engine.statistics.reset()
    this.engine.near?.audit?.reset()
  }

  /**
   * Lets waiting callers go, finishes the fills that are under way, and tries a last time what the store still owes. The store is its owner's
   * to close.
   */
  async close(): Promise<void> {
    await this.engine.close()
  }
}
