import { Inject, Injectable, Logger, Module, type OnModuleDestroy } from '@nestjs/common'
import { Test } from '@nestjs/testing'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { TenantKeyError } from '../cache/errors.js'
import { runAsTenant } from '../cache/tenancy.js'
import { ConfigurationError } from '../kernel/errors.js'
import { MemoryHub } from '../kernel/memory-hub.js'
import {
  LockTimeoutError,
  LockUnavailableError,
  RedisLockService,
  RedisReadWriteLock,
  RedisSemaphore,
} from '../lock/index.js'
import { getVextrusToken, InjectVextrus } from '../nest/tokens.js'
import type { RedisCacheModuleOptions } from './module-options.js'
import { RedisCacheModule } from './redis-cache.module.js'

const memory: RedisCacheModuleOptions = { driver: 'memory' }

type Imports = NonNullable<Parameters<typeof Test.createTestingModule>[0]['imports']>

const boot = (...imports: Imports) => Test.createTestingModule({ imports }).compile()

/** The locks of applications with these options. */
async function locksOf(...options: RedisCacheModuleOptions[]): Promise<RedisLockService[]> {
  return Promise.all(options.map(async (each) => (await boot(RedisCacheModule.forRoot(each))).get(RedisLockService)))
}

const at = (name: string) => getVextrusToken(RedisLockService, name)

beforeEach(() => {
  vi.spyOn(Logger.prototype, 'warn').mockReturnValue(undefined)
})
afterEach(() => {
  vi.restoreAllMocks()
})

describe('the locks of a module', () => {
  it('are injected by class, and by name where the connection has one', async () => {
    @Injectable()
    class Invoices {
      constructor(
        readonly locks: RedisLockService,
        readonly semaphore: RedisSemaphore,
        readonly readWrite: RedisReadWriteLock,
        @InjectVextrus(RedisLockService, 'reports') readonly named: RedisLockService,
      ) {}
    }
    const imports = [RedisCacheModule.forRoot(memory), RedisCacheModule.forRoot({ ...memory, name: 'reports' })]
    const app = await Test.createTestingModule({ imports, providers: [Invoices] }).compile()
    const { locks, semaphore, readWrite, named } = app.get(Invoices)
    const held = [
      await locks.acquire('a'),
      await named.acquire('a'),
      await semaphore.acquire('a', { permits: 1 }),
      await readWrite.read('a'),
    ]
    expect(new Set(held.map(({ token }) => token)).size).toBe(4)
    expect([locks, named].map((each) => each.constructor)).toEqual([RedisLockService, RedisLockService])
    expect(app.get(at('reports'))).toBe(named)
    for (const lock of held) expect(await lock.release()).toBe('released')
  })

  it('exclude each other where modules share a hub and a prefix, and nowhere else', async () => {
    const hub = new MemoryHub()
    const [one, two, prefixed, apart] = await locksOf(
      { ...memory, memory: hub },
      { ...memory, memory: hub },
      { ...memory, memory: hub, keyPrefix: 'other:' },
      memory,
    )
    const lock = await one!.acquire('a')
    expect(await two!.tryAcquire('a')).toBeNull()
    expect(await prefixed!.tryAcquire('a')).not.toBeNull()
    expect(await apart!.tryAcquire('a')).not.toBeNull()
    expect(await two!.release(lock)).toBe('released')
    expect((await two!.tryAcquire('a'))!.fence > lock.fence).toBe(true)
  })

  it('take their defaults from `lock`', async () => {
    const [locks] = await locksOf({ ...memory, lock: { ttl: '30s', wait: 0 } })
    const lock = await locks!.acquire('a')
    expect(lock.expiresAt - Date.now()).toBeGreaterThan(25_000)
    await expect(locks!.acquire('a')).rejects.toThrow(LockTimeoutError)
  })

  it('need the tenant in their keys where it is required', async () => {
    const [locks] = await locksOf({ ...memory, tenancy: { required: true, global: ['job'] } })
    await expect(locks!.acquire('lock:invoice-number:t1')).rejects.toThrow(TenantKeyError)
    await runAsTenant('t1', async () => {
      await expect(locks!.tryAcquire('lock:invoice-number:t10')).rejects.toThrow(TenantKeyError)
      expect(await locks!.tryAcquire('lock:invoice-number:t1')).not.toBeNull()
    })
    expect(await locks!.tryAcquire('job:nightly')).not.toBeNull()
  })

  it('may be replaced for a test, without a Redis', async () => {
    const acquire = vi.fn().mockResolvedValue('mock')
    @Injectable()
    class Invoices {
      constructor(readonly locks: RedisLockService) {}
    }
    const app = await Test.createTestingModule({
      imports: [RedisCacheModule.forRoot({ host: '127.0.0.1', port: 1 })],
      providers: [Invoices],
    })
      .overrideProvider(RedisLockService)
      .useValue({ acquire })
      .compile()
    await app.init()
    expect(await app.get(Invoices).locks.acquire('a')).toBe('mock')
    expect(vi.mocked(Logger.prototype.warn)).not.toHaveBeenCalled()
    await app.close()
  })
})

