export { CacheWrites, type CacheTargets } from './cache/cache-writes.js'
export { DomainEvent, DomainEvents } from './cache/domain-event.js'
export {
  type Environment,
  readServiceConfig,
  readVariables,
  type RedisConfig,
  type ServiceConfig,
  variable,
} from './config/environment.js'
export { explained, type Mistakes } from './database/constraint-errors.js'
export { type DatabaseConfig, dataSourceOptions } from './database/data-source-options.js'
export type { DatabaseDefinition, SeedData } from './database/database-definition.js'
export { type EmbeddedPostgres, startEmbeddedPostgres } from './database/embedded-postgres.js'
export { type FencedWork, FencedWrites, updatedRow } from './database/fenced-writes.js'
export { lockedRow, removedRow } from './database/locked-row.js'
export { type PageFind, pageFrom } from './database/page-from.js'
export { checksum, prepareDatabase } from './database/prepare-database.js'
export { QueryLog } from './database/query-log.js'
export { StaleWriterError } from './database/stale-writer.error.js'
export { type Answer, Client } from './http/client.js'
export {
  amount,
  idField,
  idParam,
  label,
  type Page,
  pageOf,
  type PageQuery,
  pageQuery,
  slug,
  versionField,
  versionQuery,
} from './http/input.js'
export { ApiProblems } from './http/problems.decorator.js'
export { CachedRead } from './http/x-cache.js'
export { percentile } from './measure/percentile.js'
export { OneReplica } from './schedule/one-replica.js'
export { runService, type Say } from './service/run-service.js'
export type { ConfiguredService, ServiceDefinition } from './service/service-definition.js'
export { ServiceFacts } from './service/service-facts.js'
export { type RunningService, startService } from './service/start-service.js'
export { type TenantRow, tenantSeed } from './tenants/tenant-seed.js'
export { tenantTag } from './tenants/tenant.cache.js'
export { Tenant } from './tenants/tenant.entity.js'
export { CurrentTenant, TenantScoped } from './tenants/tenant.guard.js'
