import { Controller, Get, Inject, Param, Req, Res } from '@nestjs/common'
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger'
import { slug } from '@vextrus/service-kit'
import { z } from 'zod'
import { callerOf, SignedIn } from '../auth/signed-in.guard.js'
import type { GatewayRequest, GatewayResponse } from '../http/gateway-request.js'
import { PlanLimited } from '../limits/plan-limited.decorator.js'
import { planNames } from '../limits/plans.js'
import { TenantPlans } from '../limits/tenant-plans.js'
import { Cached } from './cached.decorator.js'
import { ServiceReads } from './service-reads.js'

const meSchema = z.object({
  id: z.string(),
  tenantId: z.string(),
  roles: z.array(z.string()),
  plan: z.enum(planNames).meta({ description: 'Of the tenant' }),
})

/** What is about whoever asks. */
@ApiTags('me')
@Controller('me')
@PlanLimited()
@SignedIn()
export class MeController {
  constructor(
    @Inject(ServiceReads) private readonly reads: ServiceReads,
    @Inject(TenantPlans) private readonly plans: TenantPlans,
  ) {}

  @Get()
  @ApiOperation({ summary: 'Who the gateway takes you for, by your token' })
  @ApiOkResponse({ standardSchema: meSchema })
  me(@Req() request: GatewayRequest, @Res({ passthrough: true }) response: GatewayResponse): z.infer<typeof meSchema> {
    const { id, tenantId, roles } = callerOf(request, response)
    return { id, tenantId, roles: [...roles], plan: this.plans.of(tenantId) }
  }

  @Get('flags/:key')
  @Cached({ summary: 'Whether a feature is on for you', service: 'rules-engine', for: 'user', ttl: '10s' })
  flag(
    @Param('key', { schema: slug('new-checkout') }) key: string,
    @Req() request: GatewayRequest,
    @Res({ passthrough: true }) response: GatewayResponse,
  ): Promise<unknown> {
    const subject = encodeURIComponent(callerOf(request, response).id)
    const target = `/flags/${key}/evaluation?subject=${subject}`
    return this.reads.read({ service: 'rules-engine', target, for: 'user' }, request, response)
  }
}
