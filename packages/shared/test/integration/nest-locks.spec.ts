import { Injectable, Logger, Module, type OnModuleDestroy, type Type } from '@nestjs/common'
import { Test } from '@nestjs/testing'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import {
  currentLock,
  Locked,
  LockTimeoutError,
  LockUnavailableError,
  RedisLockService,
  RedisReadWriteLock,
  RedisSemaphore,
} from '../../src/lock/index.js'
import {
  RedisCacheModule,
  type RedisCacheModuleOptions,
  RedisConnection,
  RedisUnavailableError,
} from '../../src/module/cache-entry.js'
import { freePort, type RedisServer, startRedis } from '../support/redis-server.js'
import { waitFor } from '../support/wait-for.js'

@Injectable()
class Invoices {
  calls = 0

  @Locked({ key: (tenantId: string) => `lock:invoice-number:${tenantId}`, waitMs: 10_000 })
  async next(_tenantId: string): Promise<bigint> {
    this.calls++
    return currentLock()!.fence
  }
}

@Module({ providers: [Invoices], exports: [Invoices] })
class InvoicesModule {}

/** A module in which something injects this service. */
function injecting(service: Type): Type {
  class Consumer {
    constructor(readonly service: unknown) {}
  }
  Injectable()(Consumer)
  Reflect.defineMetadata('design:paramtypes', [service], Consumer)
  class ConsumerModule {}
  Module({ providers: [Consumer] })(ConsumerModule)
  return ConsumerModule
}

let logged: string[]
const apps: { close(): Promise<void> }[] = []

async function boot(...imports: NonNullable<Parameters<typeof Test.createTestingModule>[0]['imports']>) {
  const app = await Test.createTestingModule({ imports }).compile()
  apps.push(app)
  return app.init()
}

const root = (options: RedisCacheModuleOptions & { name?: string }) => RedisCacheModule.forRoot(options)

/** The names of the connections that this server has, without the one that asks. */
async function connections(server: RedisServer): Promise<string[]> {
  const list = String(await server.command('CLIENT', 'LIST'))
    .trim()
    .split('\n')
  return list.filter((line) => !line.includes('cmd=client')).map((line) => / name=(\S*)/.exec(line)?.[1] ?? '')
}

const lockKeys = async (server: RedisServer): Promise<string[]> =>
  ((await server.command('SCAN', '0', 'MATCH', '*@lock:*', 'COUNT', '1000')) as [string, string[]])[1]

const sockets = () => process.getActiveResourcesInfo().filter((name) => /TCP|Timeout/.test(name)).length

const warnings = (text: RegExp) => logged.filter((line) => text.test(line))

beforeEach(() => {
  logged = []
  vi.spyOn(Logger.prototype, 'warn').mockImplementation((message: string) => void logged.push(message))
})
afterEach(async () => {
  for (const app of apps.splice(0)) await app.close()
  vi.restoreAllMocks()
})

