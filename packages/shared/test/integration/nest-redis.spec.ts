import { Injectable, Logger, Module, type OnModuleDestroy } from '@nestjs/common'
import { Test } from '@nestjs/testing'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import {
  Cacheable,
  CacheEvict,
  CachePattern,
  CachePut,
  CacheService,
  CacheUnavailableError,
  InjectVextrus,
  RedisCacheModule,
  type RedisCacheModuleOptions,
  RedisCacheService,
  RedisConnection,
  RedisUnavailableError,
} from '../../src/module/cache-entry.js'
import { freePort, type RedisServer, startRedis } from '../support/redis-server.js'
import { waitFor } from '../support/wait-for.js'

@Injectable()
class Customers {
  names: Record<string, string> = { 1: 'Ann' }
  calls = 0

  @Cacheable({ keyGenerator: (id: string) => `customer:${id}` })
  async find(id: string): Promise<string | undefined> {
    this.calls++
    return this.names[id]
  }

  @CachePut({ keyGenerator: (id: string) => `customer:${id}` })
  async rename(id: string, name: string): Promise<string> {
    this.calls++
    return (this.names[id] = name)
  }

  @CacheEvict({ keyGenerator: (id: string) => `customer:${id}` })
  async remove(id: string): Promise<boolean> {
    this.calls++
    return delete this.names[id]
  }
}

@Module({ providers: [Customers], exports: [Customers] })
class CustomersModule {}

let logged: string[]
const apps: { close(): Promise<void> }[] = []

async function boot(options: RedisCacheModuleOptions, ...others: object[]) {
  const imports = [RedisCacheModule.forRoot(options), ...(others as never[])]
  const app = await Test.createTestingModule({ imports }).compile()
  await app.init()
  apps.push(app)
  return app
}

/** How many connections this server has, without the one that asks. */
async function connections(server: RedisServer): Promise<number> {
  const list = String(await server.command('CLIENT', 'LIST'))
  return list.trim().split('\n').length - 1
}

/** How many it has ever taken. */
async function accepted(server: RedisServer): Promise<number> {
  const [, count] = /total_connections_received:(\d+)/.exec(String(await server.command('INFO', 'stats'))) ?? []
  return Number(count)
}

const sockets = () => process.getActiveResourcesInfo().filter((name) => /TCP|Timeout/.test(name)).length

beforeEach(() => {
  logged = []
  vi.spyOn(Logger.prototype, 'warn').mockImplementation((message: string) => void logged.push(message))
  vi.spyOn(Logger.prototype, 'error').mockImplementation((message: string) => void logged.push(message))
})

afterEach(async () => {
  for (const app of apps.splice(0)) await app.close()
  vi.restoreAllMocks()
})

