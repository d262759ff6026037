import { type Clock, systemClock } from '../kernel/clock.js'
import { type RandomSource, systemRandom } from '../kernel/random.js'
import { type ConcurrencyPlace, Concurrency } from './concurrency.js'
import { DenyCache } from './deny-cache.js'
import { RateLimitUnavailableError } from './errors.js'
import { rateLimitRefused, rateLimitUnavailable } from './events.js'
import { Hits } from './hits.js'
import { Instances } from './instances.js'
import { LocalLimits } from './local-limits.js'
import { NewsWatch } from './news-watch.js'
import { type RateLimiterOptions, resolveRateLimiterOptions } from './options.js'
import { Plans } from './plans.js'
import type {
  ConcurrencyOptions,
  HitOptions,
  HitResult,
  RateLimitIds,
  RateLimitResult,
  RateLimitRule,
  RateLimitRuleResult,
} from './public-types.js'
import type { CounterReply, RateLimitStore } from './rate-limit-store.js'
import { asksOf, byHome, isLeased, longest, resultOf, type RuleAsk } from './rule-asks.js'
import { type CompiledRule, compile } from './rules.js'
import { type LeasedAsk, TokenLeases } from './token-leases.js'

/** What a limiter takes from its surroundings. */
export interface RateLimiterSurroundings {
  readonly clock?: Clock | undefined
  readonly random?: RandomSource | undefined
  readonly warn?: ((message: string) => void) | undefined
  /** Refuses keys of `concurrency` that a limiter may not have, such as those without the current tenant. @default all may be */
  readonly checkKey?: ((key: string) => void) | undefined
}

/**
 * Limits: so many units of something in a window, for each user, tenant, address … Several limits are one question: all let a request pass and it
 * is spent in each, or nothing is.
 *
 * While the store gives no answer, each rule's `onUnavailable` decides, within `rateLimit.timeout` once and at once after that.
 *
 * @example
 * ```ts
 * const rules = [
 *   { name: 'per-user', limit: 100, window: '1m' },
 *   { name: 'per-tenant', limit: 10_000, window: '1h', by: 'tenant', algorithm: 'sliding-window' },
 * ] as const
 * const { allowed, retryAfterMs } = await limiter.consume(rules, { user: userId, tenant: tenantId })
 * ```
 */
export class RateLimiterService {
  private readonly clock: Clock
  private readonly denials: DenyCache | undefined
  private readonly local: LocalLimits
  private readonly leases: TokenLeases
  private readonly plans: Plans | undefined
  private readonly instances: Instances
  private readonly news: NewsWatch
  private readonly places: Concurrency
  private readonly hits: Hits
  private readonly warn: (message: string) => void
  private readonly timeoutMs: number
  private readonly fixedInstances: number | undefined
  private warnedAt = -Infinity
  private closed = false

  /** @param store where the counters are; asked for at the first call @throws ConfigurationError, InvalidDurationError */
  constructor(
    private readonly store: () => RateLimitStore,
    options: RateLimiterOptions = {},
    {
      clock = systemClock,
      random = systemRandom,
      warn = () => undefined,
      checkKey = () => undefined,
    }: RateLimiterSurroundings = {},
  ) {
    const { timeoutMs, instances, denials, plan, planTtlMs } = resolveRateLimiterOptions(options)
    this.clock = clock
    this.warn = warn
    this.timeoutMs = timeoutMs
    this.fixedInstances = instances
    this.denials = denials === 0 ? undefined : new DenyCache(denials)
    this.local = new LocalLimits(clock)
    this.leases = new TokenLeases(store, clock)
    this.plans = plan && new Plans(plan, planTtlMs, timeoutMs / 2, clock, warn)
    this.instances = new Instances(store, random.token(), clock)
    this.news = new NewsWatch(store, clock, { denials: this.denials, plans: this.plans })
    const count = (): number => this.instanceCount
    this.places = new Concurrency(store, clock, random, count, checkKey)
    this.hits = new Hits(store, clock, count)
  }

