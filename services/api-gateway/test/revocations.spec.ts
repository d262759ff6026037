import { JwtBlacklistService } from '@vextrus/shared/jwt'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type RedisServer, startRedis } from '../../../packages/shared/test/support/redis-server.js'
import { patient } from '../../service-kit/test/support/servers.js'
import { type ServiceName, serviceNames } from '../src/proxy/service-names.js'
import { startGateway, type TestGateway, until } from './support/gateway.js'
import { issuer, TestIssuer } from './support/signing.js'
import { TestAuthService } from './support/test-auth-service.js'

const asks = (gateway: TestGateway, token: string, path = '/finance/it') =>
  gateway.send(path, { headers: { authorization: `Bearer ${token}` } })
const claimsOf = (token: string) =>
  JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as {
    jti: string
    exp: number
    sub: string
  }

describe('on one Redis', () => {
  let redis: RedisServer
  let gateway: TestGateway
  let replica: TestGateway
  beforeAll(async () => {
    redis = await startRedis()
    ;[gateway, replica] = [await startGateway({}, patient(redis)), await startGateway({}, patient(redis))]
  })
  afterAll(async () => {
    await gateway?.close()
    await replica?.close()
    await redis?.stop()
  })

  const blacklist = () => gateway.app.get(JwtBlacklistService)

  it.each<[string, (token: string) => Promise<unknown>]>([
    ['by its id', (token) => blacklist().revoke(claimsOf(token))],
    ['as a whole', (token) => blacklist().revokeToken(token)],
    [
      'as one of a user’s',
      (token) => blacklist().revokeAllForUser(claimsOf(token).sub, { tenantId: 'aurora-hardware' }),
    ],
  ])(
    'a token that is revoked %s is refused at once, also by a replica that has just accepted it',
    async (how, revoke) => {
      const [token, other] = [await issuer.sign({ sub: how.replace(/\W/g, '') }), await issuer.sign()]
      // The second one is answered from memory.
      for (const one of [gateway, replica, replica]) expect(await asks(one, token)).toMatchObject({ status: 200 })
      await revoke(token)
      const refused = await asks(gateway, token)
      expect(refused).toMatchObject({ status: 401, body: { detail: 'The token was revoked: log in again' } })
      expect(refused.headers.get('www-authenticate')).toBe('Bearer error="invalid_token"')
      await until('the replica has heard of it', async () => (await asks(replica, token)).status === 401)
      expect(await asks(replica, other)).toMatchObject({ status: 200 })
    },
  )

  it('nobody’s answers are still given to whom a revoked token belonged, as nobody', async () => {
    const token = await issuer.sign()
    await blacklist().revoke(claimsOf(token))
    gateway.upstream.seen.length = 0
    expect(await asks(gateway, token, '/master-data/countries')).toMatchObject({ status: 200 })
    expect(gateway.upstream.seen.map(({ headers }) => headers['x-tenant-id'])).toEqual([undefined])
  })
})

describe('while Redis is away', () => {
  let redis: RedisServer
  const gateways: TestGateway[] = []
  const start = async (whenUnknown: 'refuse' | 'accept') => {
    const gateway = await startGateway({ revocations: { where: 'redis', whenUnknown } }, { url: redis.url })
    gateways.push(gateway)
    return gateway
  }
  beforeEach(async () => {
    redis = await startRedis()
  })
  afterEach(async () => {
    for (const gateway of gateways.splice(0)) await gateway.close()
    await redis?.stop()
  })

  it('a token of which nobody knows is 503, never accepted; what needs none is answered', async () => {
    const gateway = await start('refuse')
    const token = await issuer.sign()
    expect(await asks(gateway, token)).toMatchObject({ status: 200 })
    await redis.stop()
    await until(
      'the memory of the process proves nothing any more',
      async () => (await asks(gateway, token)).status === 503,
    )
    gateway.upstream.seen.length = 0
    for (const each of [token, await issuer.sign()]) {
      const { status, headers, body } = await asks(gateway, each)
      expect([status, body.status, headers.get('retry-after')]).toEqual([503, 503, '5'])
    }
    expect(gateway.upstream.seen).toEqual([])
    expect(await gateway.sendAnonymously('/master-data/countries')).toMatchObject({ status: 200 })
    expect(await gateway.sendAnonymously('/auth/login', { method: 'POST' })).toMatchObject({ status: 200 })
    expect(await asks(gateway, 'no.good.token')).toMatchObject({ status: 401 })
  })

  it('such a token is accepted where that was asked for', async () => {
    const gateway = await start('accept')
    await redis.stop()
    expect(await asks(gateway, await issuer.sign())).toMatchObject({ status: 200 })
  })
})

interface StartOptions {
  readonly whenUnknown?: 'refuse' | 'accept'
  readonly keysPauseMs?: number
}

