import type { CounterReply, CounterSpec, RateLimitAlgorithm } from './rate-limit-store.js'

/**
 * How the three algorithms count, in whole numbers. `lua/include/counting.lua` is the same in Redis, line by line; a change of one is a change
 * of both.
 *
 * All three answer the same question: how many whole units are free now? A request passes when its cost is not above that. A **token bucket** is
 * kept as its debt – what is missing to a full bucket – in units of 1/window of a unit, of which `limit` are paid back each tick: this is GCRA
 * (ITU-T I.371), with the theoretical arrival time kept exactly instead of rounded. A **sliding window** is the counter of Cloudflare's "How we
 * built rate limiting" (2017): the window before counts for the part of it that is not yet a window's length ago. A **fixed window** begins with
 * its first request.
 *
 * A store's clock may be set back. What was counted more than a window later than now is forgotten: a refusal writes nothing, so it would else stand
 * until the clock is there again.
 *
 * Units up to 10^8, windows up to 8.64 * 10^7 ticks: every product and sum here is below 2^53, and division goes through the remainder,
 * which is exact.
 */
export interface CounterState {
  /** Token bucket: the debt. Sliding: count of this window. Fixed: count. */
  readonly used: number
  /** Token bucket: the tick of `used`. Sliding: the number of this window since the clock's origin. Fixed: the tick at which it ends. */
  readonly at: number
  /** Sliding: count of the window before. Else 0. */
  readonly before: number
}

/** A counter that was never used, or is as if. */
export const UNUSED: CounterState = { used: 0, at: 0, before: 0 }

interface Counting {
  /** The state as it is at a tick. */
  settle(spec: CounterSpec, state: CounterState, now: number): CounterState
  /** Whole units that are free. Negative: more is used than the limit allows, which was larger once. */
  free(spec: CounterSpec, state: CounterState, now: number): number
  /** Ticks until `cost` is free, which it is not now, but can be. */
  wait(spec: CounterSpec, state: CounterState, now: number, cost: number): number
  add(spec: CounterSpec, state: CounterState, now: number, units: number): CounterState
  remove(spec: CounterSpec, state: CounterState, units: number): CounterState
  /** Ticks until it is as if never used. */
  end(spec: CounterSpec, state: CounterState, now: number): number
}

const COUNTING: Readonly<Record<RateLimitAlgorithm, Counting>> = {
  'token-bucket': {
    settle: ({ limit, window }, { used, at }, now) => ({
      used: at > now + window ? 0 : Math.max(0, used - Math.max(0, now - at) * limit),
      at: now,
      before: 0,
    }),
    free: ({ burst, window }, { used }) => quotient(burst * window - used, window),
    wait: ({ limit, burst, window }, { used }, _now, cost) => quotientUp(used - (burst - cost) * window, limit),
    add: ({ window }, state, _now, units) => ({ ...state, used: state.used + units * window }),
    remove: ({ window }, state, units) => ({ ...state, used: Math.max(0, state.used - units * window) }),
    end: ({ limit, window }, { used }) => (used === 0 ? 0 : limit === 0 ? window : quotientUp(used, limit)),
  },
  'sliding-window': {
    settle({ window }, { used, at, before }, now) {
      const current = quotient(now, window)
      // A clock that went back by less than a window is still in the later one.
      if (at === current || at === current + 1) return { used, at, before }
      return { used: 0, at: current, before: at === current - 1 ? used : 0 }
    },
    free: ({ limit, window }, { used, at, before }, now) =>
      quotient((limit - used) * window - before * left(window, at, now), window),
    wait({ limit, window }, { used, at, before }, now, cost) {
      const left_ = left(window, at, now)
      if (used + cost <= limit) return left_ - quotient((limit - used - cost) * window, before)
      // Not in this window. In the next one, this is the one before.
      return left_ + Math.max(0, window - quotient((limit - cost) * window, used))
    },
    add: (_spec, state, _now, units) => ({ ...state, used: state.used + units }),
    remove: (_spec, { used, at, before }, units) => ({
      used: Math.max(0, used - units),
      at,
      before: Math.max(0, before - Math.max(0, units - used)),
    }),
    end: ({ window }, { used, at, before }, now) =>
      used > 0 ? left(window, at, now) + window : before > 0 ? left(window, at, now) : 0,
  },
  'fixed-window': {
    // A window of which all was given back is none.
    settle: ({ window }, state, now) =>
      now >= state.at || state.at > now + 2 * window || state.used === 0
        ? { used: 0, at: now + window, before: 0 }
        : state,
    free: ({ limit }, { used }) => limit - used,
    wait: (_spec, { at }, now) => at - now,
    add: (_spec, state, _now, units) => ({ ...state, used: state.used + units }),
    remove: (_spec, state, units) => ({ ...state, used: Math.max(0, state.used - units) }),
    end: (_spec, { used, at }, now) => (used > 0 ? at - now : 0),
  },
}

/** One counter at one moment: judged, and charged when all of its demand agree. */
export class Moment {
  private readonly counting: Counting
  private readonly now: number
  private state: CounterState

  /** @param nowUs the store's clock, µs, a whole number */
  constructor(
    private readonly spec: CounterSpec,
    state: CounterState,
    private readonly nowUs: number,
  ) {
    this.counting = COUNTING[spec.algorithm]
    this.now = quotient(nowUs, spec.tickUs)
    this.state = this.counting.settle(spec, state, this.now)
  }

  /** How much of `most` it would give; 0: not even `cost`. */
  grant(cost: number, most: number): number {
    const free = this.counting.free(this.spec, this.state, this.now)
    return cost <= free ? Math.min(most, free) : 0
  }

  /** Spends what {@link grant} said. Answers the state to keep. */
  spend(units: number): CounterState {
    this.state = this.counting.add(this.spec, this.state, this.now, units)
    return this.state
  }

  /** Gives back; never more than is used. Answers the state to keep. */
  giveBack(units: number): CounterState {
    this.state = this.counting.remove(this.spec, this.state, units)
    return this.state
  }

  /** How it stands. @param granted what {@link grant} said of `cost` */
  reply(granted: number, cost: number): CounterReply {
    const { counting, spec, state, now } = this
    const remaining = Math.max(0, counting.free(spec, state, now))
    return { granted, remaining, retryUs: granted > 0 ? 0 : this.us(this.wait(cost)), resetUs: this.resetUs }
  }

  /** After so many µs it is as if never used; the state may be forgotten then. */
  get resetUs(): number {
    return this.us(this.counting.end(this.spec, this.state, this.now))
  }

  private wait(cost: number): number {
    const { spec, state, now } = this
    return cost > spec.burst ? spec.window : this.counting.wait(spec, state, now, cost)
  }

  /** From now until so many ticks after the tick of now began. */
  private us(ticks: number): number {
    return ticks === 0 ? 0 : Math.min(ticks * this.spec.tickUs, LONGEST_US) - (this.nowUs % this.spec.tickUs)
  }
}

/** 285 years. With a limit of 1 and a burst of millions it may be longer, and more than a double or a Redis expiry can hold. */
const LONGEST_US = 9_000_000_000_000_000

/** Ticks of the window of number `at` that are left; all of it for a clock that went back before it. */
function left(window: number, at: number, now: number): number {
  return Math.min(window, (at + 1) * window - now)
}

/** `floor(a / b)` for whole numbers, exact: `%` is, and so is the division of a multiple. */
function quotient(a: number, b: number): number {
  const rest = a % b
  return (a - (rest < 0 ? rest + b : rest)) / b
}

function quotientUp(a: number, b: number): number {
  return -quotient(-a, b)
}
