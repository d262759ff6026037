/** The names that application code imports from `@vextrus/shared/utils`; the same as those of `@vextrus/shared/cache`. */
export {
  Cacheable,
  CacheEvict,
  type CacheableOptions,
  type CacheEvictOptions,
  CachePut,
  type CachePutOptions,
  RedisCacheService,
} from '../cache/index.js'
