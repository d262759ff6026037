import { type DynamicModule, Global, Module } from '@nestjs/common'
import { CqrsModule } from '@nestjs/cqrs'
import { ScheduleModule } from '@nestjs/schedule'
import { TypeOrmModule } from '@nestjs/typeorm'
import { RedisCacheModule } from '@vextrus/shared/cache'
import { CacheWrites } from './cache/cache-writes.js'
import { DomainEvents } from './cache/domain-event.js'
import { NewDatabase } from './cache/new-database.js'
import type { RedisConfig } from './config.js'
import { CustomersModule } from './customers/customers.module.js'
import { type DatabaseConfig, dataSourceOptions } from './database/data-source-options.js'
import { QueryLog } from './database/query-log.js'
import { HealthController } from './health/health.controller.js'
import { LookupsModule } from './lookups/lookups.module.js'
import { ProductsModule } from './products/products.module.js'
import { ReportsModule } from './reports/reports.module.js'
import { tenancy } from './tenants/tenancy.js'
import { TenantsModule } from './tenants/tenants.module.js'

export interface AppOptions {
  readonly database: DatabaseConfig
  readonly queryLog: QueryLog
  /** Undefined: the memory driver. */
  readonly redis: RedisConfig | undefined
}

/** What every feature uses. */
@Global()
@Module({})
class CommonModule {
  static with(queryLog: QueryLog): DynamicModule {
    return {
      module: CommonModule,
      providers: [{ provide: QueryLog, useValue: queryLog }, CacheWrites, DomainEvents, NewDatabase],
      exports: [QueryLog, CacheWrites, DomainEvents],
    }
  }
}

/** The service, put together. The database is migrated and filled before (`prepareDatabase`). */
@Module({})
export class AppModule {
  static with({ database, queryLog, redis }: AppOptions): DynamicModule {
    return {
      module: AppModule,
      controllers: [HealthController],
      imports: [
        TypeOrmModule.forRoot({ ...dataSourceOptions(database, queryLog), retryAttempts: 2 }),
        RedisCacheModule.forRoot({ tenancy, ...(redis ?? { driver: 'memory' }) }),
        CqrsModule.forRoot(),
        ScheduleModule.forRoot(),
        CommonModule.with(queryLog),
        TenantsModule,
        LookupsModule,
        ProductsModule,
        CustomersModule,
        ReportsModule,
      ],
    }
  }
}
