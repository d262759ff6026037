import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { bearer, OTHER, startGateway, TENANT, type TestGateway } from './support/gateway.js'
import { issuer, TestIssuer } from './support/signing.js'

let gateway: TestGateway

beforeAll(async () => {
  gateway = await startGateway()
})
afterAll(() => gateway?.close())
beforeEach(() => void (gateway.upstream.seen.length = 0))

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
    ['of another key', async () => `Bearer ${await new TestIssuer().sign()}`],
    ['of another tenant than one', async () => `Bearer ${await issuer.sign({ tenantId: `${TENANT}:${OTHER}` })}`],
    ['that is not good yet', async () => `Bearer ${await issuer.sign({ nbf: 9_999_999_999 })}`],
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
