// Sessions, revoked tokens and messages of Nest applications with Redis: what they open, what they share, and how they end.
import { Controller, Injectable, Logger, Module, type OnModuleDestroy, type Type, UseGuards } from '@nestjs/common'
import { Test } from '@nestjs/testing'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { JwtBlacklistService, JwtUnavailableError, RefreshTokenFamilies } from '../../src/jwt/index.js'
import { RedisLockService } from '../../src/lock/index.js'
import {
  RedisCacheModule,
  type RedisCacheModuleOptions,
  RedisCacheService,
  RedisConnection,
  RedisUnavailableError,
} from '../../src/module/cache-entry.js'
import { OnMessage, PubSubUnavailableError, RedisPubSubService } from '../../src/pubsub/index.js'
import { SessionGuard, SessionService, SessionUnavailableError } from '../../src/session/index.js'
import { freePort, type RedisServer, startRedis } from '../support/redis-server.js'
import { waitFor } from '../support/wait-for.js'

/** A module in which something injects these services. */
function injecting(...services: Type[]): Type {
  class Consumer {
    constructor(readonly service: unknown) {}
  }
  Injectable()(Consumer)
  Reflect.defineMetadata('design:paramtypes', services, Consumer)
  class ConsumerModule {}
  Module({ providers: [Consumer] })(ConsumerModule)
  return ConsumerModule
}

const ALL = injecting(SessionService, JwtBlacklistService, RefreshTokenFamilies, RedisPubSubService)

@Injectable()
class Orders {
  readonly heard: unknown[] = []
  @OnMessage('orders:*')
  changed(event: unknown): void {
    this.heard.push(event)
  }
}
@Module({ providers: [Orders] })
class ListeningModule {}

@Controller()
@UseGuards(SessionGuard)
class Carts {}
@Module({ controllers: [Carts] })
class GuardedModule {}

let logged: string[]
const apps: { close(): Promise<void> }[] = []

async function boot(...imports: NonNullable<Parameters<typeof Test.createTestingModule>[0]['imports']>) {
  const app = await Test.createTestingModule({ imports }).compile()
  apps.push(app)
  return app.init()
}

const root = (options: RedisCacheModuleOptions & { name?: string }) => RedisCacheModule.forRoot(options)

const closeAll = async (): Promise<void> => {
  for (const app of apps.splice(0)) await app.close()
}

/** The names of the connections that this server has, without the one that asks. */
async function connections(server: RedisServer): Promise<string[]> {
  const list = String(await server.command('CLIENT', 'LIST'))
    .trim()
    .split('\n')
  return list.filter((line) => !line.includes('cmd=client')).map((line) => / name=(\S*)/.exec(line)?.[1] ?? '')
}

const sockets = () => process.getActiveResourcesInfo().filter((name) => /TCP|Timeout/.test(name)).length

/** In the year 2100. */
const exp = 4_102_444_800

beforeEach(() => {
  logged = []
  vi.spyOn(Logger.prototype, 'warn').mockImplementation((message: string) => void logged.push(message))
})
afterEach(async () => {
  await closeAll()
  vi.restoreAllMocks()
})

