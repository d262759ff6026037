import type { DynamicModule, Type } from '@nestjs/common'
import type { RedisCacheModuleOptions, TenancyOptions } from '@vextrus/shared/cache'
import type { DatabaseDefinition } from '../database/database-definition.js'

/** What makes a service the one that it is. Everything else is the same for all of them, and lives in this package. */
export interface ServiceDefinition {
  /** `master-data`: in messages, and beside its connections in the database. */
  readonly name: string
  /** Heads the OpenAPI page. */
  readonly title: string
  readonly description: string
  /**
   * How the cache keeps tenants apart: a key, tag or pattern that does not hold the current tenant as a whole segment is refused before it is
   * sent. Who that is says `TenantMiddleware` for a request and `DomainEvents` for an event. What runs without one – a schedule, the start –
   * reaches nothing but the first segments named in `global`, unless it says `runGlobal`. `job`, of scheduled work, is always among them.
   */
  readonly tenancy: TenancyOptions & { readonly required: true }
  /** Options of the cache that this service wants otherwise than they are by default; where Redis is comes from the environment. */
  readonly cache?: Partial<RedisCacheModuleOptions>
  /**
   * Patterns of everything that it caches, of all tenants: each begins with a first segment of its own keys, so that no other service which
   * shares the key prefix loses anything.
   */
  readonly ownKeys: readonly string[]
  /** Undefined: it keeps no data and knows no tenants but those that its requests bring; there is no `x-tenant-id` and no `TenantRegistry`. */
  readonly database?: DatabaseDefinition
  /** False: bodies are left unread, for a service that hands them on as they come. @default true */
  readonly parsesBodies?: boolean
  readonly features: readonly (Type | DynamicModule)[]
}

/** A service that depends on what its environment says, beyond where its servers are. */
export interface ConfiguredService<C> {
  /** As its definition has it: what goes wrong before there is one is reported under it. */
  readonly name: string
  readonly definitionOf: (config: C) => ServiceDefinition
}
