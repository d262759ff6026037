import { Controller, Delete, Get, HttpCode, Inject, NotFoundException, Param } from '@nestjs/common'
import { ApiNoContentResponse, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger'
import { ApiProblems } from '@vextrus/service-kit'
import { z } from 'zod'
import { Claims } from '../http/auth-request.js'
import { SignedIn } from '../http/signed-in.guard.js'
import type { AccessClaims } from '../tokens/tokens.js'
import { Users } from '../users/users.js'
import { deviceSchema, type DeviceView, deviceView, userSchema, type UserView, userView } from './sign-in.schemas.js'
import { SignIns } from './sign-ins.js'

const handleParam = z.string().regex(/^[\w-]{43}$/, 'must be a handle of GET /devices')

/** What is about whoever asks. */
@ApiTags('account')
@Controller()
@SignedIn()
export class AccountController {
  constructor(
    @Inject(SignIns) private readonly signIns: SignIns,
    @Inject(Users) private readonly users: Users,
  ) {}

  @Get('me')
  @ApiOperation({ summary: 'The user of the token, as it is now' })
  @ApiOkResponse({ standardSchema: userSchema })
  async me(@Claims() { tenantId, sub }: AccessClaims): Promise<UserView> {
    const user = await this.users.get(tenantId, sub)
    if (user === undefined) throw new NotFoundException('The account is closed')
    return userView(user)
  }

  @Get('devices')
  @ApiOperation({ summary: 'Where the user is logged in, oldest first' })
  @ApiOkResponse({ standardSchema: z.array(deviceSchema) })
  async devices(@Claims() claims: AccessClaims): Promise<DeviceView[]> {
    return (await this.signIns.devices(claims)).map((info) => deviceView(info, claims.sid))
  }

  @Delete('devices/:handle')
  @HttpCode(204)
  @ApiOperation({ summary: 'Ends one of the log-ins of the user, this one or another' })
  @ApiNoContentResponse()
  @ApiProblems({ 404: 'The user is not logged in there' })
  async endDevice(@Claims() claims: AccessClaims, @Param('handle', { schema: handleParam }) handle: string) {
    await this.signIns.endDevice(claims, handle)
  }
}