  /**
   * Asks whether a request may pass, and spends it if it may. Never rejects because the store is away.
   * @param rules read once: don't change them later, make others @param cost units, times the rule's `cost`; a whole number of at least 1
   * @throws ConfigurationError, InvalidDurationError, InvalidKeyError a rule that can't be used; RateLimitIdentityError `ids` lack what a rule is by
   */
  async consume(rules: readonly RateLimitRule[], ids: RateLimitIds, cost = 1): Promise<RateLimitResult> {
    const planned = this.planned(rules, ids)
    const waitsSince = planned instanceof Promise ? this.clock.mono() : undefined
    const asks = asksOf(planned instanceof Promise ? await planned : planned, ids, cost)
    const known = this.knownRefusal(asks)
    if (known !== undefined) return told(known)
    this.start()
    try {
      const answer = this.ask(asks)
      return told(await (waitsSince === undefined && !asks.some(isLeased) ? answer : this.inTime(answer, waitsSince)))
    } catch (error) {
      if (!(error instanceof RateLimitUnavailableError)) throw error
      return told(this.decideAlone(asks, error))
    }
  }

  /** What {@link consume} would answer, without spending. @throws RateLimitUnavailableError; as {@link consume} */
  async peek(rules: readonly RateLimitRule[], ids: RateLimitIds, cost = 1): Promise<RateLimitResult> {
    const asks = asksOf(await this.planned(rules, ids), ids, cost)
    return resultOf(asks, await this.look(asks), 'redis')
  }

  /**
   * Gives back what was spent, as for a request that failed: `cost` as it was given to {@link consume}; never more than is used.
   * @throws RateLimitUnavailableError; as {@link consume}
   */
  async refund(rules: readonly RateLimitRule[], ids: RateLimitIds, cost = 1): Promise<void> {
    const asks = asksOf(await this.planned(rules, ids), ids, cost)
    await this.andForget(
      asks,
      byHome(asks).map((demand) => this.store().refund(demand)),
    )
  }

  /** As if nothing had been spent. @throws RateLimitUnavailableError; as {@link consume} */
  async reset(rules: readonly RateLimitRule[], ids: RateLimitIds): Promise<void> {
    const asks = asksOf(await this.planned(rules, ids), ids, 1)
    await this.andForget(
      asks,
      byHome(asks).map((counters) => this.store().reset(counters)),
    )
  }

  /**
   * A place among those that run at the same time, given back when it is disposed of or after `ttl`; null: all are taken.
   * @example `await using place = await limiter.concurrency(`export:${tenantId}`, { limit: 2, ttl: '5m' })`
   * @throws ConfigurationError, InvalidDurationError, InvalidKeyError; TenantKeyError the key lacks the tenant, where `tenancy.required`
   */
  concurrency(key: string, options: ConcurrencyOptions): Promise<ConcurrencyPlace | null> {
    this.start()
    return this.places.enter(key, options)
  }

  /**
   * Counts in a fixed window that begins with its first hit, and goes on counting beyond the limit: for adapters of other libraries, which decide
   * themselves. @throws ConfigurationError, InvalidDurationError, InvalidKeyError
   */
  hit(key: string, options: HitOptions): Promise<HitResult> {
    this.start()
    return this.hits.hit(key, options)
  }

  /** A key of {@link hit} as if it had never been hit. @throws RateLimitUnavailableError; ConfigurationError */
  resetHits(key: string): Promise<void> {
    return this.hits.reset(key)
  }

  /** The plan of a tenant is another now: every process asks for it anew. @throws RateLimitUnavailableError the others were not told */
  async planChanged(tenant: string): Promise<void> {
    this.plans?.forget(tenant)
    this.denials?.forgetAll()
    await this.store().announce({ type: 'plan', tenant })
  }

