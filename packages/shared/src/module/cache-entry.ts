/** What `@vextrus/shared/cache`, and `@vextrus/shared` itself, export: the cache, and the module that puts it into a Nest application. */
export * from '../cache/index.js'
export { RedisCacheModule } from './redis-cache.module.js'
export type {
  RedisCacheModuleAsyncOptions,
  RedisCacheModuleExtras,
  RedisCacheOptionsFactory,
} from './redis-cache.module.js'
export type { RedisCacheModuleOptions } from './module-options.js'
export { RedisConnection } from '../redis/connection.js'
export { RedisReplyError, RedisRoleError, RedisUnavailableError, RedisVersionError } from '../redis/errors.js'
export {
  ConfigurationError,
  InvalidDurationError,
  InvalidKeyError,
  MissingPeerError,
  SerializationError,
  VextrusError,
} from '../kernel/errors.js'
export type { VextrusErrorOptions } from '../kernel/errors.js'
export type { Duration, Ttl } from '../kernel/duration.js'
export type { Clock, Timer } from '../kernel/clock.js'
