import { createSecretKey, generateKeyPairSync } from 'node:crypto'
import { UnsecuredJWT } from 'jose'
import { describe, expect, it } from 'vitest'
import { issuer, TestIssuer, tokenOptions } from '../../test/support/signing.js'
import { InvalidTokenError, Tokens } from './tokens.js'

const tokens = new Tokens(tokenOptions)
const caller = { id: 'ada', tenantId: 'aurora-hardware', roles: ['clerk'] }

const seconds = (fromNow: number) => Math.floor(Date.now() / 1_000) + fromNow

describe('a token', () => {
  it('says who shows it, and what it can be revoked by', async () => {
    expect(await tokens.verify(await issuer.tokenOf(caller))).toEqual({
      caller,
      claims: expect.objectContaining({ sub: 'ada', jti: expect.any(String), iat: expect.any(Number) }),
    })
    expect(await tokens.verify(await issuer.sign())).toMatchObject({ caller: { ...caller, roles: [] } })
    const sign = issuer.sign({ aud: ['another', 'vextrus-api'], nbf: seconds(-60) })
    expect(await tokens.verify(await sign)).toMatchObject({ caller: { id: 'ada' } })
  })

  it.each<[string, Record<string, unknown>, RegExp]>([
    ['that has expired', { exp: seconds(-60) }, /has expired/],
    ['that never expires', { exp: undefined }, /"exp"/],
    ['that is not good yet', { nbf: seconds(60) }, /"nbf"/],
    ['of another issuer', { iss: 'another' }, /"iss"/],
    ['of no issuer', { iss: undefined }, /"iss"/],
    ['for another audience', { aud: 'another' }, /"aud"/],
    ['for nobody', { aud: undefined }, /"aud"/],
    ['of nobody', { sub: undefined }, /"sub"/],
    ['of somebody without a name', { sub: '' }, /"sub"/],
    ['with a line break in the name', { sub: 'ada\r\nx-tenant-id: b' }, /"sub"/],
    ['with a name no header can carry', { sub: 'adä' }, /"sub"/],
    ['of no tenant', { tenantId: undefined }, /"tenantId"/],
    ['of two tenants', { tenantId: 'a:b' }, /"tenantId"/],
    ['of all tenants', { tenantId: '*' }, /"tenantId"/],
    ['of a list of tenants', { tenantId: ['aurora-hardware'] }, /"tenantId"/],
    ['with roles that are no list', { roles: 'clerk' }, /"roles"/],
    ['with a role that is two', { roles: ['clerk,admin'] }, /"roles"/],
  ])('%s is not believed', async (_, change, fault) => {
    const verifying = tokens.verify(await issuer.sign(change))
    await expect(verifying).rejects.toThrowError(InvalidTokenError)
    await expect(verifying).rejects.toThrowError(fault)
  })

  it('of another kind is not believed, though the same key has signed it', async () => {
    await expect(tokens.verify(await issuer.sign({}, { typ: 'rt+jwt' }))).rejects.toThrowError(/"typ"/)
    await expect(tokens.verify(await issuer.sign({}, { typ: 'JWT' }))).rejects.toThrowError(/"typ"/)
  })

  it('of a clock that is some seconds off is believed', async () => {
    const sign = issuer.sign({ exp: seconds(-2), nbf: seconds(2) })
    expect(await tokens.verify(await sign)).toMatchObject({ caller: { id: 'ada' } })
  })

  it('that is signed with another key, or another algorithm, or not at all, is not believed', async () => {
    const good = await issuer.sign()
    const [header, payload, signature] = good.split('.')
    const { keys } = await issuer.published()
    const unsigned = new UnsecuredJWT({ tenantId: 'aurora-hardware', sub: 'ada', iss: 'vextrus', aud: 'vextrus-api' })
    for (const token of [
      await new TestIssuer().sign(),
      await issuer.sign({}, { kid: 'another' }),
      // The public key, which everybody has, as if it were a secret.
      await issuer.sign({}, { alg: 'HS256', key: createSecretKey(Buffer.from(JSON.stringify(keys[0]))) }),
      await issuer.sign({}, { alg: 'HS256', key: createSecretKey(Buffer.from(keys[0]?.x ?? '', 'base64url')) }),
      await issuer.sign({}, { alg: 'ES256', key: generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey }),
      unsigned.setExpirationTime('1m').encode(),
      `${header}.${payload}.`,
      `${header}.${Buffer.from('{"sub":"eve"}').toString('base64url')}.${signature}`,
      'no token',
      '',
    ]) {
      await expect(tokens.verify(token)).rejects.toThrowError('The token is not valid')
    }
  })
})
