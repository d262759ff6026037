import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { decodeProtectedHeader, SignJWT } from 'jose'
import { beforeAll, describe, expect, it } from 'vitest'
import { SigningKeys } from './signing-keys.js'
import { InvalidTokenError, Tokens } from './tokens.js'

const newKey = (): KeyObject => generateKeyPairSync('ed25519').privateKey
const NAMES = { issuer: 'vextrus', audience: 'vextrus-api' }
const tokensOf = async (signing: KeyObject, earlier: KeyObject[] = [], names = NAMES) =>
  new Tokens(await SigningKeys.from({ signing, earlier }), { tokens: names })

const key = newKey()
let tokens: Tokens
beforeAll(async () => {
  tokens = await tokensOf(key)
})

const now = () => Math.floor(Date.now() / 1_000)
const access = { sub: 'u-1', tenantId: 'a', jti: 'j', fam: 'f', sid: 's', roles: ['clerk'] }
const refresh = { sub: 'u-1', tenantId: 'a', jti: 'j', fam: 'f', session: 'secret' }

describe('a token', () => {
  it('says what was signed, and the key that has signed it', async () => {
    const token = await tokens.signAccess(access, now())
    expect(await tokens.verifyAccess(token)).toMatchObject({ ...access, exp: expect.any(Number) })
    const { published } = await SigningKeys.from({ signing: key, earlier: [] })
    expect(decodeProtectedHeader(token)).toEqual({ alg: 'EdDSA', typ: 'at+jwt', kid: published.keys[0]?.kid })
    const other = await tokens.signRefresh(refresh, now(), now() + 60)
    expect(await tokens.verifyRefresh(other)).toMatchObject({ ...refresh, exp: expect.any(Number) })
  })

  it('of one kind is none of the other', async () => {
    await expect(tokens.verifyRefresh(await tokens.signAccess(access, now()))).rejects.toThrowError(InvalidTokenError)
    const other = await tokens.signRefresh(refresh, now(), now() + 60)
    await expect(tokens.verifyAccess(other)).rejects.toThrowError(InvalidTokenError)
  })

  it('has an end', async () => {
    await expect(tokens.verifyAccess(await tokens.signAccess(access, now() - 1_000))).rejects.toThrowError(
      /has expired/,
    )
    const over = await tokens.signRefresh(refresh, now() - 120, now() - 60)
    await expect(tokens.verifyRefresh(over)).rejects.toThrowError(/has expired/)
  })

  it('of another key, issuer or audience, or that lacks a claim, is not believed', async () => {
    const strange = [
      await (await tokensOf(newKey())).signAccess(access, now()),
      await (await tokensOf(key, [], { ...NAMES, issuer: 'another' })).signAccess(access, now()),
      await (await tokensOf(key, [], { ...NAMES, audience: 'another' })).signAccess(access, now()),
      await new SignJWT({ sub: 'u-1', iss: 'vextrus', aud: 'vextrus-api', exp: now() + 60 })
        .setProtectedHeader({ alg: 'EdDSA', typ: 'at+jwt', kid: 'made up' })
        .sign(key),
      '',
      'a.b.c',
    ]
    for (const token of strange) await expect(tokens.verifyAccess(token)).rejects.toThrowError('The token is not valid')
  })

  it('of an earlier key is believed as long as that is known, and new ones are of the new key', async () => {
    const next = newKey()
    const old = await tokens.signAccess(access, now())
    const both = await tokensOf(next, [key])
    expect(await both.verifyAccess(old)).toMatchObject({ sub: 'u-1' })
    const token = await both.signAccess(access, now())
    expect(await (await tokensOf(next)).verifyAccess(token)).toMatchObject({ sub: 'u-1' })
    await expect((await tokensOf(next)).verifyAccess(old)).rejects.toThrowError(InvalidTokenError)
  })
})

describe('the keys', () => {
  it('are published without what signs, each once, under names that are theirs alone', async () => {
    const { published, kid } = await SigningKeys.from({ signing: key, earlier: [newKey(), key] })
    expect(published.keys).toHaveLength(2)
    expect(published.keys[0]).toEqual({
      kty: 'OKP',
      crv: 'Ed25519',
      x: expect.any(String),
      kid,
      alg: 'EdDSA',
      use: 'sig',
    })
    expect(new Set(published.keys.map((jwk) => jwk.kid)).size).toBe(2)
    for (const jwk of published.keys) expect(jwk).not.toHaveProperty('d')
  })

  it('are made where none is given, each time another', async () => {
    const [one, other] = [await SigningKeys.from({ earlier: [] }), await SigningKeys.from({ earlier: [] })]
    expect(one.kid).not.toBe(other.kid)
  })
})