describe('the locks of an application that is closed', () => {
  it('serve every onModuleDestroy, get a moment to be given back, and are refused then', async () => {
    const hub = new MemoryHub()
    const seen: string[] = []

    @Injectable()
    class Late implements OnModuleDestroy {
      constructor(private readonly locks: RedisLockService) {}
      async onModuleDestroy(): Promise<void> {
        seen.push(await this.locks.withLock('a', {}, async (lock) => lock.key))
      }
    }
    const imports = [RedisCacheModule.forRoot({ ...memory, memory: hub })]
    const app = await Test.createTestingModule({ imports, providers: [Late] }).compile()
    await app.init()
    const locks = app.get(RedisLockService)
    let finish!: () => void
    const work = locks.withLock('b', {}, () => new Promise<void>((resolve) => (finish = resolve)))
    const waiting = locks.acquire('b').catch((error: unknown) => error)
    await vi.waitFor(() => expect(finish).toBeTypeOf('function'))
    const closed = app.close()
    expect(await waiting).toBeInstanceOf(LockUnavailableError)
    finish()
    await Promise.all([work, closed])
    expect(seen).toEqual(['a'])
    await expect(locks.acquire('c')).rejects.toThrow(LockUnavailableError)
    const [peer] = await locksOf({ ...memory, memory: hub })
    expect(await peer!.tryAcquire('b')).not.toBeNull()
  })
})

describe('use.lock', () => {
  const elsewhere: RedisCacheModuleOptions = { ...memory, use: { lock: 'locks' } }

  it('lets the locks live on another connection, under its prefix', async () => {
    const hub = new MemoryHub()
    const locks = { ...memory, memory: hub, keyPrefix: 'locks:' }
    const app = await boot(
      RedisCacheModule.forRoot({ ...elsewhere, lock: { wait: 0 } }),
      RedisCacheModule.forRoot({ ...locks, name: 'locks' }),
    )
    await app.init()
    const lock = await app.get(RedisLockService).acquire('a')
    expect(await app.get<RedisLockService>(at('locks')).tryAcquire('a')).toBeNull()
    const [peer] = await locksOf(locks)
    expect(await peer!.tryAcquire('a')).toBeNull()
    await expect(app.get(RedisLockService).acquire('a')).rejects.toThrow(LockTimeoutError)
    expect(await lock.release()).toBe('released')
    expect(await peer!.tryAcquire('a')).not.toBeNull()
    await app.close()
  })

  it('may name its own connection', async () => {
    const app = await boot(RedisCacheModule.forRoot({ ...elsewhere, name: 'locks' }))
    await app.init()
    expect(await (await app.get<RedisLockService>(at('locks')).acquire('a')).release()).toBe('released')
    await app.close()
  })

  it('is refused when no connection has that name', async () => {
    const booting = boot(RedisCacheModule.forRoot(elsewhere), RedisCacheModule.forRoot({ ...memory, name: 'lock' }))
    await expect(booting).rejects.toThrow(ConfigurationError)
    await expect(booting).rejects.toThrow(/^use\.lock: no RedisCacheModule\.forRoot .* named 'locks'/)
  })

  it('waits for a connection that is still being made', async () => {
    let configured!: (options: RedisCacheModuleOptions) => void
    const options = new Promise<RedisCacheModuleOptions>((resolve) => (configured = resolve))

    @Module({
      providers: [
        {
          provide: 'EARLY',
          useFactory: async (locks: RedisLockService) => {
            const lock = locks.acquire('a')
            configured(memory)
            return (await lock).key
          },
          inject: [RedisLockService],
        },
      ],
      exports: ['EARLY'],
    })
    class EarlyModule {
      constructor(@Inject('EARLY') readonly early: string) {}
    }
    const app = await boot(
      RedisCacheModule.forRoot(elsewhere),
      EarlyModule,
      RedisCacheModule.forRootAsync({ name: 'locks', useFactory: () => options }),
    )
    expect(app.get(EarlyModule).early).toBe('a')
  })
})