describe('without a Redis', () => {
  let auth: TestAuthService
  const gateways: TestGateway[] = []
  beforeEach(async () => {
    auth = await TestAuthService.start()
  })
  afterEach(async () => {
    for (const gateway of gateways.splice(0)) await gateway.close()
    await auth?.upstream.stop()
  })
  const start = async ({ whenUnknown = 'refuse', keysPauseMs = 5_000 }: StartOptions = {}) => {
    const behind = await startGateway()
    gateways.push(behind)
    const services = Object.fromEntries(serviceNames.map((name) => [name, behind.upstream.url]))
    const keys = new URL('/.well-known/jwks.json', auth.url)
    const gateway = await startGateway({
      services: { ...(services as Record<ServiceName, URL>), auth: auth.url },
      tokens: { keys, issuer: 'vextrus', audience: 'vextrus-api', keysPauseMs },
      revocations: { where: 'auth-service', whenUnknown },
    })
    gateways.push(gateway)
    return gateway
  }

  it('the auth service is asked for its keys once, and whether a token is revoked each time', async () => {
    const gateway = await start()
    const token = await auth.issuer.sign()
    for (let i = 0; i < 3; i++) expect(await asks(gateway, token)).toMatchObject({ status: 200 })
    expect(auth.asked).toEqual(['/.well-known/jwks.json', '/introspection', '/introspection', '/introspection'])
    auth.revoked.add(token)
    expect(await asks(gateway, token)).toMatchObject({ status: 401 })
    expect(await asks(gateway, await auth.issuer.sign())).toMatchObject({ status: 200 })
  })

  it('a new key is asked for when a token names it, and the one before is believed as long as it is published', async () => {
    const gateway = await start({ keysPauseMs: 0 })
    const old = await auth.issuer.sign()
    expect(await asks(gateway, old)).toMatchObject({ status: 200 })
    auth.issuers.push(new TestIssuer('second'))
    for (const token of [await auth.issuer.sign(), old])
      expect(await asks(gateway, token)).toMatchObject({ status: 200 })
    expect(await asks(gateway, await new TestIssuer('second').sign())).toMatchObject({ status: 401 })
    auth.issuers.shift()
    // It is asked for a key that nobody knows, and so hears of the one that is gone.
    expect(await asks(gateway, await new TestIssuer('third').sign())).toMatchObject({ status: 401 })
    expect(await asks(gateway, old)).toMatchObject({ status: 401 })
  })

  it('keys that nobody knows are not asked for with each token that names one', async () => {
    const gateway = await start({ keysPauseMs: 600_000 })
    for (let i = 0; i < 5; i++) {
      expect(await asks(gateway, await new TestIssuer(`unknown-${i}`).sign())).toMatchObject({ status: 401 })
    }
    expect(auth.asked).toEqual(['/.well-known/jwks.json'])
  })

  it('a token is 503 while it is away and its keys were never had', async () => {
    const gateway = await start()
    const token = await auth.issuer.sign()
    await auth.upstream.stop()
    const withoutKeys = await asks(gateway, token)
    expect([withoutKeys.status, withoutKeys.headers.get('retry-after')]).toEqual([503, '5'])
  })

  it('a token is 503 while it gives no good answer, or is accepted where that was asked for', async () => {
    const [strict, lenient] = [await start(), await start({ whenUnknown: 'accept' })]
    const token = await auth.issuer.sign()
    for (const gateway of [strict, lenient]) expect(await asks(gateway, token)).toMatchObject({ status: 200 })
    auth.upstream.handler = (_request, response) => void response.writeHead(500).end()
    expect(await asks(strict, token)).toMatchObject({ status: 503 })
    expect(await asks(lenient, token)).toMatchObject({ status: 200 })
    await auth.upstream.stop()
    expect(await asks(strict, token)).toMatchObject({ status: 503 })
    expect(await asks(lenient, token)).toMatchObject({ status: 200 })
  })
})

describe('the auth service', () => {
  let gateway: TestGateway
  beforeAll(async () => {
    gateway = await startGateway()
  })
  afterAll(() => gateway?.close())
  beforeEach(() => {
    gateway.upstream.seen.length = 0
  })

  it.each(['/auth/login', '/auth/refresh'])('is reached without a token at %s', async (path) => {
    const init = { method: 'POST', body: '{"name":"ada"}', headers: { 'content-type': 'application/json' } }
    expect(await gateway.sendAnonymously(path, init)).toMatchObject({ status: 200 })
    expect(gateway.upstream.seen).toMatchObject([{ method: 'POST', body: '{"name":"ada"}', url: path.slice(5) }])
    const headers = gateway.upstream.seen[0]?.headers ?? {}
    expect(headers['x-forwarded-for']).toBeDefined()
    for (const name of ['x-tenant-id', 'x-user-id', 'authorization']) expect(headers).not.toHaveProperty(name)
  })

  it('shows its keys to everybody', async () => {
    expect(await gateway.sendAnonymously('/auth/.well-known/jwks.json')).toMatchObject({ status: 200 })
  })

  it.each([
    '/auth/me',
    '/auth/devices',
    '/auth/logout',
    '/auth/login/',
    '/auth/LOGIN',
    '/auth/%6cogin',
    '/auth/login/x',
  ])('is not reached without a token at %s', async (path) => {
    expect(await gateway.sendAnonymously(path, { method: 'POST' })).toMatchObject({ status: 401 })
    expect(gateway.upstream.seen).toEqual([])
  })

  it('gets the token of the caller, and no other service does', async () => {
    const token = await issuer.sign()
    await asks(gateway, token, '/auth/devices')
    await asks(gateway, token, '/finance/invoices')
    expect(gateway.upstream.seen.map(({ headers }) => headers.authorization)).toEqual([`Bearer ${token}`, undefined])
  })

  it('answers clients nothing of what the gateway asks it', async () => {
    for (const path of ['/auth/introspection', '/auth/Introspection', '/auth/health']) {
      expect(await gateway.send(path)).toMatchObject({ status: 404 })
    }
    expect(gateway.upstream.seen).toEqual([])
  })
})