describe('an application with Redis', () => {
  let server: RedisServer
  let at: RedisCacheModuleOptions
  beforeAll(async () => {
    server = await startRedis()
    // The boot waits for Redis as long as a command does; on a busy machine half a second may be too short to see it connect.
    at = { host: server.host, port: server.port, commandTimeout: '10s' }
  })
  afterAll(() => server.stop())

  it('is connected before it serves, for data and for pushes', async () => {
    const app = await boot(at, CustomersModule)
    const connection = app.get(RedisConnection)
    expect(connection.status).toBe('ready')
    expect(connection.client?.status).toBe('ready')
    await waitFor('both connections', async () => (await connections(server)) === 2)
    expect(logged).toEqual([])
  })

  it('opens no connection that nobody injects', async () => {
    const before = await accepted(server)
    const app = await boot(at, RedisCacheModule.forRoot({ ...at, name: 'unused' }))
    expect(app.get(RedisConnection).status).toBe('idle')
    expect(await accepted(server)).toBe(before)
  })

  it('opens the connection that something injects, and no other', async () => {
    @Injectable()
    class Reports {
      constructor(@InjectVextrus(CacheService, 'reports') readonly cache: CacheService) {}
    }
    @Module({ providers: [Reports] })
    class ReportsModule {}
    const app = await boot(at, RedisCacheModule.forRoot({ ...at, name: 'reports' }), ReportsModule)
    expect(app.get(RedisConnection).status).toBe('idle')
    expect(app.get<RedisConnection>('RedisConnection@reports').status).toBe('ready')
  })

  it('opens one connection for who wants the connection alone', async () => {
    @Injectable()
    class Raw {
      constructor(readonly connection: RedisConnection) {}
    }
    @Module({ providers: [Raw] })
    class RawModule {}
    const before = await accepted(server)
    const app = await boot(at, RawModule)
    expect(app.get(Raw).connection.status).toBe('ready')
    expect(await accepted(server)).toBe(before + 1)
  })

  it('connects at the first command when the cache is fetched and not injected', async () => {
    const app = await boot(at)
    const cache = app.get(RedisCacheService)
    await cache.set('late:1', 'stored')
    expect(await cache.get('late:1')).toBe('stored')
    expect(cache.getStatistics().errors).toBe(0)

    const other = await boot(at)
    expect(await other.get(RedisCacheService).get('late:1')).toBe('stored')
  })

  it('serves the factories of other providers, before any hook has run', async () => {
    await server.command('DEL', 'vextrus:warm:1')
    @Module({
      providers: [
        {
          provide: 'WARM',
          useFactory: (cache: RedisCacheService) => cache.getOrSet('warm:1', async () => 'loaded'),
          inject: [RedisCacheService],
        },
      ],
    })
    class WarmModule {}
    const app = await boot(at, WarmModule)
    expect(app.get('WARM')).toBe('loaded')
    await waitFor('the fill', () => app.get(RedisCacheService).has('warm:1'))
  })

  it('shares entries and evictions with the other applications, by keys as they were written', async () => {
    const [one, two] = [await boot(at, CustomersModule), await boot(at, CustomersModule)]
    await one.get(Customers).rename('1', 'Anna')
    expect(await two.get(Customers).find('1')).toBe('Anna')
    expect(two.get(Customers).calls).toBe(0)
    expect(String(await server.command('GET', 'vextrus:customer:1'))).toContain('"Anna"')
    await two.get(Customers).remove('1')
    // L1 of another process may be a push behind (P2).
    await waitFor('the eviction', async () => !(await one.get(RedisCacheService).has('customer:1')))
  })

  it('serves every onModuleDestroy, and then leaves nothing open', async () => {
    const seen: unknown[] = []
    @Injectable()
    class Late implements OnModuleDestroy {
      constructor(private readonly cache: RedisCacheService) {}
      async onModuleDestroy(): Promise<void> {
        await this.cache.set('late:2', 'at the end')
        seen.push(await this.cache.get('late:2'))
      }
    }
    @Module({ providers: [Late] })
    class LateModule {}

    await waitFor('the end of what ran before', async () => (await connections(server)) === 0)
    const before = sockets()
    const app = await boot({ ...at, required: true }, LateModule, CustomersModule)
    const connection = app.get(RedisConnection)
    await waitFor('both connections', async () => (await connections(server)) === 2)
    await app.close()
    apps.pop()
    expect(seen).toEqual(['at the end'])
    expect(connection.status).toBe('closed')
    await waitFor('no connection', async () => (await connections(server)) === 0)
    await waitFor('no socket and no timer of ours', () => sockets() <= before)
  })

  it('may be compiled and closed without ever being initialised', async () => {
    const imports = [RedisCacheModule.forRoot(at)]
    const app = await Test.createTestingModule({ imports }).compile()
    await app.get(RedisCacheService).set('k', 1)
    expect(await app.get(RedisCacheService).get('k')).toBe(1)
    await app.close()
    await waitFor('no connection', async () => (await connections(server)) === 0)
  })

  it('leaves a given client to its owner', async () => {
    const { Redis } = await import('ioredis')
    const client = new Redis(server.port, server.host)
    const app = await boot({ client }, CustomersModule)
    await app.get(Customers).find('1')
    await app.close()
    apps.pop()
    expect(await client.ping()).toBe('PONG')
    client.disconnect()
  })

  it('takes the presets', async () => {
    const app = await boot({ ...at, presets: { [CachePattern.QUERY]: '90s' } })
    await app.get(CacheService).set('q', 1, CachePattern.QUERY)
    expect(await server.command('PTTL', 'vextrus:q')).toSatisfy((ms: number) => ms > 85_000 && ms <= 90_000)
  })

  it('leaves no key for ever but the tag clock, whatever the tests above did', async () => {
    expect(await server.scanKeysWithoutTtl([])).toEqual(['vextrus@tags'])
  })
})

