import type { CounterReply, CounterSpec } from '../../src/rate-limit/rate-limit-store.js'

/**
 * What limits do by their definitions, in exact arithmetic and without a thought of speed: what is free at a tick follows from all that was taken
 * before it, and "when" is found by search. Nothing here is shared with `counting.ts`.
 */
export class LimitModel {
  private readonly usage: Usage

  constructor(private readonly spec: CounterSpec) {
    this.usage = usageOf(spec)
  }

  take(nowUs: number, cost: number, most: number): CounterReply {
    return this.judge(nowUs, cost, most, true)
  }

  peek(nowUs: number, cost: number, most: number): CounterReply {
    return this.judge(nowUs, cost, most, false)
  }

  giveBack(nowUs: number, units: number): void {
    this.usage.giveBack(this.tick(nowUs), BigInt(units))
  }

  private judge(nowUs: number, cost: number, most: number, spend: boolean): CounterReply {
    const { usage } = this
    const now = this.tick(nowUs)
    const room = usage.free(now)
    const granted = BigInt(cost) <= room ? min(BigInt(most), room) : 0n
    const waits = granted > 0n ? 0n : this.wait(now, cost)
    if (spend && granted > 0n) usage.spend(now, granted)
    return {
      granted: Number(granted),
      remaining: Number(max(0n, usage.free(now))),
      retryUs: this.us(nowUs, waits),
      resetUs: this.us(
        nowUs,
        least(0n, usage.horizon, (ticks) => usage.unused(now + ticks)),
      ),
    }
  }

  /** Ticks until the first one at which the cost is free. */
  private wait(now: bigint, cost: number): bigint {
    if (cost > this.spec.burst) return BigInt(this.spec.window)
    return least(1n, this.usage.horizon, (ticks) => this.usage.free(now + ticks) >= BigInt(cost))
  }

  private tick(nowUs: number): bigint {
    return BigInt(nowUs) / BigInt(this.spec.tickUs)
  }

  /** To the beginning of the tick that comes so many after that of now. */
  private us(nowUs: number, ticks: bigint): number {
    if (ticks === 0n) return 0
    const tick = BigInt(this.spec.tickUs)
    return Number(min(ticks * tick, 9_000_000_000_000_000n) - (BigInt(nowUs) % tick))
  }
}

/** What was taken and not given back. Times are ticks; what is asked of a tick assumes that nothing is taken until then. */
interface Usage {
  /** So many ticks after anything was taken it is as if it never was. */
  readonly horizon: bigint
  free(at: bigint): bigint
  unused(at: bigint): boolean
  spend(at: bigint, units: bigint): void
  giveBack(at: bigint, units: bigint): void
}

function usageOf({ algorithm, limit, burst, window }: CounterSpec): Usage {
  const [l, w] = [BigInt(limit), BigInt(window)]
  if (algorithm === 'token-bucket') return virtualSchedule(l, BigInt(burst), w)
  return algorithm === 'sliding-window' ? slidingLog(l, w) : windowsOfRequests(l, w)
}

/**
 * ITU-T I.371, the virtual scheduling algorithm: increment T = window / limit, tolerance burst × T. All times are `limit` times as large, so that
 * T is whole.
 */
function virtualSchedule(limit: bigint, burst: bigint, window: bigint): Usage {
  let theoretical = 0n
  const arrival = (at: bigint): bigint => max(theoretical, at * limit)
  return {
    horizon: limit === 0n ? 0n : (burst * window) / limit + 1n,
    free: (at) => floor(at * limit + burst * window - arrival(at), window),
    unused: (at) => theoretical <= at * limit,
    spend: (at, units) => void (theoretical = arrival(at) + units * window),
    giveBack: (at, units) => void (theoretical = arrival(at) - units * window),
  }
}

/** Units by the number of their window; the window before counts for as much of it as lies less than a window back. */
function slidingLog(limit: bigint, window: bigint): Usage {
  const log = new Map<bigint, bigint>()
  const taken = (number: bigint): bigint => log.get(number) ?? 0n
  return {
    horizon: 2n * window,
    free(at) {
      const number = at / window
      const covered = window - (at % window)
      return floor(limit * window - taken(number) * window - taken(number - 1n) * covered, window)
    },
    unused: (at) => taken(at / window) === 0n && taken(at / window - 1n) === 0n,
    spend: (at, units) => void log.set(at / window, taken(at / window) + units),
    giveBack(at, units) {
      for (const number of [at / window, at / window - 1n]) {
        const back = min(units, taken(number))
        log.set(number, taken(number) - back)
        units -= back
      }
    },
  }
}

/** A window begins with the first units that are taken, and is none when all of them were given back. */
function windowsOfRequests(limit: bigint, window: bigint): Usage {
  let [start, units] = [0n, 0n]
  const running = (at: bigint): bigint => (at < start + window ? units : 0n)
  return {
    horizon: window,
    free: (at) => limit - running(at),
    unused: (at) => running(at) === 0n,
    spend(at, more) {
      if (running(at) === 0n) [start, units] = [at, 0n]
      units += more
    },
    giveBack: (at, back) => void (units = max(0n, running(at) - back)),
  }
}

/** The least number of those from `from` to `to` that is so, where all above it are; `to` if none is. */
function least(from: bigint, to: bigint, isSo: (number: bigint) => boolean): bigint {
  let [low, high] = [from, max(from, to)]
  while (low < high) {
    const middle = (low + high) / 2n
    if (isSo(middle)) high = middle
    else low = middle + 1n
  }
  return low
}

function floor(a: bigint, b: bigint): bigint {
  return a / b - (a % b < 0n ? 1n : 0n)
}

function min(a: bigint, b: bigint): bigint {
  return a < b ? a : b
}

function max(a: bigint, b: bigint): bigint {
  return a > b ? a : b
}
