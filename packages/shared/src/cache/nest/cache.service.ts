import type { RedisCacheService } from '../cache.js'
import type { LoadContext } from '../public-types.js'
import { ttlToMs } from '../../kernel/duration.js'
import type { CachePattern, CachePresets } from './cache-pattern.js'

/**
 * The cache with a {@link CachePattern} where the others have a TTL: what kind of data it is says how long it stays.
 *
 * @example
 * ```ts
 * await this.cacheService.set(`country:${code}`, country, CachePattern.LOOKUP) // 2 hours
 * ```
 */
export class CacheService {
  /** Made by `RedisCacheModule`. */
  constructor(
    private readonly cache: RedisCacheService,
    private readonly presets: CachePresets,
  ) {}

  /** The value under `key`, or null when there is none. While Redis is away there is none. @throws InvalidKeyError */
  get<T>(key: string): Promise<T | null> {
    return this.cache.get<T>(key)
  }

  /**
   * Stores `value` for the TTL of `pattern`. While Redis is away nothing is stored, and this resolves.
   * @throws InvalidKeyError, SerializationError @throws ConfigurationError not a pattern
   */
  async set(key: string, value: unknown, pattern: CachePattern): Promise<void> {
    await this.cache.set(key, value, this.presets.ttlOf(pattern))
  }

  /**
   * The value under `key`; when there is none, what `load` answers, stored for the TTL of `pattern`. One load for all who wait.
   * @throws what `load` throws; InvalidKeyError @throws ConfigurationError not a pattern
   */
  async getOrSet<T>(key: string, load: (ctx: LoadContext) => T | Promise<T>, pattern: CachePattern): Promise<T> {
    return this.cache.getOrSet<T>(key, load, this.presets.ttlOf(pattern))
  }

  /** Deletes `key` or keys; answers how many there were. @throws CacheUnavailableError Redis gave no answer @throws InvalidKeyError */
  delete(key: string | string[]): Promise<number> {
    return this.cache.delete(key)
  }

  /** The TTL of `pattern` in seconds. @throws ConfigurationError not a pattern */
  getTTL(pattern: CachePattern): number {
    return ttlToMs(this.presets.ttlOf(pattern), 'pattern') / 1_000
  }
}
