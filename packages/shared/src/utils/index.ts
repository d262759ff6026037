/** The names that application code imports from `@vextrus/shared/utils`; the same as those of `@vextrus/shared/cache` and `@vextrus/shared/lock`. */
export {
  Cacheable,
  CacheEvict,
  type CacheableOptions,
  type CacheEvictOptions,
  CachePut,
  type CachePutOptions,
  RedisCacheService,
} from '../cache/index.js'
export {
  type Lock,
  Locked,
  type LockedOptions,
  LockLostError,
  LockTimeoutError,
  LockUnavailableError,
  RedisLockService,
} from '../lock/index.js'
