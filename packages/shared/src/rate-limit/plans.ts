import type { LRUCache } from 'lru-cache'
import type { Clock } from '../kernel/clock.js'
import { withDeadline } from '../kernel/deadline.js'
import { ConfigurationError, messageOf, VextrusError } from '../kernel/errors.js'
import { growingLru } from '../kernel/growing-lru.js'
import type { RateLimitPlan, RateLimiterOptions } from './options.js'
import type { RateLimitRule } from './public-types.js'
import { type CompiledRule, compile, compileRule } from './rules.js'

/** Tenants whose plan a process remembers. */
const MOST_TENANTS = 10_000

/**
 * The plans of tenants: asked for once and remembered for a time; then asked for again while the old one counts. A plan that can't be had in time,
 * or at all, leaves the one before, or else the rules as they are written: plans change limits, and nothing stands or falls with them.
 */
export class Plans {
  private readonly remembered: LRUCache<string, Remembered>
  private expired = 0

  /** @param waitMs for how long a request waits for a plan that nobody remembers @param warn told when a plan can't be had, once a tenant */
  constructor(
    private readonly resolve: NonNullable<RateLimiterOptions['plan']>,
    private readonly ttlMs: number,
    private readonly waitMs: number,
    private readonly clock: Clock,
    private readonly warn: (message: string) => void,
  ) {
    this.remembered = growingLru(MOST_TENANTS)
  }

  /** The rules as they are for a tenant: at once when its plan is remembered. */
  apply(rules: readonly RateLimitRule[], tenant: string): readonly CompiledRule[] | Promise<readonly CompiledRule[]> {
    let plan = this.remembered.get(tenant)
    if (plan === undefined) this.remembered.set(tenant, (plan = { until: 0, warned: false }))
    if (plan.loading === undefined && plan.until <= this.clock.mono()) plan.loading = this.load(tenant, plan)
    if (plan.known || plan.late || plan.loading === undefined) return this.planned(rules, plan)
    return withDeadline(plan.loading, this.waitMs, this.clock, () => TOO_LATE).then(
      () => this.planned(rules, plan),
      (error: unknown) => {
        if (error !== TOO_LATE) throw error
        // One request has waited for it; no other does.
        plan.late = true
        return this.planned(rules, plan)
      },
    )
  }

  /** The plan of a tenant is another now. A load that is under way may still answer the old one: it is not kept. */
  forget(tenant: string): void {
    this.remembered.delete(tenant)
  }

  /** Plans may have changed unheard: all are asked for again, also those that are being asked for, while the old ones count. */
  expire(): void {
    this.expired++
    for (const plan of this.remembered.values()) plan.until = 0
  }

  private async load(tenant: string, plan: Remembered): Promise<void> {
    plan.late = false
    const { expired } = this
    let keepMs = this.ttlMs
    try {
      // In a turn of its own: what is thrown at once is a failure as any other, and comes after `loading` is set.
      const answer = Promise.resolve(tenant).then(this.resolve)
      plan.value = await withDeadline(answer, LONGEST_LOAD_MS, this.clock, () => new Error('no answer within 10 s'))
      plan.known = true
    } catch (error) {
      keepMs = Math.min(keepMs, RETRY_MS)
      this.warnOnce(plan, `the plan of a tenant can't be had, and its limits are as before: ${messageOf(error)}`)
    }
    plan.until = expired === this.expired ? this.clock.mono() + keepMs : 0
    plan.loading = undefined
  }

  private planned(rules: readonly RateLimitRule[], plan: Remembered): readonly CompiledRule[] {
    if (plan.value == null) return compile(rules)
    try {
      return compiledBy(rules, plan.value)
    } catch (error) {
      if (!(error instanceof VextrusError)) throw error
      const compiled = compile(rules)
      this.warnOnce(plan, `the plan of a tenant can't be used, and its limits are as written: ${error.message}`)
      return compiled
    }
  }

  private warnOnce(plan: Remembered, message: string): void {
    if (plan.warned) return
    plan.warned = true
    this.warn(message)
  }
}

/** Before a plan that could not be had is asked for again. */
const RETRY_MS = 1_000
/** One that is never answered must not be the last that was asked for. */
const LONGEST_LOAD_MS = 10_000
const TOO_LATE = new Error('the plan took too long')

interface Remembered {
  value?: RateLimitPlan | undefined
  known?: boolean
  /** Nobody waits for what is loading. */
  late?: boolean
  /** Monotonic ms. */
  until: number
  loading?: Promise<void> | undefined
  warned: boolean
}

/** By plan and list of rules: an application has few of each. */
const lists = new WeakMap<RateLimitPlan, WeakMap<readonly RateLimitRule[], readonly CompiledRule[]>>()

/** @throws ConfigurationError, InvalidDurationError a plan or rule that can't be used */
function compiledBy(rules: readonly RateLimitRule[], plan: RateLimitPlan): readonly CompiledRule[] {
  if (typeof plan !== 'object') throw new ConfigurationError('rateLimit.plan', 'must answer an object, by name of rule')
  let known = lists.get(plan)
  if (known === undefined) lists.set(plan, (known = new WeakMap()))
  let compiled = known.get(rules)
  if (compiled === undefined)
    known.set(rules, (compiled = compile(rules).flatMap((rule, i) => planRule(rule, rules[i]!, plan))))
  return compiled
}

function planRule(compiled: CompiledRule, rule: RateLimitRule, plan: RateLimitPlan): readonly CompiledRule[] {
  const { name } = compiled
  const other = Object.hasOwn(plan, name) ? plan[name] : plan['*']
  if (other === undefined) return [compiled]
  if (other === false) return []
  if (typeof other !== 'object' || other === null) {
    throw new ConfigurationError('rateLimit.plan', `must say of rule '${name}' what is another, or false`)
  }
  const { burst, ...rest } = rule
  // A burst is of the limit that it was written beside.
  const own = other.limit === undefined && burst !== undefined ? { burst } : {}
  return [compileRule({ ...rest, ...own, ...other, name })]
}
