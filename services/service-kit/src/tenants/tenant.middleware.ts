import { Injectable, type NestMiddleware } from '@nestjs/common'
import { runAsTenant } from '@vextrus/shared/cache'
import { headerOf, type TenantRequest } from './tenant.guard.js'
import { TenantRegistry } from './tenant.registry.js'

/**
 * Runs a request as the tenant that it names, from here on: guards, pipes, controllers, the handlers that they send messages to, and whatever
 * those start. A middleware and not an interceptor, which would leave out guards and pipes.
 *
 * A request that names no tenant, or one that does not exist, is nobody's: the guard of a tenant's controller refuses it, and reference data
 * needs none.
 */
@Injectable()
export class TenantMiddleware implements NestMiddleware<TenantRequest> {
  constructor(private readonly registry: TenantRegistry) {}

  use(request: TenantRequest, _response: unknown, next: () => void): void {
    const header = headerOf(request)
    const tenant = typeof header === 'string' ? this.registry.get(header) : undefined
    if (tenant === undefined) next()
    else runAsTenant(tenant.id, next)
  }
}