describe('an application without Redis', () => {
  it('boots, warns once, runs uncached, and recovers', async () => {
    const port = await freePort()
    @Injectable()
    class Strict {
      calls: string[] = []

      @CacheEvict({ keyGenerator: () => 'strict', onUnavailable: 'throw' })
      async remove(): Promise<void> {
        this.calls.push('remove')
      }
      @CacheEvict({ keyGenerator: () => 'strict', hold: true })
      async held(): Promise<void> {
        this.calls.push('held')
      }
    }
    @Module({ providers: [Strict] })
    class StrictModule {}
    const app = await boot({ host: '127.0.0.1', port }, CustomersModule, StrictModule)
    const customers = app.get(Customers)
    expect(logged).toHaveLength(1)
    expect(logged[0]).toMatch(/host.*port/)

    expect([await customers.find('1'), await customers.find('1')]).toEqual(['Ann', 'Ann'])
    expect(customers.calls).toBe(2)
    expect(await customers.rename('1', 'Anna')).toBe('Anna')
    expect([await customers.remove('2'), await customers.remove('3')]).toEqual([true, true])
    expect(customers.calls).toBe(5)
    expect(logged).toEqual([expect.stringMatching(/host.*port/), expect.stringMatching(/did not acknowledge/)])
    expect(app.get(RedisCacheService).getStatistics().errors).toBeGreaterThan(0)
    await expect(app.get(Strict).remove()).rejects.toThrow(CacheUnavailableError)
    await expect(app.get(Strict).held()).rejects.toThrow(CacheUnavailableError)
    expect(app.get(Strict).calls).toEqual(['remove'])

    const server = await startRedis({ port })
    try {
      await waitFor('the connection', () => app.get(RedisConnection).status === 'ready')
      // The evictions come first; until they are made nothing is read, and so nothing is stored.
      await waitFor('the evictions and a fill', async () => {
        await customers.find('1')
        return app.get(RedisCacheService).has('customer:1')
      })
      const { calls } = customers
      expect(await customers.find('1')).toBe('Anna')
      expect(customers.calls).toBe(calls)

      await server.kill()
      await waitFor('the loss is noticed', () => app.get(RedisConnection).status !== 'ready')
      // What is in memory is not answered without proof of its freshness.
      expect(await customers.find('1')).toBe('Anna')
      expect(customers.calls).toBe(calls + 1)
    } finally {
      await server.stop()
    }
  })

  it('makes the evictions of an outage before it reads again, so that no process keeps what is gone', async () => {
    const server = await startRedis()
    try {
      const at = { host: server.host, port: server.port }
      const [one, other] = [await boot(at, CustomersModule), await boot(at, CustomersModule)]
      await one.get(Customers).rename('1', 'Anna')
      expect(await other.get(Customers).find('1')).toBe('Anna')
      server.pause()
      expect(await one.get(Customers).remove('1')).toBe(true)
      expect(logged.filter((line) => /did not acknowledge/.test(line))).toHaveLength(1)
      server.resume()
      await waitFor('the eviction', async () => (await server.command('EXISTS', 'vextrus:customer:1')) === 0)
      expect(await one.get(Customers).find('1')).toBeUndefined()
      await waitFor('the push', async () => !(await other.get(RedisCacheService).has('customer:1')))
    } finally {
      await server.stop()
    }
  })

  it.each(['kill', 'pause'] as const)('runs a method once when Redis is gone while it runs (%s)', async (how) => {
    const server = await startRedis()
    @Injectable()
    class Slow {
      calls = 0
      @Cacheable({ keyGenerator: () => 'slow' })
      async find(): Promise<number> {
        await server[how]()
        return ++this.calls
      }
    }
    @Module({ providers: [Slow] })
    class SlowModule {}
    try {
      const app = await boot({ host: server.host, port: server.port }, SlowModule)
      expect(await app.get(Slow).find()).toBe(1)
      expect(app.get(Slow).calls).toBe(1)
      await app.close()
      apps.pop()
      // Closed for good: what still runs is answered without the cache.
      expect(await app.get(Slow).find()).toBe(2)
    } finally {
      await server.stop()
    }
  })

  it('does not boot when Redis is required, says what to look at, and leaves nothing open', async () => {
    const before = sockets()
    const booting = boot({ host: '127.0.0.1', port: await freePort(), required: true }, CustomersModule)
    await expect(booting).rejects.toThrow(RedisUnavailableError)
    await expect(booting).rejects.toThrow(/not connected.*Check `host` and `port`/)
    await waitFor('no socket and no timer of ours', () => sockets() <= before)
  })

  it('does not boot on a wrong password when Redis is required, and keeps the password to itself', async () => {
    const server = await startRedis({ password: 'the-right-one' })
    try {
      const wrong = { host: server.host, port: server.port, password: 'a-wrong-one' }
      const error: unknown = await boot({ ...wrong, required: true }, CustomersModule).catch((cause: unknown) => cause)
      expect(error).toBeInstanceOf(RedisUnavailableError)
      expect((error as Error).message).toMatch(/`password`/)
      expect(`${(error as Error).message}${logged.join()}`).not.toContain('wrong-one')

      const app = await boot({ ...wrong, password: 'the-right-one', required: true }, CustomersModule)
      expect(app.get(RedisConnection).status).toBe('ready')
    } finally {
      for (const app of apps.splice(0)) await app.close()
      await server.stop()
    }
  })
})
