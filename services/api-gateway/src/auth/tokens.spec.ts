import { createSecretKey, generateKeyPairSync } from 'node:crypto'
import { SignJWT, UnsecuredJWT } from 'jose'
import { describe, expect, it } from 'vitest'
import { InvalidTokenError, Tokens } from './tokens.js'

const KEY = 'a key of the tests, 32 bytes long!'
const tokens = new Tokens({ key: KEY, issuer: 'vextrus', audience: 'vextrus-api' })
const caller = { id: 'ada', tenantId: 'aurora-hardware', roles: ['clerk'] }

/** A token that is good but for what a test changes. */
function signed(
  change: Record<string, unknown> = {},
  { key = KEY, alg = 'HS256' }: { key?: string; alg?: string } = {},
): Promise<string> {
  const now = Math.floor(Date.now() / 1_000)
  const good = { sub: 'ada', tenantId: 'aurora-hardware', iss: 'vextrus', aud: 'vextrus-api', exp: now + 60 }
  return new SignJWT(JSON.parse(JSON.stringify({ ...good, ...change })) as object as Record<string, unknown>)
    .setProtectedHeader({ alg })
    .sign(createSecretKey(Buffer.from(key)))
}

const seconds = (fromNow: number) => Math.floor(Date.now() / 1_000) + fromNow

describe('a token', () => {
  it('says who shows it', async () => {
    expect(await tokens.verify(await tokens.issue(caller, '1h'))).toEqual(caller)
    expect(await tokens.verify(await signed())).toEqual({ ...caller, roles: [] })
    expect(await tokens.verify(await signed({ aud: ['another', 'vextrus-api'], nbf: seconds(-60) }))).toMatchObject({
      id: 'ada',
    })
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
    ['with a name no header can carry', { sub: 'ада' }, /"sub"/],
    ['of no tenant', { tenantId: undefined }, /"tenantId"/],
    ['of two tenants', { tenantId: 'a:b' }, /"tenantId"/],
    ['of all tenants', { tenantId: '*' }, /"tenantId"/],
    ['of a list of tenants', { tenantId: ['aurora-hardware'] }, /"tenantId"/],
    ['with roles that are no list', { roles: 'clerk' }, /"roles"/],
    ['with a role that is two', { roles: ['clerk,admin'] }, /"roles"/],
  ])('%s is not believed', async (_, change, fault) => {
    const verifying = tokens.verify(await signed(change))
    await expect(verifying).rejects.toThrowError(InvalidTokenError)
    await expect(verifying).rejects.toThrowError(fault)
  })

  it('of a clock that is some seconds off is believed', async () => {
    expect(await tokens.verify(await signed({ exp: seconds(-2), nbf: seconds(2) }))).toMatchObject({ id: 'ada' })
  })

  it('that is signed with another key, or another algorithm, or not at all, is not believed', async () => {
    const [header, payload] = (await signed()).split('.')
    const now = Math.floor(Date.now() / 1_000)
    const unsigned = new UnsecuredJWT({ tenantId: 'aurora-hardware' })
      .setSubject('ada')
      .setIssuer('vextrus')
      .setAudience('vextrus-api')
      .setExpirationTime(now + 60)
      .encode()
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const asymmetric = await new SignJWT({
      tenantId: 'aurora-hardware',
      sub: 'ada',
      iss: 'vextrus',
      aud: 'vextrus-api',
    })
      .setProtectedHeader({ alg: 'ES256' })
      .setExpirationTime('1m')
      .sign(privateKey)
    for (const token of [
      await signed({}, { key: 'another key of the tests, 32 bytes' }),
      await signed({}, { alg: 'HS512', key: KEY.repeat(2) }),
      await new SignJWT({ tenantId: 'aurora-hardware', sub: 'ada', iss: 'vextrus', aud: 'vextrus-api' })
        .setProtectedHeader({ alg: 'HS384' })
        .setExpirationTime('1m')
        .sign(createSecretKey(Buffer.from(KEY.repeat(2)))),
      unsigned,
      asymmetric,
      `${header}.${payload}.`,
      `${header}.${Buffer.from('{"sub":"eve"}').toString('base64url')}.${(await signed()).split('.')[2]}`,
      'no token',
      '',
    ]) {
      await expect(tokens.verify(token)).rejects.toThrowError('The token is not valid')
    }
  })
})
