import { type DynamicModule, Global, Module, type Type } from '@nestjs/common'
import { CqrsModule } from '@nestjs/cqrs'
import { ScheduleModule } from '@nestjs/schedule'
import { TypeOrmModule } from '@nestjs/typeorm'
import { RedisCacheModule } from '@vextrus/shared/cache'
import { CacheWrites } from '../cache/cache-writes.js'
import { DomainEvents } from '../cache/domain-event.js'
import { NewDatabase } from '../cache/new-database.js'
import { describeRedis, type RedisConfig } from '../config/environment.js'
import { type DatabaseConfig, dataSourceOptions } from '../database/data-source-options.js'
import { QueryLog } from '../database/query-log.js'
import { HealthController } from '../health/health.controller.js'
import { TenantsModule } from '../tenants/tenants.module.js'
import { JOB, OneReplica } from '../schedule/one-replica.js'
import type { DatabaseDefinition } from '../database/database-definition.js'
import type { ServiceDefinition } from './service-definition.js'
import { ServiceFacts } from './service-facts.js'

export interface ServiceModuleOptions {
  /** Undefined: the service has none. */
  readonly database: DatabaseConfig | undefined
  readonly queryLog: QueryLog
  /** Undefined: the memory driver. */
  readonly redis: RedisConfig | undefined
}

/** What every feature uses. */
@Global()
@Module({})
class CommonModule {
  static with({ name, ownKeys }: ServiceDefinition, { queryLog, redis }: ServiceModuleOptions): DynamicModule {
    return {
      module: CommonModule,
      providers: [
        { provide: QueryLog, useValue: queryLog },
        { provide: ServiceFacts, useValue: new ServiceFacts(name, describeRedis(redis)) },
        CacheWrites,
        DomainEvents,
        OneReplica,
        {
          provide: NewDatabase,
          inject: [CacheWrites],
          useFactory: (writes: CacheWrites) => new NewDatabase(writes, ownKeys),
        },
      ],
      exports: [QueryLog, ServiceFacts, CacheWrites, DomainEvents, OneReplica],
    }
  }
}

/** A service, put together. Its database is migrated and filled before (`prepareDatabase`). */
@Module({})
export class ServiceModule {
  static with(definition: ServiceDefinition, options: ServiceModuleOptions): DynamicModule {
    const { name, tenancy, cache, features } = definition
    const { database, queryLog, redis } = options
    return {
      module: ServiceModule,
      controllers: [HealthController],
      imports: [
        ...(definition.database && database ? databaseModules(name, definition.database, database, queryLog) : []),
        RedisCacheModule.forRoot({
          ...cache,
          tenancy: { ...tenancy, global: [...(tenancy.global ?? []), JOB] },
          ...(redis ?? { driver: 'memory' }),
        }),
        CqrsModule.forRoot(),
        ScheduleModule.forRoot(),
        CommonModule.with(definition, options),
        ...features,
      ],
    }
  }
}

/** Tenants are rows, so they come with the database. */
function databaseModules(
  name: string,
  definition: DatabaseDefinition,
  database: DatabaseConfig,
  queryLog: QueryLog,
): (DynamicModule | Type)[] {
  return [
    TypeOrmModule.forRoot({ ...dataSourceOptions(name, definition, database, queryLog), retryAttempts: 2 }),
    TenantsModule,
  ]
}
