import { Injectable, Logger, Module } from '@nestjs/common'
import { Test } from '@nestjs/testing'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { JwtBlacklistService, JwtGuardSettings, JwtUnavailableError, RefreshTokenFamilies } from '../jwt/index.js'
import { MemoryJwtStore } from '../jwt/stores/memory.js'
import { ConfigurationError } from '../kernel/errors.js'
import { MemoryHub } from '../kernel/memory-hub.js'
import { getVextrusToken, InjectVextrus } from '../nest/tokens.js'
import { FakeClock } from '../testing/fake-clock.js'
import { RedisCacheTestingModule } from '../testing/redis-cache-testing.module.js'
import type { RedisCacheModuleOptions } from './module-options.js'
import { RedisCacheModule } from './redis-cache.module.js'

const memory: RedisCacheModuleOptions = { driver: 'memory' }

type Imports = NonNullable<Parameters<typeof Test.createTestingModule>[0]['imports']>

const boot = (...imports: Imports) => Test.createTestingModule({ imports }).compile()

const at = (name: string) => getVextrusToken(JwtBlacklistService, name)

/** In the year 2100. */
const exp = 4_102_444_800

beforeEach(() => {
  vi.spyOn(Logger.prototype, 'warn').mockReturnValue(undefined)
})
afterEach(() => {
  vi.restoreAllMocks()
})

describe('the revoked tokens of a module', () => {
  it('are injected by class, and by name where the connection has one', async () => {
    @Injectable()
    class Login {
      constructor(
        readonly blacklist: JwtBlacklistService,
        readonly families: RefreshTokenFamilies,
        @InjectVextrus(JwtBlacklistService, 'admin') readonly named: JwtBlacklistService,
      ) {}
    }
    const imports = [RedisCacheModule.forRoot(memory), RedisCacheModule.forRoot({ ...memory, name: 'admin' })]
    const app = await Test.createTestingModule({ imports, providers: [Login] }).compile()
    const { blacklist, families, named } = app.get(Login)
    expect([app.get(JwtBlacklistService), app.get(at('admin'))]).toEqual([blacklist, named])
    await blacklist.revoke({ jti: 'a', exp })
    expect([await blacklist.isRevoked({ jti: 'a' }), await named.isRevoked({ jti: 'a' })]).toEqual([true, false])
    // Both services have one store: the end of a family revokes the access tokens that name it.
    const forgotten = vi.spyOn(blacklist, 'forget')
    await families.begin('f1', 'r1')
    await families.end('f1')
    expect(await blacklist.isRevoked({ jti: 'b', fam: 'f1' })).toBe(true)
    expect(forgotten).toHaveBeenCalledWith('{f:f1}:ended')
  })

  it('are told to every application that shares them, also to one that has an answer in its memory', async () => {
    const shared = { ...memory, memory: new MemoryHub() }
    const [one, two] = [await boot(RedisCacheModule.forRoot(shared)), await boot(RedisCacheModule.forRoot(shared))]
    const asked = () => two.get(JwtBlacklistService).isRevoked({ jti: 'a' })
    expect(await asked()).toBe(false)
    await one.get(JwtBlacklistService).revoke({ jti: 'a', exp })
    expect(await asked()).toBe(true)
  })

  it('take their options from `jwt`, those of the guard too, and live by the clock that they are given', async () => {
    const clock = new FakeClock()
    const now = Math.ceil(clock.wall() / 1_000)
    const app = await boot(RedisCacheTestingModule.forRoot({ clock, jwt: { skew: '5s', isPublic: 'open' } }))
    const blacklist = app.get(JwtBlacklistService)
    await blacklist.revoke({ jti: 'a', exp: now + 10 })
    await clock.advance(14_000)
    expect(await blacklist.isRevoked({ jti: 'a' })).toBe(true)
    expect(app.get(JwtGuardSettings).options).toMatchObject({ isPublic: 'open' })
  })

  it('live where `use.jwt` says, under its prefix', async () => {
    const shared = { ...memory, memory: new MemoryHub(), keyPrefix: 'tokens:' }
    const app = await boot(
      RedisCacheModule.forRoot({ ...memory, use: { jwt: 'tokens' } }),
      RedisCacheModule.forRoot({ ...shared, name: 'tokens' }),
    )
    const peer = (await boot(RedisCacheModule.forRoot(shared))).get(JwtBlacklistService)
    await peer.revoke({ jti: 'a', exp })
    expect(await app.get(JwtBlacklistService).isRevoked({ jti: 'a' })).toBe(true)
    const booting = boot(RedisCacheModule.forRoot({ ...memory, use: { jwt: 'tokens' } }))
    await expect(booting).rejects.toThrow(ConfigurationError)
    await expect(booting).rejects.toThrow(/^use\.jwt: no RedisCacheModule\.forRoot .* named 'tokens'/)
  })

  it.each([
    ['throw', JwtUnavailableError],
    ['deny', true],
  ] as const)('are unknown while that connection is still being made, by policy: %s', async (onUnavailable, answer) => {
    let configured!: (options: RedisCacheModuleOptions) => void
    const options = new Promise<RedisCacheModuleOptions>((resolve) => (configured = resolve))
    let early: unknown
    @Module({
      providers: [
        {
          provide: 'EARLY',
          useFactory: async (blacklist: JwtBlacklistService) => {
            early = await blacklist.isRevoked({ jti: 'a' }).catch((error: unknown) => error)
            configured(memory)
          },
          inject: [JwtBlacklistService],
        },
      ],
    })
    class EarlyModule {}
    const app = await boot(
      RedisCacheModule.forRoot({ ...memory, jwt: { onUnavailable }, use: { jwt: 'tokens' } }),
      EarlyModule,
      RedisCacheModule.forRootAsync({ name: 'tokens', useFactory: () => options }),
    )
    expect(early).toEqual(answer === true ? true : expect.any(answer))
    const blacklist = app.get(JwtBlacklistService)
    const peer = app.get<JwtBlacklistService>(at('tokens'))
    // What it was given early did not stay: it keeps answers, and hears of what another revokes.
    const read = vi.spyOn(MemoryJwtStore.prototype, 'read')
    expect([await blacklist.isRevoked({ jti: 'a' }), await blacklist.isRevoked({ jti: 'a' })]).toEqual([false, false])
    expect(read).toHaveBeenCalledTimes(1)
    await peer.revoke({ jti: 'a', exp })
    expect(await blacklist.isRevoked({ jti: 'a' })).toBe(true)
  })
})