  /** Gives back what was taken in advance, and stops listening. The store belongs to whoever made it. */
  async close(): Promise<void> {
    this.closed = true
    this.news.stop()
    this.instances.stop()
    this.places.close()
    await this.leases.close()
  }

  private start(): void {
    if (this.closed) return
    if (this.fixedInstances === undefined) this.instances.start()
    this.news.start()
  }

  private get instanceCount(): number {
    return this.fixedInstances ?? this.instances.count
  }

  private planned(
    rules: readonly RateLimitRule[],
    { tenant }: RateLimitIds,
  ): readonly CompiledRule[] | Promise<readonly CompiledRule[]> {
    return this.plans === undefined || tenant === undefined ? compile(rules) : this.plans.apply(rules, tenant)
  }

  private knownRefusal(asks: readonly RuleAsk[]): RateLimitResult | undefined {
    if (this.denials === undefined) return undefined
    const now = this.clock.mono()
    const rules: RateLimitRuleResult[] = []
    for (const ask of asks) {
      const refusal = this.denials.find(ask, now)
      if (refusal === undefined) continue
      rules.push({
        name: ask.rule.name,
        limit: ask.spec.limit,
        windowMs: ask.rule.windowMs,
        remaining: refusal.remaining,
        retryAfterMs: Math.ceil(refusal.until - now),
        resetMs: Math.max(0, Math.ceil(refusal.resetAt - now)),
        allowed: false,
      })
    }
    return rules.length === 0
      ? undefined
      : { allowed: false, rules, source: 'deny-cache', retryAfterMs: longest(rules) }
  }

  private async ask(asks: readonly RuleAsk[]): Promise<RateLimitResult> {
    const mark = this.denials?.mark() ?? 0
    const sentAt = this.clock.mono()
    const replies = await (asks.some(isLeased) ? this.takeShared(asks) : this.takeOwn(asks, true))
    const result = resultOf(asks, replies, 'redis')
    if (!result.allowed) {
      asks.forEach((ask, i) => {
        if (replies[i]!.granted === 0) this.denials?.remember(ask, replies[i]!, mark, sentAt)
      })
    }
    return result
  }

  /**
   * The store waits for `timeout` in each of its calls: where more than one wait is part of a decision, all of them have that together. As with the
   * store's own deadlines the timer only gives notice: in a process that was blocked the answer may lie in a socket that was not read yet.
   */
  private inTime<T>(answer: Promise<T>, since = this.clock.mono()): Promise<T> {
    return new Promise((resolve, reject) => {
      const judge = (): void =>
        reject(new RateLimitUnavailableError(`no decision within ${this.timeoutMs} ms (rateLimit.timeout)`))
      let timer = this.clock.timer(Math.max(0, since + this.timeoutMs - this.clock.mono()), () => {
        timer = this.clock.timer(1, judge)
      })
      void answer.then(resolve, reject).finally(() => timer.cancel())
    })
  }

  /** Units of all tenants first: they are at hand, mostly, and are given back when the tenant's own rules refuse. */
  private async takeShared(asks: readonly RuleAsk[]): Promise<readonly CounterReply[]> {
    const shared = asks.filter(isLeased)
    const leased = await this.takeLeased(shared)
    try {
      const own = asks.filter((ask) => !isLeased(ask))
      const replies = merged(
        asks,
        leased,
        await this.takeOwn(
          own,
          leased.every(({ granted }) => granted > 0),
        ),
      )
      if (replies.some(({ granted }) => granted === 0)) this.returnLeased(shared, leased)
      return replies
    } catch (error) {
      this.returnLeased(shared, leased)
      throw error
    }
  }

  /** @param spend false: only looks, for another rule has refused */
  private async takeOwn(asks: readonly RuleAsk[], spend: boolean): Promise<readonly CounterReply[]> {
    if (asks.length === 0) return []
    return spend ? this.store().take(asks) : this.store().peek(asks)
  }

