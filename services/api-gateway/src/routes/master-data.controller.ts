import { Controller, Get, Inject, Req, Res } from '@nestjs/common'
import { ApiTags } from '@nestjs/swagger'
import { SignedIn } from '../auth/signed-in.guard.js'
import type { GatewayRequest, GatewayResponse } from '../http/gateway-request.js'
import { PlanLimited } from '../limits/plan-limited.decorator.js'
import { behindFirstSegment, targetOf } from '../proxy/target-path.js'
import { Cached } from './cached.decorator.js'
import { type Audience, ServiceReads } from './service-reads.js'

/** Reads of master data, as the service has them. */
abstract class MasterDataReads {
  constructor(@Inject(ServiceReads) private readonly reads: ServiceReads) {}

  protected read(audience: Audience, request: GatewayRequest, response: GatewayResponse): Promise<unknown> {
    const { path, query } = behindFirstSegment(targetOf(request.originalUrl))
    return this.reads.read({ service: 'master-data', target: path + query, for: audience }, request, response)
  }
}

/** For everybody, with and without a token: the world as ISO knows it. It changes with an import, once in months. */
@ApiTags('lookups')
@Controller('master-data')
@PlanLimited()
export class LookupsController extends MasterDataReads {
  @Get('countries')
  @Cached({ summary: 'All countries', service: 'master-data', for: 'everybody', ttl: '1m' })
  countries(@Req() request: GatewayRequest, @Res({ passthrough: true }) response: GatewayResponse): Promise<unknown> {
    return this.read('everybody', request, response)
  }
  @Get('countries/:code')
  @Cached({ summary: 'One country', service: 'master-data', for: 'everybody', ttl: '1m' })
  country(@Req() request: GatewayRequest, @Res({ passthrough: true }) response: GatewayResponse): Promise<unknown> {
    return this.read('everybody', request, response)
  }

  @Get('currencies')
  @Cached({ summary: 'All currencies', service: 'master-data', for: 'everybody', ttl: '1m' })
  currencies(@Req() request: GatewayRequest, @Res({ passthrough: true }) response: GatewayResponse): Promise<unknown> {
    return this.read('everybody', request, response)
  }

  @Get('tax-codes')
  @Cached({ summary: 'Tax codes', service: 'master-data', for: 'everybody', ttl: '1m' })
  taxCodes(@Req() request: GatewayRequest, @Res({ passthrough: true }) response: GatewayResponse): Promise<unknown> {
    return this.read('everybody', request, response)
  }
}

/** The same for all people of a tenant. */
@ApiTags('catalogue')
@Controller('master-data')
@PlanLimited()
@SignedIn()
export class CatalogueController extends MasterDataReads {
  @Get(['products', 'products/search', 'products/batch', 'products/:id', 'products/:id/summary'])
  @Cached({ summary: 'Products of the tenant', service: 'master-data', for: 'tenant', ttl: '10s' })
  products(@Req() request: GatewayRequest, @Res({ passthrough: true }) response: GatewayResponse): Promise<unknown> {
    return this.read('tenant', request, response)
  }

  @Get(['categories', 'suppliers'])
  @Cached({ summary: 'Categories and suppliers of the tenant', service: 'master-data', for: 'tenant', ttl: '30s' })
  lists(@Req() request: GatewayRequest, @Res({ passthrough: true }) response: GatewayResponse): Promise<unknown> {
    return this.read('tenant', request, response)
  }
}
