import {
  applyDecorators,
  BadRequestException,
  type CanActivate,
  createParamDecorator,
  type ExecutionContext,
  Injectable,
  NotFoundException,
  UseGuards,
} from '@nestjs/common'
import { ApiHeader } from '@nestjs/swagger'
import { z } from 'zod'
import { ApiProblems } from '../http/problems.decorator.js'
import type { Tenant } from './tenant.entity.js'
import { TenantRegistry } from './tenant.registry.js'

const HEADER = 'x-tenant-id'

/** Nothing that has a meaning in a cache key: the id becomes one of its segments. */
const tenantId = z.string().regex(/^[a-z0-9][a-z0-9-]{0,63}$/)

export interface TenantRequest {
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  tenant?: Tenant
}

export const headerOf = ({ headers }: TenantRequest): string | string[] | undefined => headers[HEADER]

/** Lets a request pass that names a tenant which exists, and no other. */
@Injectable()
export class TenantGuard implements CanActivate {
  constructor(private readonly registry: TenantRegistry) {}

  canActivate(context: ExecutionContext): boolean {
    const request = context.switchToHttp().getRequest<TenantRequest>()
    const id = headerOf(request)
    if (id === undefined) throw new BadRequestException(`The header ${HEADER} is missing: name the tenant in it`)
    if (!tenantId.safeParse(id).success) {
      throw new BadRequestException(`The header ${HEADER} must be 1 to 64 of a-z, 0-9 and -`)
    }
    const tenant = this.registry.get(String(id))
    if (tenant === undefined) throw new NotFoundException('The tenant was not found: GET /tenants lists them')
    request.tenant = tenant
    return true
  }
}

/** A controller whose every endpoint works on one tenant's data, the one that `x-tenant-id` names. */
export const TenantScoped = (): ClassDecorator =>
  applyDecorators(
    UseGuards(TenantGuard),
    ApiHeader({ name: HEADER, required: true, schema: { type: 'string', example: 'aurora-hardware' } }),
    ApiProblems({ 400: 'The input or the tenant header is not valid', 404: 'The tenant or the thing was not found' }),
  )

/** The tenant of the request, in a {@link TenantScoped} controller. */
export const CurrentTenant = createParamDecorator((_: unknown, context: ExecutionContext): Tenant => {
  const { tenant } = context.switchToHttp().getRequest<TenantRequest>()
  if (tenant === undefined) throw new Error('@CurrentTenant needs @TenantScoped on its controller')
  return tenant
})
