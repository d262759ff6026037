import { Controller, Get, Header, Inject, Query } from '@nestjs/common'
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger'
import { z } from 'zod'
import { PlanLimited } from '../limits/plan-limited.decorator.js'
import { tokenClaims, Tokens } from './tokens.js'

const query = z.object({
  user: tokenClaims.shape.sub.default('ada').meta({ example: 'ada' }),
  tenant: tokenClaims.shape.tenantId.default('aurora-hardware').meta({ example: 'aurora-hardware' }),
})

const answer = z.object({ token: z.string(), expiresIn: z.literal('1h') })

/**
 * Tokens for whoever asks, until there is a service that knows people. It exists with the development key alone, which is public: whoever can
 * read this repository could sign such a token without it.
 */
@ApiTags('demo')
@Controller('demo')
@PlanLimited()
export class DemoTokenController {
  constructor(@Inject(Tokens) private readonly tokens: Tokens) {}

  @Get('token')
  @Header('Cache-Control', 'no-store')
  @ApiOperation({ summary: 'A token of any user of any tenant; not with a key of your own' })
  @ApiOkResponse({ standardSchema: answer })
  async issue(@Query({ schema: query }) { user, tenant }: z.infer<typeof query>): Promise<z.infer<typeof answer>> {
    return { token: await this.tokens.issue({ id: user, tenantId: tenant, roles: [] }, '1h'), expiresIn: '1h' }
  }
}
