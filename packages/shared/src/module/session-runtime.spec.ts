import { Injectable, Logger, Module } from '@nestjs/common'
import { Test } from '@nestjs/testing'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { RedisCacheService } from '../cache/cache.js'
import { runAsTenant, runGlobal } from '../cache/tenancy.js'
import { ConfigurationError } from '../kernel/errors.js'
import { MemoryHub } from '../kernel/memory-hub.js'
import { getVextrusToken, InjectVextrus } from '../nest/tokens.js'
import { SessionGuardSettings, SessionService, SessionUnavailableError } from '../session/index.js'
import { FakeClock } from '../testing/fake-clock.js'
import { RedisCacheTestingModule } from '../testing/redis-cache-testing.module.js'
import type { RedisCacheModuleOptions } from './module-options.js'
import { RedisCacheModule } from './redis-cache.module.js'

const memory: RedisCacheModuleOptions = { driver: 'memory' }

type Imports = NonNullable<Parameters<typeof Test.createTestingModule>[0]['imports']>

const boot = (...imports: Imports) => Test.createTestingModule({ imports }).compile()

const at = (name: string) => getVextrusToken(SessionService, name)

beforeEach(() => {
  vi.spyOn(Logger.prototype, 'warn').mockReturnValue(undefined)
})
afterEach(() => {
  vi.restoreAllMocks()
})

describe('the sessions of a module', () => {
  it('are injected by class, and by name where the connection has one', async () => {
    @Injectable()
    class Login {
      constructor(
        readonly sessions: SessionService<{ n: number }>,
        @InjectVextrus(SessionService, 'admin') readonly named: SessionService,
      ) {}
    }
    const imports = [RedisCacheModule.forRoot(memory), RedisCacheModule.forRoot({ ...memory, name: 'admin' })]
    const app = await Test.createTestingModule({ imports, providers: [Login] }).compile()
    const { sessions, named } = app.get(Login)
    expect([app.get(SessionService), app.get(at('admin'))]).toEqual([sessions, named])
    const { id } = await sessions.create('u1', { n: 1 })
    expect([(await sessions.get(id))?.data, await named.get(id)]).toEqual([{ n: 1 }, null])
  })

  it('live by the clock and the options that they are given', async () => {
    const clock = new FakeClock()
    const app = await boot(RedisCacheTestingModule.forRoot({ clock, session: { idle: '1m', from: 'bearer' } }))
    expect(app.get(SessionGuardSettings).idOf({ authorization: 'Bearer abc' })).toBe('abc')
    const sessions = app.get(SessionService)
    const { id } = await sessions.create('u1', {})
    await clock.advance(59_000)
    expect(await sessions.get(id)).not.toBeNull()
    await clock.advance(61_000)
    expect(await sessions.get(id)).toBeNull()
  })

  it('live where `use.session` says, and outlive the application', async () => {
    const shared = { ...memory, memory: new MemoryHub(), keyPrefix: 'kept:' }
    const app = await boot(
      RedisCacheModule.forRoot({ ...memory, use: { session: 'kept' } }),
      RedisCacheModule.forRoot({ ...shared, name: 'kept' }),
    )
    await app.init()
    const { id } = await app.get(SessionService).create('u1', { n: 1 })
    await app.close()
    const peer = (await boot(RedisCacheModule.forRoot(shared))).get(SessionService)
    expect((await peer.get(id))?.data).toEqual({ n: 1 })
    const booting = boot(RedisCacheModule.forRoot({ ...memory, use: { session: 'kept' } }))
    await expect(booting).rejects.toThrow(ConfigurationError)
    await expect(booting).rejects.toThrow(/^use\.session: no RedisCacheModule\.forRoot .* named 'kept'/)
  })

  it('say so while that connection is still being made', async () => {
    let configured!: (options: RedisCacheModuleOptions) => void
    const options = new Promise<RedisCacheModuleOptions>((resolve) => (configured = resolve))
    let failed: unknown
    @Module({
      providers: [
        {
          provide: 'EARLY',
          useFactory: async (sessions: SessionService) => {
            failed = await sessions.create('u1', {}).catch((error: unknown) => error)
            configured(memory)
          },
          inject: [SessionService],
        },
      ],
    })
    class EarlyModule {}
    const app = await boot(
      RedisCacheModule.forRoot({ ...memory, use: { session: 'kept' } }),
      EarlyModule,
      RedisCacheModule.forRootAsync({ name: 'kept', useFactory: () => options }),
    )
    expect(failed).toBeInstanceOf(SessionUnavailableError)
    expect((failed as Error).message).toBe(
      "sessions live on the connection 'kept', which is not made yet; ask for them later",
    )
    expect((await app.get(SessionService).create('u1', {})).userId).toBe('u1')
  })
})