  private async takeLeased(asks: readonly (RuleAsk & LeasedAsk)[]): Promise<CounterReply[]> {
    const outcomes = await Promise.allSettled(asks.map(async (ask) => this.leases.take(ask)))
    const failed = outcomes.find((outcome) => outcome.status === 'rejected')
    const replies = outcomes.map((outcome) => (outcome.status === 'fulfilled' ? outcome.value : NOTHING))
    if (failed === undefined) return replies
    this.returnLeased(asks, replies)
    throw failed.reason
  }

  private returnLeased(asks: readonly LeasedAsk[], replies: readonly CounterReply[]): void {
    asks.forEach((ask, i) => {
      if (replies[i]!.granted > 0) this.leases.giveBack(ask)
    })
  }

  private async look(asks: readonly RuleAsk[]): Promise<readonly CounterReply[]> {
    const demands = byHome(asks)
    const replies = await Promise.all(demands.map((demand) => this.store().peek(demand)))
    const found = new Map(demands.flatMap((demand, i) => demand.map(({ id }, k) => [id, replies[i]![k]!] as const)))
    return asks.map(({ id }) => found.get(id)!)
  }

  /** What was given back, or may have been, is not refused from memory: this process waits for no news of its own. */
  private async andForget(asks: readonly RuleAsk[], changes: readonly Promise<void>[]): Promise<void> {
    const outcomes = await Promise.allSettled(changes)
    for (const { id } of asks) this.denials?.forget(id)
    for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason
  }

  /** Without the store: local rules count here, all of them or none; the others say what they were told to. */
  private decideAlone(asks: readonly RuleAsk[], cause: RateLimitUnavailableError): RateLimitResult {
    const local = asks.filter(({ rule }) => rule.onUnavailable === 'local')
    const denied = asks.some(({ rule }) => rule.onUnavailable === 'deny')
    const counted = this.local.judge(local, this.instanceCount, !denied)
    const replies = asks.map((ask): CounterReply => {
      const place = local.indexOf(ask)
      if (place !== -1) return counted[place]!
      return ask.rule.onUnavailable === 'deny'
        ? { granted: 0, remaining: 0, retryUs: SOON_US, resetUs: SOON_US }
        : { granted: ask.cost, remaining: ask.spec.burst, retryUs: 0, resetUs: 0 }
    })
    const result = resultOf(asks, replies, local.length > 0 ? 'local' : 'unavailable')
    const names = asks.map(({ rule }) => rule.name)
    rateLimitUnavailable.publish(() => ({ rules: names, allowed: result.allowed }))
    this.warnSometimes(cause)
    return result
  }

  private warnSometimes({ message }: Error): void {
    const now = this.clock.mono()
    if (now - this.warnedAt < WARN_EVERY_MS) return
    this.warnedAt = now
    this.warn(`requests are limited without Redis, each rule by its onUnavailable: ${message}`)
  }
}

/** When nobody knows: a second, in which Redis may be back. */
const SOON_US = 1_000_000
const WARN_EVERY_MS = 60_000
const NOTHING: CounterReply = { granted: 0, remaining: 0, retryUs: 0, resetUs: 0 }

/** In the order of `asks`, of which some are leased. */
function merged(
  asks: readonly RuleAsk[],
  leased: readonly CounterReply[],
  own: readonly CounterReply[],
): CounterReply[] {
  let [l, o] = [0, 0]
  return asks.map((ask) => (isLeased(ask) ? leased[l++]! : own[o++]!))
}

function told(result: RateLimitResult): RateLimitResult {
  if (!result.allowed) {
    rateLimitRefused.publish(() => ({
      rules: result.rules.filter(({ allowed }) => !allowed).map(({ name }) => name),
      source: result.source,
      retryAfterMs: result.retryAfterMs,
    }))
  }
  return result
}
