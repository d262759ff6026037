import { Global, type INestApplication, Module, type Provider, type Type } from '@nestjs/common'
import { APP_GUARD } from '@nestjs/core'
import { ExpressAdapter, type NestExpressApplication } from '@nestjs/platform-express'
import { FastifyAdapter } from '@nestjs/platform-fastify'
import { Test, type TestingModule } from '@nestjs/testing'
import type { RateLimiterOptions } from '../../src/rate-limit/options.js'
import { RateLimiterService } from '../../src/rate-limit/rate-limiter.js'
import { type RateLimitGuardOptions, RateLimitGuardSettings } from '../../src/rate-limit/nest/guard-options.js'
import { RateLimitGuard } from '../../src/rate-limit/nest/rate-limit.guard.js'
import type { FaultyLimitStore } from './limit-faults.js'
import { LimitWorld, type MemoryClock } from './limit-world.js'

export const PLATFORMS = ['Express', 'Fastify'] as const
export type Platform = (typeof PLATFORMS)[number]

export interface LimitedOptions {
  readonly guard?: RateLimitGuardOptions
  readonly limiter?: RateLimiterOptions
  readonly currentTenant?: () => string | undefined
  readonly controllers?: Type[]
  /** Gateways, guards that stand before, filters. */
  readonly providers?: Provider[]
  /** False: the guard stands where the controllers put it. @default true */
  readonly global?: boolean
}

/** What the guard needs of the toolkit, without the module: a limiter on a memory of its own whose time and faults the test makes. */
export async function limitedModule(options: LimitedOptions): Promise<{
  module: TestingModule
  limiter: RateLimiterService
  clock: MemoryClock
  store: FaultyLimitStore
}> {
  const { guard, limiter: limiterOptions, currentTenant, controllers = [], providers = [], global = true } = options
  const world = new LimitWorld()
  const { limiter, store } = world.process(limiterOptions)
  const toolkit: Provider[] = [
    { provide: RateLimiterService, useValue: limiter },
    { provide: RateLimitGuardSettings, useFactory: () => new RateLimitGuardSettings(guard, currentTenant) },
  ]
  class Limits {}
  Global()(Limits)
  Module({ providers: toolkit, exports: [RateLimiterService, RateLimitGuardSettings] })(Limits)
  const module = await Test.createTestingModule({
    imports: [Limits],
    controllers,
    providers: [...providers, ...(global ? [{ provide: APP_GUARD, useClass: RateLimitGuard }] : [])],
  }).compile()
  return { module, limiter, clock: world.clock, store }
}

/** An application that does not listen yet. @param trusted proxies whose `X-Forwarded-For` is believed */
export function httpApp(module: TestingModule, platform: Platform, trusted?: string): INestApplication {
  if (platform === 'Fastify') {
    const adapter = new FastifyAdapter(trusted === undefined ? {} : { trustProxy: trusted })
    return module.createNestApplication(adapter as never, { logger: false })
  }
  const app = module.createNestApplication<NestExpressApplication>(new ExpressAdapter(), { logger: false })
  if (trusted !== undefined) app.set('trust proxy', trusted)
  return app
}
