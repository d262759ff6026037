import { createPublicKey, generateKeyPairSync, type KeyObject, randomUUID } from 'node:crypto'
import { exportJWK, type JSONWebKeySet, SignJWT } from 'jose'
import type { Caller } from '../../src/http/gateway-request.js'
import type { TokenOptions } from '../../src/auth/tokens.js'

/** Signs tokens as the auth service does: with a key of the test's own. */
export class TestIssuer {
  readonly key: KeyObject = generateKeyPairSync('ed25519').privateKey

  constructor(readonly kid = 'test') {}

  async published(): Promise<JSONWebKeySet> {
    return { keys: [{ ...(await exportJWK(createPublicKey(this.key))), kid: this.kid, alg: 'EdDSA', use: 'sig' }] }
  }

  /** A token that is good but for what a test changes; a claim that is undefined is left out. */
  sign(
    change: Record<string, unknown> = {},
    { key = this.key, alg = 'EdDSA', typ = 'at+jwt', kid = this.kid }: SignOptions = {},
  ): Promise<string> {
    const iat = Math.floor(Date.now() / 1_000)
    const good = { sub: 'ada', tenantId: 'aurora-hardware', jti: randomUUID(), iat, exp: iat + 3_600, ...ISSUED }
    const claims = JSON.parse(JSON.stringify({ ...good, ...change })) as Record<string, unknown>
    return new SignJWT(claims).setProtectedHeader({ alg, typ, kid }).sign(key)
  }

  tokenOf({ id, tenantId, roles }: Caller): Promise<string> {
    return this.sign({ sub: id, tenantId, roles })
  }
}

interface SignOptions {
  readonly key?: KeyObject
  readonly alg?: string
  readonly typ?: string
  readonly kid?: string
}

const ISSUED = { iss: 'vextrus', aud: 'vextrus-api' }

/** The issuer of all tests that need no other. */
export const issuer = new TestIssuer()
export const tokenOptions: TokenOptions = {
  keys: await issuer.published(),
  issuer: ISSUED.iss,
  audience: ISSUED.aud,
}