describe('the end of all sessions of a user', () => {
  /** An application in which something is cached for users of tenants, and what of it is there. */
  async function cached(options: RedisCacheModuleOptions = {}) {
    const app = await boot(RedisCacheModule.forRoot({ ...memory, ...options }))
    const [cache, sessions] = [app.get(RedisCacheService), app.get(SessionService)]
    const scopes = {
      u1: cache.forUser('u1'),
      u2: cache.forUser('u2'),
      'u1 of t1': cache.forTenant('t1').forUser('u1'),
      'u1 of t2': cache.forTenant('t2').forUser('u1'),
      'u1 of t3': cache.forTenant('t3').forUser('u1'),
    }
    await runGlobal(async () => {
      for (const scope of Object.values(scopes)) await scope.set('cart', 1)
    })
    const left = () =>
      runGlobal(async () => {
        const there = await Promise.all(
          Object.entries(scopes).map(async ([name, scope]) => [name, await scope.has('cart')]),
        )
        return there.filter(([, has]) => has).map(([name]) => name)
      })
    return { app, cache, sessions, left }
  }

  it('clears what was cached for the user, also within the tenants of the sessions', async () => {
    const { sessions, left } = await cached()
    await sessions.create('u1', {}, { tenantId: 't1' })
    await sessions.create('u1', {}, { tenantId: 't2' })
    expect(await sessions.destroyAllForUser('u1')).toBe(2)
    expect(await left()).toEqual(['u2', 'u1 of t3'])
  })

  it('clears of one tenant what is of that tenant', async () => {
    const { sessions, left } = await cached()
    await sessions.create('u1', {}, { tenantId: 't1' })
    await sessions.create('u1', {}, { tenantId: 't2' })
    expect(await sessions.destroyAllForUser('u1', { tenantId: 't1' })).toBe(1)
    expect(await left()).toEqual(['u1', 'u2', 'u1 of t2', 'u1 of t3'])
  })

  it('does so where tenancy is required, whosever turn it is, and of whoever has no session left', async () => {
    const { sessions, left } = await cached({ tenancy: { required: true } })
    await sessions.create('u1', {}, { tenantId: 't2' })
    await runAsTenant('t1', () => sessions.destroyAllForUser('u1'))
    expect(await left()).toEqual(['u2', 'u1 of t3'])
    await runAsTenant('t3', () => sessions.destroyAllForUser('u1'))
    expect(await left()).toEqual(['u2'])
  })

  it('reaches what another process has cached, and the cache of its own connection where the sessions live elsewhere', async () => {
    const hub = new MemoryHub()
    const { left } = await cached({ memory: hub })
    const app = await boot(
      RedisCacheModule.forRoot({ ...memory, memory: hub, use: { session: 'kept' } }),
      RedisCacheModule.forRoot({ ...memory, name: 'kept' }),
    )
    await app.get(SessionService).destroyAllForUser('u1')
    expect(await left()).toEqual(['u2', 'u1 of t1', 'u1 of t2', 'u1 of t3'])
  })

  it('has nothing to clear for ids that no scope can have, nor where a test has replaced the cache', async () => {
    const { sessions } = await cached()
    await sessions.create('google:117', {}, { tenantId: 'a b' })
    expect(await sessions.destroyAllForUser('google:117')).toBe(1)
    await sessions.create('u1', {}, { tenantId: 'of:colons' })
    expect(await sessions.destroyAllForUser('u1', { tenantId: 'of:colons' })).toBe(1)
    const app = await Test.createTestingModule({ imports: [RedisCacheModule.forRoot(memory)] })
      .overrideProvider(RedisCacheService)
      .useValue({})
      .compile()
    expect(await app.get(SessionService).destroyAllForUser('u1')).toBe(0)
  })
})
