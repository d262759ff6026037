// The types of the rate limits: rules, options, calls and what they answer; the guard and where its decorators may stand.
import { Controller, type ExecutionContext, Injectable, Post, UseGuards } from '@nestjs/common'
import { RedisCacheModule, type RedisCacheModuleOptions } from '@vextrus/shared'
import {
  clientAddress,
  type ConcurrencyPlace,
  type HitResult,
  RateLimit,
  RateLimitExceededException,
  RateLimitGuard,
  type RateLimitGuardOptions,
  type RateLimiterOptions,
  RateLimiterService,
  RateLimitIdentityError,
  type RateLimitOptions,
  type RateLimitPlan,
  type RateLimitResult,
  type RateLimitRule,
  type RateLimitSource,
  RateLimitUnavailableError,
  RateLimitUndecidedException,
  SkipRateLimit,
} from '@vextrus/shared/rate-limit'

export const rules: readonly RateLimitRule[] = [
  { limit: 100, window: '1m' },
  { name: 'burst', limit: 10, window: 1_000, burst: 20, cost: 2, onUnavailable: 'allow' },
  { name: 'tenant', limit: 10_000, window: '1h', by: 'tenant', algorithm: 'sliding-window', onUnavailable: 'deny' },
  { name: 'key', limit: 5, window: '1s', by: 'apiKey', algorithm: 'fixed-window', burst: undefined },
  { name: 'route', limit: 5, window: '1s', by: ({ user, route }) => `${user}:${route}` },
  { name: 'all', limit: 1_000_000, window: '1s', scope: 'global', lease: 100 },
]
// @ts-expect-error a rule needs its window
export const windowless: RateLimitRule = { limit: 100 }
// @ts-expect-error there is no such algorithm
export const leaky: RateLimitRule = { limit: 100, window: '1m', algorithm: 'leaky-bucket' }

const plans: Record<string, RateLimitPlan> = { free: { '*': { limit: 10 }, burst: false }, pro: {} }
const engine: RateLimiterOptions = {
  ...{ timeout: '50ms', instances: 4, denyCache: { maxEntries: 1_000 }, planTtl: '5m' },
  plan: async (tenant) => plans[tenant],
}
export const options: RateLimitOptions = { ...engine, rules: [{ limit: 100, window: '1m' }], shadow: true }
RedisCacheModule.forRoot({ rateLimit: options, use: { rateLimit: 'limits', lock: 'locks' } })
RedisCacheModule.forRoot({ rateLimit: undefined, use: { rateLimit: undefined } })
RedisCacheModule.forRoot({ rateLimit: { denyCache: false, plan: (tenant) => plans[tenant] } })
// @ts-expect-error there is no such option
RedisCacheModule.forRoot({ rateLimit: { limit: 100 } })
// @ts-expect-error there is no such capability
RedisCacheModule.forRoot({ use: { rateLimits: 'limits' } })
export const passedOn = (given: RedisCacheModuleOptions): RateLimitOptions | undefined => given.rateLimit

@Injectable()
export class Exports {
  constructor(private readonly limiter: RateLimiterService) {}

  async decide(user: string, tenant: string | undefined): Promise<RateLimitSource> {
    const result: RateLimitResult = await this.limiter.consume(rules, { user, tenant, apiKey: 'k', ip: undefined }, 3)
    const first = result.rules[0]
    if (!result.allowed && first !== undefined) throw new Error(`${first.name}: in ${first.retryAfterMs} ms`)
    try {
      await this.limiter.refund(rules, { user })
      await this.limiter.reset(rules, { user })
      await this.limiter.planChanged('t1')
      return (await this.limiter.peek(rules, { user }, 2)).source
    } catch (error) {
      if (error instanceof RateLimitUnavailableError) return error.unsent ? 'unavailable' : 'local'
      if (error instanceof RateLimitIdentityError) return 'unavailable'
      throw error
    }
  }

  async alone(): Promise<boolean> {
    await using place = await this.limiter.concurrency('export:t1', { limit: 2, ttl: '5m' })
    return place !== null
  }

  async others(): Promise<[HitResult, ConcurrencyPlace | null]> {
    return [
      await this.limiter.hit('a', { window: '1m', limit: 5, blockFor: '5m', by: -1, onUnavailable: 'local' }),
      await this.limiter.concurrency('b', { limit: 1, ttl: 1_000 }),
    ]
  }

  async misused(): Promise<void> {
    // @ts-expect-error ids are texts
    await this.limiter.consume(rules, { user: 42 })
    // @ts-expect-error a place needs the time after which it is given back
    await this.limiter.concurrency('a', { limit: 1 })
    // @ts-expect-error a result is read-only
    ;(await this.limiter.consume(rules, {})).allowed = true
  }
}

@Controller('orders')
@RateLimit({ limit: 1_000, window: '1m' })
export class OrdersController {
  @Post()
  @RateLimit({
    limit: 10,
    window: '1s',
    by: (context: ExecutionContext) => context.switchToHttp().getRequest<Call>().key,
  })
  @RateLimit({ limit: 50_000, window: '1d', by: 'tenant', algorithm: 'fixed-window', name: 'day', cost: 2 })
  @UseGuards(RateLimitGuard)
  create(): void {}

  @SkipRateLimit()
  health(): void {}

  // @ts-expect-error a limit needs its window
  @RateLimit({ limit: 10 })
  windowless(): void {}
}

interface Call {
  readonly key: string | undefined
}

export const guarded: RateLimitGuardOptions = {
  ...{ headers: false, ipv6Prefix: 56, errorMessage: 'Slow down.', shadow: (rule: string) => rule === 'day' },
  identity: async (context) => ({ user: context.getClass().name, apiKey: undefined }),
  skip: (context) => context.getType() !== 'http',
}
RedisCacheModule.forRoot({ rateLimit: { ...guarded, ...engine } })

export function isRefusal(error: unknown): number | undefined {
  if (error instanceof RateLimitExceededException) return error.retryAfter
  return error instanceof RateLimitUndecidedException ? error.getStatus() : undefined
}
export const network: string | undefined = clientAddress('2001:db8::1', 64)
