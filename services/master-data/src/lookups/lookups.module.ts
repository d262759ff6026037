import { Module } from '@nestjs/common'
import { TypeOrmModule } from '@nestjs/typeorm'
import { Category, Supplier } from '../products/product.entities.js'
import { LookupRefresh } from './lookup-refresh.js'
import { Country, Currency, TaxCode } from './lookup.entities.js'
import { LookupQueries } from './lookup.queries.js'
import { SharedLookupsController, TenantLookupsController } from './lookups.controllers.js'

@Module({
  imports: [TypeOrmModule.forFeature([Country, Currency, TaxCode, Category, Supplier])],
  controllers: [SharedLookupsController, TenantLookupsController],
  providers: [LookupQueries, LookupRefresh],
})
export class LookupsModule {}
