import { SignJWT } from 'jose'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { DEVELOPMENT_KEY } from '../src/config.js'
import { bearer, OTHER, startGateway, TENANT, type TestGateway } from './support/gateway.js'

let gateway: TestGateway

beforeAll(async () => {
  gateway = await startGateway()
})
afterAll(() => gateway?.close())
beforeEach(() => void (gateway.upstream.seen.length = 0))

const tokenOf = (claims: Record<string, unknown>, key = DEVELOPMENT_KEY) =>
  new SignJWT({ iss: 'vextrus', aud: 'vextrus-api', sub: 'eve', tenantId: TENANT, ...claims })
    .setProtectedHeader({ alg: 'HS256' })
    .setExpirationTime('1m')
    .sign(Buffer.from(key))

const PROTECTED = [
  '/me',
  '/me/flags/new-checkout',
  '/master-data/products/1',
  '/master-data/customers',
  '/finance/invoices',
]

describe('without a token', () => {
  it.each(PROTECTED)('GET %s is 401, and says what is missing', async (path) => {
    const { status, headers, body } = await gateway.sendAnonymously(path)
    expect([status, body.title]).toEqual([401, 'Unauthorized'])
    expect(headers.get('content-type')).toMatch('application/problem+json')
    expect(headers.get('www-authenticate')).toBe('Bearer')
    expect(gateway.upstream.seen).toEqual([])
  })

  it.each(['/master-data/countries', '/master-data/countries/BD', '/master-data/currencies', '/master-data/tax-codes'])(
    'GET %s is answered, as nobody’s',
    async (path) => {
      expect(await gateway.sendAnonymously(path)).toMatchObject({ status: 200 })
      const [{ headers, url } = { headers: {}, url: '' }] = gateway.upstream.seen
      expect(`/master-data${url}`).toBe(path)
      for (const name of ['x-tenant-id', 'x-user-id', 'authorization']) expect(headers).not.toHaveProperty(name)
    },
  )

  it('the gateway’s health is answered', async () => {
    expect(await gateway.sendAnonymously('/health')).toMatchObject({ status: 200, body: { status: 'ok' } })
    expect((await gateway.sendAnonymously('/health/cache')).body).toMatchObject({ hits: expect.any(Number) })
  })

  it('nobody writes what everybody reads', async () => {
    expect(await gateway.sendAnonymously('/master-data/countries', { method: 'POST' })).toMatchObject({ status: 401 })
    expect(gateway.upstream.seen).toEqual([])
  })
})

describe('with a token that is not believed', () => {
  it.each<[string, () => Promise<string> | string]>([
    ['of another key', async () => `Bearer ${await tokenOf({}, 'another key of the tests, 32 bytes')}`],
    ['of another tenant than one', async () => `Bearer ${await tokenOf({ tenantId: `${TENANT}:${OTHER}` })}`],
    ['that is not good yet', async () => `Bearer ${await tokenOf({ nbf: 9_999_999_999 })}`],
    ['that is none', () => 'Bearer nonsense'],
    ['of another scheme', () => 'Basic YWRhOmFkYQ=='],
    ['that is empty', () => 'Bearer'],
  ])('%s, everything is 401', async (_, make) => {
    const authorization = await make()
    for (const path of PROTECTED) {
      const { status, headers, body } = await gateway.sendAnonymously(path, { headers: { authorization } })
      expect([status, body.title]).toEqual([401, 'Unauthorized'])
      expect(headers.get('www-authenticate')).toBe('Bearer error="invalid_token"')
      expect(JSON.stringify(body)).not.toContain(authorization.slice(7) || 'no token')
    }
    expect(gateway.upstream.seen).toEqual([])
  })
})

it('with a token, the gateway says for whom it takes its sender', async () => {
  expect((await gateway.send('/me', { headers: await bearer('bob', 'dhaka-builders') })).body).toEqual({
    id: 'bob',
    tenantId: 'dhaka-builders',
    roles: ['clerk'],
    plan: 'free',
  })
  expect((await gateway.send('/me')).body).toMatchObject({ id: 'ada', tenantId: TENANT, plan: 'enterprise' })
})

describe('a token for whoever asks', () => {
  it('is good for the user and tenant that were asked for', async () => {
    const asked = await gateway.sendAnonymously(`/demo/token?user=eve&tenant=${OTHER}`)
    expect(asked).toMatchObject({ status: 200, body: { expiresIn: '1h' } })
    expect(asked.headers.get('cache-control')).toBe('no-store')
    const headers = { authorization: `Bearer ${asked.body.token}` }
    expect((await gateway.send('/me', { headers })).body).toMatchObject({ id: 'eve', tenantId: OTHER })
  })

  it.each(['tenant=a:b', 'tenant=', 'user=', 'user=a%0ab'])('of %s is refused', async (query) => {
    expect(await gateway.sendAnonymously(`/demo/token?${query}`)).toMatchObject({ status: 400 })
  })

  it('is not to be had where the key is not everybody’s', async () => {
    const real = await startGateway({
      isDemo: false,
      tokens: { key: 'a key of our own, of 32 bytes or more', issuer: 'vextrus', audience: 'vextrus-api' },
    })
    try {
      expect(await real.sendAnonymously('/demo/token')).toMatchObject({ status: 404 })
      // Signed with the development key.
      expect(await real.send('/me')).toMatchObject({ status: 401 })
    } finally {
      await real.close()
    }
  })
})
