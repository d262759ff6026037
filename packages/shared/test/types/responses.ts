// The types of what stands on controllers: cached responses, who asks, and the filter of errors.
import { Controller, Get, UseFilters, UseInterceptors } from '@nestjs/common'
import {
  CacheResponse,
  CacheResponseIdentity,
  CacheResponseInterceptor,
  type CacheResponseOptions,
  VextrusExceptionFilter,
} from '@vextrus/shared/cache'

@Controller('products')
@UseInterceptors(CacheResponseInterceptor)
@UseFilters(VextrusExceptionFilter, new VextrusExceptionFilter())
@CacheResponse({ ttl: 60 })
export class Products {
  @Get()
  @CacheResponse({
    ttl: '1m',
    vary: ['tenant', 'user', 'accept-language'],
    tags: (request: { tenantId: string }) => [`products:${request.tenantId}`],
    anyUser: undefined,
    connection: 'reports',
  })
  async list(): Promise<string[]> {
    return []
  }

  @Get('count')
  @CacheResponse({ vary: [], tags: ['products'], anyUser: true })
  count(): number {
    return 1
  }
}

export class Claims extends CacheResponseIdentity {
  override userOf(request: { claims?: { sub: string } }): string | undefined {
    return request.claims?.sub
  }

  override async tenantOf(request: { claims?: { org: number } }): Promise<number | undefined> {
    return request.claims?.org
  }
}

export const options: CacheResponseOptions = { ttl: undefined, vary: undefined, tags: undefined }

// @ts-expect-error there is no such option
CacheResponse({ key: 'products' })
// @ts-expect-error a list, also of one
CacheResponse({ vary: 'user' })
// @ts-expect-error a TTL, not a date
CacheResponse({ ttl: new Date() })
