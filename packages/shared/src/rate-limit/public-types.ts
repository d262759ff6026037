import type { Duration } from '../kernel/duration.js'
import type { RateLimitAlgorithm } from './rate-limit-store.js'

/** Whom or what a request is from; each rule's `by` picks its id. */
export interface RateLimitIds {
  readonly user?: string | undefined
  /** Counters of different tenants are apart, also of rules that are by something else, unless the rule's `scope` is `'global'`. */
  readonly tenant?: string | undefined
  /** An address as text; see `clientAddress` for the form in which IPv6 is counted. */
  readonly ip?: string | undefined
  /** Anything else that a rule may be by, such as `apiKey`. */
  readonly [name: string]: string | undefined
}

/** What is done with a request while the store of the limits gives no answer. */
export type OnUnavailable = 'allow' | 'deny' | 'local'

/** One limit. */
export interface RateLimitRule {
  /** Units that pass in a window; 0 refuses all. A whole number up to 100,000,000. */
  readonly limit: number
  /** A number is milliseconds. Up to 366 days. */
  readonly window: Duration
  /**
   * `'token-bucket'`: `limit` units a window come back evenly, up to `burst` (GCRA, ITU-T I.371). `'sliding-window'`: the count of this window and
   * the part of the one before that a window's length back from now still covers. `'fixed-window'`: a window begins with its first request; at its
   * end twice the limit may pass in a short time.
   * @default 'token-bucket'
   */
  readonly algorithm?: RateLimitAlgorithm | undefined
  /** What a full bucket holds, a whole number of at least 1: token bucket alone. @default limit */
  readonly burst?: number | undefined
  /**
   * Whom it counts by: the name of an id, or a function that makes one. Without a user, or whatever id it names, it counts by `ip`.
   * @default 'user'
   */
  readonly by?: (string & {}) | 'user' | 'tenant' | 'ip' | ((ids: RateLimitIds) => string) | undefined
  /** Units that one unit of the call's cost is in this rule. @default 1 */
  readonly cost?: number | undefined
  /** Rules of one name, window, algorithm and `by` share their counters. @default `by` and the window, such as `user-60000` */
  readonly name?: string | undefined
  /**
   * `'local'`: a bucket of this process, with the limit divided by the number of instances. @default 'local'
   */
  readonly onUnavailable?: OnUnavailable | undefined
  /**
   * `'global'`: one counter for all tenants. It lives elsewhere than those of a tenant, so its units are taken in advance, some at a time
   * ({@link RateLimitRule.lease}), and spent in the process.
   * @default 'tenant'
   */
  readonly scope?: 'tenant' | 'global' | undefined
  /**
   * With `scope: 'global'`: most units that a process takes in advance. At most so many for each process may be refused although they are free, and
   * may pass in the second after their window. 1 is exact, and a round trip for each request. @default a hundredth of the limit, at least 1
   */
  readonly lease?: number | undefined
}

/**
 * Who decided: `redis`, the store (also when the driver is `'memory'`); `deny-cache`, this process, from a refusal of the store that still holds;
 * `local`, a bucket of this process, and `unavailable`, the rules' `onUnavailable`, because the store gave no answer.
 */
export type RateLimitSource = 'redis' | 'deny-cache' | 'local' | 'unavailable'

/** How one rule stands, after what was spent. */
export interface RateLimitRuleResult {
  readonly name: string
  /** That of the tenant's plan, if it says another; so is `windowMs`. */
  readonly limit: number
  readonly windowMs: number
  /** Units that may be spent now. */
  readonly remaining: number
  /** Refused: after so many ms it would pass, if nobody else spends; the window when it can never pass. Else 0. */
  readonly retryAfterMs: number
  /** After so many ms the rule is as if never used. */
  readonly resetMs: number
  /** This rule lets it pass. */
  readonly allowed: boolean
}

/** The decision on one call, over all its rules. */
export interface RateLimitResult {
  /** All rules let it pass, and it was spent in each. False: nothing was spent. */
  readonly allowed: boolean
  /** One for each rule, in the order given; from the deny cache, those alone that are known to refuse. */
  readonly rules: readonly RateLimitRuleResult[]
  readonly source: RateLimitSource
  /** The longest of the rules that refuse; 0: allowed. */
  readonly retryAfterMs: number
}

/** What `concurrency` takes. */
export interface ConcurrencyOptions {
  /** How many may run at the same time. */
  readonly limit: number
  /** For how long a place is held that nobody gives back. A number is milliseconds. */
  readonly ttl: Duration
  /** `'local'`: at most the limit divided by the number of instances in this process. @default 'local' */
  readonly onUnavailable?: OnUnavailable | undefined
}

/** What `hit` takes. */
export interface HitOptions {
  /** A number is milliseconds. */
  readonly window: Duration
  /** Beyond it the key is blocked for `blockFor`. */
  readonly limit?: number | undefined
  /** For how long no hit is counted once the limit was exceeded; then a new window begins. A number is milliseconds. @default not at all */
  readonly blockFor?: Duration | undefined
  /** Added to the count; 0 only looks, -1 takes one back. @default 1 */
  readonly by?: number | undefined
  /** `'local'`: the count of this process times the number of instances. @default 'local' */
  readonly onUnavailable?: OnUnavailable | undefined
}

/** How a key of `hit` stands. */
export interface HitResult {
  /** In this window. */
  readonly hits: number
  /** The window ends after so many ms. */
  readonly resetMs: number
  /** Blocked for so many ms yet; 0: it is not. */
  readonly blockedMs: number
  readonly source: RateLimitSource
}