describe('locks of an application with Redis', () => {
  let server: RedisServer
  let at: RedisCacheModuleOptions
  beforeAll(async () => {
    server = await startRedis()
    at = { host: server.host, port: server.port, commandTimeout: '10s' }
  })
  beforeEach(() => waitFor('the end of what ran before', async () => (await connections(server)).length === 0))
  afterAll(() => server.stop())

  it.each([
    ['RedisLockService', injecting(RedisLockService)],
    ['RedisSemaphore', injecting(RedisSemaphore)],
    ['RedisReadWriteLock', injecting(RedisReadWriteLock)],
    ['@Locked', InvoicesModule],
  ])('are connected before it serves where something injects or needs them: %s', async (_, module) => {
    const app = await boot(root(at), module)
    expect(app.get(RedisConnection).status).toBe('ready')
    // The data connection: locks need no pushes, and no wake-ups before somebody waits.
    expect(await connections(server)).toHaveLength(1)
    expect(logged).toEqual([])
  })

  it('open no connection that nobody injects, and connect at the first call otherwise', async () => {
    const app = await boot(root(at))
    expect(app.get(RedisConnection).status).toBe('idle')
    expect(await connections(server)).toEqual([])
    await app.get(RedisLockService).withLock('late', {}, async (lock) => lock.assertHeld())
    expect(await connections(server)).toHaveLength(1)
  })

  it('exclude the other applications, hand over to those who wait, and live beside the cache', async () => {
    const one = await boot(root(at), InvoicesModule)
    const two = await boot(root(at), InvoicesModule)
    const held = await one.get(RedisLockService).acquire('lock:invoice-number:t1', 60_000)
    expect(await lockKeys(server)).toContain('vextrus@lock:{lock:invoice-number:t1}:mutex')
    const invoices = two.get(Invoices)
    const waiting = Promise.all([invoices.next('t1'), invoices.next('t1')])
    expect(await invoices.next('t2')).toBeTypeOf('bigint')
    expect(invoices.calls).toBe(1)
    expect(await one.get(RedisLockService).release(held)).toBe('released')
    const [first, second] = await waiting
    expect(first > held.fence && second > first).toBe(true)
  })

  it('live on the connection that `use.lock` names, under its prefix, and open no other', async () => {
    const locksAt = await startRedis()
    try {
      const locks = { host: locksAt.host, port: locksAt.port, commandTimeout: '10s', keyPrefix: 'locks:' }
      const app = await boot(root({ ...at, use: { lock: 'locks' } }), root({ ...locks, name: 'locks' }), InvoicesModule)
      expect(app.get(RedisConnection).status).toBe('idle')
      expect(app.get<RedisConnection>('RedisConnection@locks').status).toBe('ready')
      await app.get(RedisLockService).withLock('a', {}, async () => {
        expect(await lockKeys(locksAt)).toContain('locks@lock:{a}:mutex')
        await expect(app.get<RedisLockService>('RedisLockService@locks').acquire('a', 1_000, 0)).rejects.toThrow(
          LockTimeoutError,
        )
      })
      expect(await connections(server)).toEqual([])
    } finally {
      for (const app of apps.splice(0)) await app.close()
      await locksAt.stop()
    }
  })

  it.each(['before', 'behind'])(
    'are given back before the connection imported %s the others is closed',
    async (place) => {
      const imports = [root({ ...at, use: { lock: 'locks' } }), root({ ...at, name: 'locks' })]
      const app = await boot(...(place === 'behind' ? imports : imports.reverse()), injecting(RedisLockService))
      const lock = await app.get(RedisLockService).acquire('shutdown', 60_000)
      const closed = app.close()
      apps.pop()
      expect(await lock.release()).toBe('released')
      await closed
      expect(await lockKeys(server)).not.toContain('vextrus@lock:{shutdown}:mutex')
    },
  )

  it('leave the line of those who wait for them', async () => {
    const holder = await boot(root(at), injecting(RedisLockService))
    const waiter = await boot(root(at), injecting(RedisLockService))
    const lock = await holder.get(RedisLockService).acquire('line', 60_000)
    const waiting = waiter
      .get(RedisLockService)
      .acquire('line', 60_000, 60_000)
      .catch((error: unknown) => error)
    const line = async () =>
      (await lockKeys(server)).filter((key) => /{line}:mutex-/.test(key) && !key.endsWith('fence'))
    await waitFor('its place in the line', async () => (await line()).length > 0)
    await waiter.close()
    apps.pop()
    expect(await waiting).toBeInstanceOf(LockUnavailableError)
    expect(await line()).toEqual([])
    expect(await lock.release()).toBe('released')
  })

  it('serve every onModuleDestroy, and then leave nothing open', async () => {
    const seen: string[] = []

    @Injectable()
    class Late implements OnModuleDestroy {
      constructor(private readonly locks: RedisLockService) {}
      async onModuleDestroy(): Promise<void> {
        await this.locks.withLock('late', {}, async (lock) => seen.push(lock.key))
      }
    }
    @Module({ providers: [Late] })
    class LateModule {}

    const before = sockets()
    const app = await boot(root(at), LateModule)
    const locks = app.get(RedisLockService)
    const lock = await locks.acquire('shutdown', 60_000)
    const waiting = locks.acquire('shutdown', 60_000, 60_000).catch((error: unknown) => error)
    await waitFor('the wake-ups', async () => (await connections(server)).includes('vextrus-locks'))
    const closed = app.close()
    apps.pop()
    expect(await waiting).toBeInstanceOf(LockUnavailableError)
    expect(await lock.release()).toBe('released')
    await closed
    expect(seen).toEqual(['late'])
    await waitFor('no socket and no timer of ours', () => sockets() <= before)
  })

  it('leave no key for ever, whatever the tests above did', async () => {
    expect(await server.scanKeysWithoutTtl([])).toEqual([])
  })
})