describe('sessions, revoked tokens and messages of an application with Redis', () => {
  let server: RedisServer
  let at: RedisCacheModuleOptions
  beforeAll(async () => {
    server = await startRedis()
    at = { host: server.host, port: server.port, commandTimeout: '10s' }
  })
  beforeEach(() => waitFor('the end of what ran before', async () => (await connections(server)).length === 0))
  afterAll(() => server.stop())

  const DATA = expect.stringMatching(/^(?!vextrus-(tracking|messages))/)

  it.each<[string, Type, RedisCacheModuleOptions, unknown[]]>([
    ['SessionService', injecting(SessionService), {}, [DATA]],
    ['@UseGuards(SessionGuard)', GuardedModule, {}, [DATA]],
    ['JwtBlacklistService', injecting(JwtBlacklistService), {}, [DATA, 'vextrus-tracking']],
    ['JwtBlacklistService that keeps no answers', injecting(JwtBlacklistService), { jwt: { near: false } }, [DATA]],
    // Who only publishes needs no connection to listen on.
    ['RedisPubSubService', injecting(RedisPubSubService), {}, [DATA]],
    ['@OnMessage', ListeningModule, {}, [DATA, 'vextrus-messages']],
  ])(
    'are connected before it serves where something injects or needs them: %s',
    async (_, module, options, expected) => {
      const app = await boot(root({ ...at, ...options }), module)
      expect(app.get(RedisConnection).status).toBe('ready')
      await waitFor('the connections', async () => (await connections(server)).length >= expected.length)
      const open = await connections(server)
      expect(open).toHaveLength(expected.length)
      expect(open).toEqual(expect.arrayContaining(expected))
      expect(logged).toEqual([])
    },
  )

  it('open no connection that nobody injects, and connect at the first call otherwise', async () => {
    const app = await boot(root(at))
    expect(app.get(RedisConnection).status).toBe('idle')
    expect(await connections(server)).toEqual([])
    const [sessions, blacklist] = [app.get(SessionService), app.get(JwtBlacklistService)]
    expect(await sessions.get((await sessions.create('late', { n: 1 })).id)).toMatchObject({ data: { n: 1 } })
    expect(await blacklist.isRevoked({ jti: 'late' })).toBe(false)
    const heard: unknown[] = []
    await app.get(RedisPubSubService).subscribe('late', (message) => void heard.push(message))
    await app.get(RedisPubSubService).publish('late', 1)
    await waitFor('the message', () => heard.length === 1)
  })

  it('are shared with other applications, which hear of each other', async () => {
    const [one, two] = [await boot(root(at), ALL), await boot(root(at), ALL, ListeningModule)]
    const { id } = await one.get(SessionService).create('u1', { n: 1 }, { tenantId: 't1' })
    expect(await two.get(SessionService).get(id)).toMatchObject({ userId: 'u1', data: { n: 1 } })

    const asked = () => two.get(JwtBlacklistService).isRevoked({ jti: 'a', fam: 'f1' })
    expect(await asked()).toBe(false)
    await one.get(JwtBlacklistService).revoke({ jti: 'a', exp })
    await waitFor('the revocation', asked)
    await one.get(RefreshTokenFamilies).begin('f2', 'r1')
    expect(await two.get(RefreshTokenFamilies).rotate('f2', 'r1', 'r2')).toMatchObject({ outcome: 'rotated' })

    await one.get(RedisPubSubService).publish('orders:t1', { id: 1 })
    await waitFor('the message', () => two.get(Orders).heard.length === 1)

    const cart = two.get(RedisCacheService).forTenant('t1').forUser('u1')
    await cart.set('cart', 1)
    expect(await one.get(SessionService).destroyAllForUser('u1')).toBe(1)
    expect(await two.get(SessionService).get(id)).toBeNull()
    await waitFor('the end of what was cached', async () => !(await cart.has('cart')))
  })

  it('live on the connections that `use` names, under their prefix, and open no other', async () => {
    const kept = await startRedis()
    try {
      const elsewhere = { host: kept.host, port: kept.port, commandTimeout: '10s', keyPrefix: 'kept:' } as const
      const use = { session: 'kept', jwt: 'kept', pubsub: 'kept' }
      const app = await boot(root({ ...at, use }), root({ ...elsewhere, name: 'kept' }), ALL, ListeningModule)
      expect(app.get(RedisConnection).status).toBe('idle')
      await app.get(SessionService).create('u1', {})
      await app.get(JwtBlacklistService).revoke({ jti: 'a', exp })
      await app.get(RedisPubSubService).publish('orders:t1', 1, { durable: true })
      await waitFor('the message', () => app.get(Orders).heard.length === 1)
      const [, keys] = (await kept.command('SCAN', '0', 'COUNT', '1000')) as [string, string[]]
      expect(new Set(keys.map((key) => key.split(':')[0]))).toEqual(
        new Set(['kept@session', 'kept@jwt', 'kept@stream']),
      )
      expect(await connections(server)).toEqual([])
    } finally {
      await closeAll()
      await kept.stop()
    }
  })

  it('serve every onModuleDestroy, and then leave nothing open, also for who comes too late', async () => {
    const seen: unknown[] = []

    @Injectable()
    class Late implements OnModuleDestroy {
      constructor(
        private readonly sessions: SessionService,
        private readonly blacklist: JwtBlacklistService,
        private readonly messages: RedisPubSubService,
      ) {}
      async onModuleDestroy(): Promise<void> {
        seen.push((await this.sessions.create('u1', {})).userId)
        seen.push(await this.blacklist.isRevoked({ jti: 'destroy' }))
        seen.push(await this.messages.publish('orders:late', 'last words'))
      }
    }
    @Module({ providers: [Late] })
    class LateModule {}

    const before = sockets()
    const app = await boot(root(at), LateModule, ListeningModule)
    await app.get(RedisPubSubService).publish('orders:t1', 1)
    await waitFor('the message', () => app.get(Orders).heard.length === 1)
    const [sessions, messages] = [app.get(SessionService), app.get(RedisPubSubService)]
    await closeAll()
    expect(seen).toEqual(['u1', false, { fresh: true }])
    await expect(sessions.create('u1', {})).rejects.toThrow(SessionUnavailableError)
    await expect(messages.publish('a', 1)).rejects.toThrow(PubSubUnavailableError)
    await waitFor('no socket and no timer of ours', () => sockets() <= before)
    expect(await connections(server)).toEqual([])
  })
})

