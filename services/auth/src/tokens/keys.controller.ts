import { Controller, Get, Header, HttpCode, Inject } from '@nestjs/common'
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger'
import type { JSONWebKeySet } from 'jose'
import { z } from 'zod'
import { SignedIn } from '../http/signed-in.guard.js'
import { SigningKeys } from './signing-keys.js'

/** What others believe tokens by. */
@ApiTags('tokens')
@Controller()
export class KeysController {
  constructor(@Inject(SigningKeys) private readonly keys: SigningKeys) {}

  @Get('.well-known/jwks.json')
  @Header('Cache-Control', 'public, max-age=300')
  @ApiOperation({ summary: 'The public keys (RFC 7517); a token names its own by `kid`' })
  @ApiOkResponse({ standardSchema: z.object({ keys: z.array(z.looseObject({ kid: z.string(), kty: z.string() })) }) })
  published(): JSONWebKeySet {
    return this.keys.published
  }

  /** For a gateway without a Redis that it could ask itself. The guards have the say. */
  @Get('introspection')
  @SignedIn()
  @HttpCode(204)
  @Header('Cache-Control', 'no-store')
  @ApiOperation({ summary: 'Whether the token of the request is believed: 204, else 401; for the gateway' })
  introspect(): void {}
}