describe('locks on a server that evicts', () => {
  const EVICTS = /locks live on .*allkeys-lru.*use: \{ lock: 'locks' \}/
  let server: RedisServer
  let at: RedisCacheModuleOptions
  const setPolicy = (policy: string) => server.command('CONFIG', 'SET', 'maxmemory-policy', policy)
  beforeAll(async () => {
    server = await startRedis()
    at = { host: server.host, port: server.port, commandTimeout: '10s' }
  })
  afterAll(() => server.stop())

  it('are warned of once at boot, whoever wants them', async () => {
    @Injectable()
    class Reports {
      @Locked({ key: () => 'report', connection: 'reports' })
      async build(): Promise<void> {}
    }
    @Module({ providers: [Reports] })
    class ReportsModule {}

    await setPolicy('allkeys-lru')
    const reports = { ...at, name: 'reports', use: { lock: 'default' } }
    await boot(root(at), root(reports), InvoicesModule, ReportsModule, injecting(RedisSemaphore))
    expect(warnings(EVICTS)).toHaveLength(1)
    expect(logged).toHaveLength(1)
  })

  it('are no matter where nobody injects them, or they live elsewhere', async () => {
    await setPolicy('allkeys-lfu')
    const other = await startRedis()
    try {
      await boot(root(at))
      const locks = { host: other.host, port: other.port, commandTimeout: '10s', name: 'locks' }
      await boot(root({ ...at, use: { lock: 'locks' } }), root(locks), InvoicesModule)
      expect(logged).toEqual([])
    } finally {
      for (const app of apps.splice(0)) await app.close()
      await other.stop()
    }
  })

  it('are warned of also where only keys with a time to live are evicted: locks are such', async () => {
    await setPolicy('volatile-ttl')
    await boot(root(at), InvoicesModule)
    expect(warnings(/locks live on .*volatile-ttl.*use: \{ lock: 'locks' \}/)).toHaveLength(1)
  })

  it('are not warned of where nothing is evicted', async () => {
    await setPolicy('noeviction')
    await boot(root(at), InvoicesModule)
    expect(logged).toEqual([])
  })

  it('are warned of when a server that was away at boot is back', async () => {
    const port = await freePort()
    const app = await boot(root({ host: '127.0.0.1', port }), InvoicesModule)
    expect(warnings(EVICTS)).toEqual([])
    const late = await startRedis({ port, args: ['--maxmemory-policy', 'allkeys-lru'] })
    try {
      await waitFor('the warning', () => warnings(EVICTS).length > 0)
      await late.restart()
      // Its answer comes behind that to whatever was asked when the connection was back.
      await app.get(Invoices).next('t1')
      expect(warnings(EVICTS)).toHaveLength(1)
    } finally {
      await late.stop()
    }
  })
})

describe('locks of an application without Redis', () => {
  it('are refused, nothing runs without them, and they come back', async () => {
    const port = await freePort()
    const app = await boot(root({ host: '127.0.0.1', port }), InvoicesModule)
    const [invoices, locks] = [app.get(Invoices), app.get(RedisLockService)]
    expect(logged).toHaveLength(1)
    await expect(locks.acquire('a', 1_000, 0)).rejects.toThrow(LockUnavailableError)
    await expect(locks.acquire('a', 1_000, 300)).rejects.toThrow(LockUnavailableError)
    const late = invoices.next('t1')
    const server = await startRedis({ port })
    try {
      expect(await late).toBeTypeOf('bigint')
      expect(invoices.calls).toBe(1)
    } finally {
      for (const each of apps.splice(0)) await each.close()
      await server.stop()
    }
  })

  it('do not boot when Redis is required, and leave nothing open', async () => {
    const before = sockets()
    const booting = boot(root({ host: '127.0.0.1', port: await freePort(), required: true }), InvoicesModule)
    await expect(booting).rejects.toThrow(RedisUnavailableError)
    await waitFor('no socket and no timer of ours', () => sockets() <= before)
  })
})