describe('sessions, revoked tokens and messages on a server that evicts', () => {
  let server: RedisServer
  let at: RedisCacheModuleOptions
  beforeAll(async () => {
    server = await startRedis({ args: ['--maxmemory-policy', 'allkeys-lru'] })
    at = { host: server.host, port: server.port, commandTimeout: '10s' }
  })
  afterAll(() => server.stop())

  it.each([
    ['sessions', SessionService, /^sessions live on .*allkeys-lru.*ends sessions.*use: \{ session: 'sessions' \}/],
    [
      'revoked tokens',
      JwtBlacklistService,
      /^revoked tokens live on .*accepts tokens that were revoked.*use: \{ jwt: 'tokens' \}/,
    ],
    ['messages', RedisPubSubService, /^durable messages live on .*forgets messages.*use: \{ pubsub: 'messages' \}/],
  ])('are warned of at boot: %s', async (_, service, text) => {
    await boot(root(at), injecting(service))
    expect(logged).toEqual([expect.stringMatching(text)])
  })

  it('are warned of once, all together', async () => {
    await boot(root(at), ALL, injecting(RedisLockService))
    expect(logged).toEqual([
      expect.stringMatching(
        /^sessions, revoked tokens, durable messages, and locks live on .*use: \{ session: 'kept', jwt: 'kept', pubsub: 'kept', lock: 'kept' \}/,
      ),
    ])
  })
})

describe('sessions, revoked tokens and messages of an application without Redis', () => {
  it('boot, say that nobody knows, and work when it is there', async () => {
    const port = await freePort()
    const app = await boot(root({ host: '127.0.0.1', port }), ALL, ListeningModule)
    const [sessions, blacklist, messages] = [
      app.get(SessionService),
      app.get(JwtBlacklistService),
      app.get(RedisPubSubService),
    ]
    await expect(sessions.create('u1', {})).rejects.toThrow(SessionUnavailableError)
    await expect(blacklist.isRevoked({ jti: 'a' })).rejects.toThrow(JwtUnavailableError)
    await expect(messages.publish('orders:t1', 1)).rejects.toThrow(PubSubUnavailableError)
    const server = await startRedis({ port })
    try {
      await waitFor('@OnMessage', async () => {
        await messages.publish('orders:t1', 'heard').catch(() => undefined)
        return app.get(Orders).heard.length > 0
      })
      await waitFor('the sessions', () => sessions.create('u1', {}).then(Boolean, () => false))
      expect(await blacklist.isRevoked({ jti: 'a' })).toBe(false)
      const handlers = logged.filter((line) => /@OnMessage Orders\.changed hears nothing yet/.test(line))
      expect(handlers.length).toBeLessThanOrEqual(1)
    } finally {
      await closeAll()
      await server.stop()
    }
  })

  it('do not boot when Redis is required, and leave nothing open', async () => {
    const before = sockets()
    const options = { host: '127.0.0.1', port: await freePort(), required: true }
    await expect(boot(root(options), ALL, ListeningModule)).rejects.toThrow(RedisUnavailableError)
    await waitFor('no socket and no timer of ours', () => sockets() <= before)
  })
})
