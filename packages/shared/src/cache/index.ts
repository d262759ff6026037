export { RedisCacheService } from './cache.js'
export { RedisCache } from './operations.js'
export type { CacheDependencies, CacheLogger, CacheOptions } from './options.js'
export type {
  GetOrSetOptions,
  LoadContext,
  LoadTimeout,
  Lookup,
  SetManyEntry,
  SetManyOptions,
  SetOptions,
} from './public-types.js'
export type { GetOrSetManyOptions, LoadManyContext } from './many.js'
export type { AuditAge, AuditStatistics, CacheStatistics, GroupStatistics, HitCounts } from './statistics.js'
export type { NearCallOption, NearOptions, NearValuesMode } from './near-options.js'
export { cacheStaleHit } from './near-audit.js'
export type { HoldOptions, HoldTargets } from './invalidation-hold.js'
export { currentTenant, runAsTenant, runGlobal } from './tenancy.js'
export type { TenancyOptions } from './tenancy.js'
export type { SensitiveOptions } from './sensitive.js'
export { cacheNotStored, cacheUnreadable } from './values.js'
export { cacheRefreshFailed } from './loader.js'
export {
  CacheClosedError,
  CacheUnavailableError,
  LoaderResultError,
  LoadTimeoutError,
  SensitiveDataError,
  TenantKeyError,
} from './errors.js'
export { ValueTooLargeError } from '../kernel/codec/value-codec.js'
export type { CompressionOptions, EncryptionOptions, Serializer } from '../kernel/codec/value-codec.js'
export { escapeGlob } from '../kernel/key.js'
export { MemoryHub } from '../kernel/memory-hub.js'
export type { MemoryHubOptions } from '../kernel/memory-hub.js'
export { MemoryCacheStore } from './stores/memory.js'

export { CacheService } from './nest/cache.service.js'
export { CachePattern } from './nest/cache-pattern.js'
export { Cacheable } from './nest/cacheable.decorator.js'
export type { CacheableOptions } from './nest/cacheable.decorator.js'
export { CachePut } from './nest/cache-put.decorator.js'
export type { CachePutOptions } from './nest/cache-put.decorator.js'
export { CacheEvict } from './nest/cache-evict.decorator.js'
export type { CacheEvictOptions } from './nest/cache-evict.decorator.js'
export { CacheResponse } from './nest/cache-response.decorator.js'
export type { CacheResponseOptions, ResponseVariant } from './nest/cache-response.decorator.js'
export { CacheResponseInterceptor } from './nest/cache-response.interceptor.js'
export { CacheResponseIdentity } from './nest/response-identity.js'
export type { ResponseIdentity } from './nest/response-identity.js'
export { VextrusExceptionFilter } from '../nest/vextrus-exception.filter.js'
export type { VextrusProblem } from '../nest/vextrus-exception.filter.js'
export type { ArgsCallback, AsyncMethodDecorator, ResultCallback } from '../nest/decorator-options.js'
export { DEFAULT_CONNECTION, getVextrusToken, InjectVextrus } from '../nest/tokens.js'
export type { ServiceClass } from '../nest/tokens.js'
