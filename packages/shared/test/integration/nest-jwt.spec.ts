import {
  type CanActivate,
  Controller,
  type ExecutionContext,
  Get,
  type INestApplication,
  Logger,
  SetMetadata,
} from '@nestjs/common'
import { APP_GUARD } from '@nestjs/core'
import { Test } from '@nestjs/testing'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { JwtBlacklistGuard, JwtBlacklistService, type JwtOptions } from '../../src/jwt/index.js'
import { RedisCacheModule, type RedisCacheModuleOptions } from '../../src/module/cache-entry.js'
import { httpApp, type Platform } from '../support/limited-app.js'
import { type RedisServer, startRedis } from '../support/redis-server.js'
import { waitFor } from '../support/wait-for.js'

/** Stands for the guard that verifies: the “token” is a `jti`. */
const verifying: CanActivate = {
  canActivate(context: ExecutionContext): boolean {
    const request = context.switchToHttp().getRequest<{ headers: Record<string, string>; user?: unknown }>()
    const [, jti] = request.headers['authorization']?.split(' ') ?? []
    if (jti !== undefined) request.user = { jti, sub: 'ann', iat: 1 }
    return true
  },
}

@Controller()
class Orders {
  @Get('orders')
  list(): string {
    return 'orders'
  }
  @Get('login')
  @SetMetadata('isPublic', true)
  login(): string {
    return 'login'
  }
}

const apps: INestApplication[] = []

interface Gateway {
  readonly app: INestApplication
  /** The status of a request with this token. */
  get(path: string, jti?: string): Promise<Response>
}

/** Nothing injects the blacklist but the guard. */
async function gateway(options: RedisCacheModuleOptions, platform: Platform): Promise<Gateway> {
  const module = await Test.createTestingModule({
    imports: [RedisCacheModule.forRoot(options)],
    controllers: [Orders],
    providers: [
      { provide: APP_GUARD, useValue: verifying },
      { provide: APP_GUARD, useClass: JwtBlacklistGuard },
    ],
  }).compile()
  const app = httpApp(module, platform)
  apps.push(app)
  await app.listen(0, '127.0.0.1')
  const url = await app.getUrl()
  const headers = (jti?: string): Record<string, string> =>
    jti === undefined ? {} : { authorization: `Bearer ${jti}` }
  return { app, get: (path, jti) => fetch(`${url}/${path}`, { headers: headers(jti) }) }
}

const jwt: JwtOptions = { isPublic: 'isPublic' }

beforeEach(() => {
  for (const level of ['log', 'warn'] as const) vi.spyOn(Logger.prototype, level).mockImplementation(() => undefined)
})
afterEach(async () => {
  await Promise.all(apps.splice(0).map((app) => app.close()))
  vi.restoreAllMocks()
})

describe('two gateways of an application, on one Redis', () => {
  let server: RedisServer
  beforeAll(async () => {
    server = await startRedis()
  })
  afterAll(() => server.stop())

  it('refuse a token that was revoked at one of them; and say so when Redis is away', async () => {
    const options = { url: server.url, jwt, commandTimeout: '1s', l1: { staleness: '500ms' } }
    const [one, other] = [await gateway(options, 'Express'), await gateway(options, 'Fastify')]
    const statuses = async (jti?: string): Promise<number[]> =>
      Promise.all([one, other].map(async ({ get }) => (await get('orders', jti)).status))
    expect([await statuses('a'), await statuses('b'), await statuses()]).toEqual([
      [200, 200],
      [200, 200],
      [401, 401],
    ])
    await one.app.get(JwtBlacklistService).revoke({ jti: 'a' })
    await waitFor('all to refuse it', async () => (await statuses('a')).every((status) => status === 401))
    expect([await statuses('b'), (await other.get('login')).status]).toEqual([[200, 200], 200])
    await server.kill()
    await waitFor('nobody to know', async () => (await statuses('b')).every((status) => status === 503))
    for (const { get } of [one, other]) {
      const undecided = await get('orders', 'b')
      expect([undecided.status, undecided.headers.get('retry-after')]).toEqual([503, '5'])
      expect(await undecided.json()).toMatchObject({ code: 'JWT_UNAVAILABLE' })
      expect([(await get('orders')).status, (await get('login')).status]).toEqual([401, 200])
    }
  })
})

it('a gateway in memory knows its own revocations', async () => {
  const { app, get } = await gateway({ driver: 'memory', jwt }, 'Express')
  expect((await get('orders', 'a')).status).toBe(200)
  await app.get(JwtBlacklistService).revokeAllForUser('ann')
  expect([(await get('orders', 'a')).status, (await get('login')).status]).toEqual([401, 200])
})
