import { Global, type MiddlewareConsumer, Module, type NestModule } from '@nestjs/common'
import { TypeOrmModule } from '@nestjs/typeorm'
import { Tenant } from './tenant.entity.js'
import { TenantMiddleware } from './tenant.middleware.js'
import { TenantRegistry } from './tenant.registry.js'
import { TenantsController } from './tenants.controller.js'

/** Global, because the guard of every tenant's controller asks the registry. */
@Global()
@Module({
  imports: [TypeOrmModule.forFeature([Tenant])],
  controllers: [TenantsController],
  providers: [TenantRegistry],
  exports: [TenantRegistry],
})
export class TenantsModule implements NestModule {
  configure(consumer: MiddlewareConsumer): void {
    consumer.apply(TenantMiddleware).forRoutes('{*path}')
  }
}
