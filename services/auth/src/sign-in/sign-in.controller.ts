import type { ServerResponse } from 'node:http'
import { Body, Controller, Header, HttpCode, Inject, Post, Req, Res } from '@nestjs/common'
import { ApiNoContentResponse, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger'
import { ApiProblems } from '@vextrus/service-kit'
import { RateLimitExceededException } from '@vextrus/shared/rate-limit'
import type { z } from 'zod'
import { type AuthRequest, Claims, deviceOf } from '../http/auth-request.js'
import { SignedIn } from '../http/signed-in.guard.js'
import type { AccessClaims } from '../tokens/tokens.js'
import { credentials, endedSchema, pairSchema, refreshInput, userView } from './sign-in.schemas.js'
import { SignIns, type TokenPair } from './sign-ins.js'

type PairView = z.infer<typeof pairSchema>
const pairView = (pair: TokenPair): PairView => ({ ...pair, user: userView(pair.user) })

/** The way in, and the ways out. */
@ApiTags('sign-in')
@Controller()
export class SignInController {
  constructor(@Inject(SignIns) private readonly signIns: SignIns) {}

  @Post('login')
  @HttpCode(200)
  @Header('Cache-Control', 'no-store')
  @ApiOperation({ summary: 'Tokens for a name and a password' })
  @ApiOkResponse({ standardSchema: pairSchema })
  @ApiProblems({
    401: 'The tenant, the name or the password is wrong',
    429: 'Too many have failed, of this user or from this address',
    503: 'Sessions can not be kept at the moment',
  })
  async logIn(
    @Body({ schema: credentials }) input: z.infer<typeof credentials>,
    @Req() request: AuthRequest,
    @Res({ passthrough: true }) response: ServerResponse,
  ): Promise<PairView> {
    try {
      return pairView(await this.signIns.logIn(input, deviceOf(request)))
    } catch (error) {
      if (error instanceof RateLimitExceededException) response.setHeader('Retry-After', String(error.retryAfter))
      throw error
    }
  }

  @Post('refresh')
  @HttpCode(200)
  @Header('Cache-Control', 'no-store')
  @ApiOperation({ summary: 'New tokens for a refresh token, which is used once: a second use ends the log-in' })
  @ApiOkResponse({ standardSchema: pairSchema })
  @ApiProblems({ 401: 'The token is not believed, or was used before', 503: 'Nobody knows at the moment' })
  async refresh(@Body({ schema: refreshInput }) input: z.infer<typeof refreshInput>): Promise<PairView> {
    return pairView(await this.signIns.refresh(input.refreshToken))
  }

  @Post('logout')
  @HttpCode(204)
  @SignedIn()
  @ApiOperation({ summary: 'Ends this log-in: its session, its tokens' })
  @ApiNoContentResponse()
  async logOut(@Claims() claims: AccessClaims): Promise<void> {
    await this.signIns.logOut(claims)
  }

  @Post('logout-everywhere')
  @HttpCode(200)
  @SignedIn()
  @ApiOperation({ summary: 'Ends all log-ins of the user' })
  @ApiOkResponse({ standardSchema: endedSchema })
  async logOutEverywhere(@Claims() claims: AccessClaims): Promise<z.infer<typeof endedSchema>> {
    return { ended: await this.signIns.logOutEverywhere(claims) }
  }
}
