import { Controller, Get, NotFoundException, Param, Query } from '@nestjs/common'
import { ApiOperation, ApiTags } from '@nestjs/swagger'
import { ApiProblems, CachedRead, CurrentTenant, type Tenant, TenantScoped } from '@vextrus/service-kit'
import { z } from 'zod'
import type { Category, Supplier } from '../products/product.entities.js'
import type { Country, Currency, TaxCode } from './lookup.entities.js'
import { LookupQueries } from './lookup.queries.js'
import {
  categorySchema,
  countryCodeParam,
  countrySchema,
  currencySchema,
  supplierSchema,
  taxCodeQuery,
  taxCodeSchema,
} from './lookup.schemas.js'

/** Reference data that all tenants share. */
@ApiTags('lookups')
@Controller()
export class SharedLookupsController {
  constructor(private readonly lookups: LookupQueries) {}

  @Get('countries')
  @ApiOperation({ summary: 'All countries, by name' })
  @CachedRead(z.array(countrySchema))
  countries(): Promise<Country[]> {
    return this.lookups.countries()
  }

  @Get('countries/:code')
  @ApiOperation({ summary: 'One country; cached for a day when active, else for 5 minutes' })
  @CachedRead(countrySchema)
  @ApiProblems({ 400: 'Not a country code', 404: 'No such country' })
  async country(@Param('code', { schema: countryCodeParam }) code: string): Promise<Country> {
    const country = await this.lookups.country(code)
    if (country === null) throw new NotFoundException(`Country ${code} was not found`)
    return country
  }

  @Get('currencies')
  @ApiOperation({ summary: 'All currencies, by code' })
  @CachedRead(z.array(currencySchema))
  currencies(): Promise<Currency[]> {
    return this.lookups.currencies()
  }

  @Get('tax-codes')
  @ApiOperation({ summary: 'Tax codes, of one country when one is named' })
  @CachedRead(z.array(taxCodeSchema))
  @ApiProblems({ 400: 'Not a country code' })
  taxCodes(@Query({ schema: taxCodeQuery }) { country }: z.infer<typeof taxCodeQuery>): Promise<TaxCode[]> {
    return this.lookups.taxCodes(country)
  }
}

/** Reference data of one tenant. */
@ApiTags('lookups')
@Controller()
@TenantScoped()
export class TenantLookupsController {
  constructor(private readonly lookups: LookupQueries) {}

  @Get('categories')
  @ApiOperation({ summary: "The tenant's product categories" })
  @CachedRead(z.array(categorySchema))
  categories(@CurrentTenant() tenant: Tenant): Promise<Category[]> {
    return this.lookups.categories(tenant.id)
  }

  @Get('suppliers')
  @ApiOperation({ summary: "The tenant's suppliers" })
  @CachedRead(z.array(supplierSchema))
  suppliers(@CurrentTenant() tenant: Tenant): Promise<Supplier[]> {
    return this.lookups.suppliers(tenant.id)
  }
}
