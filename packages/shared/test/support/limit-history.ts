import fc from 'fast-check'
import { compileRule } from '../../src/rate-limit/rules.js'
import type { CounterReply, CounterSpec, RateLimitAlgorithm } from '../../src/rate-limit/rate-limit-store.js'
import { LimitModel } from './limit-model.js'

/** One thing that is done to a counter. */
export interface LimitStep {
  readonly does: 'take' | 'peek' | 'refund' | 'reset'
  readonly nowUs: number
  readonly cost: number
  readonly most: number
}

/** What is done to one counter, and what {@link LimitModel} says that it answers; null for what answers nothing. */
export interface LimitHistory {
  readonly spec: CounterSpec
  readonly steps: readonly LimitStep[]
  readonly replies: readonly (CounterReply | null)[]
}

const MOST_UNITS = 100_000_000
const MINUTE_MS = 60_000
const DAY_MS = 86_400_000

const units = (least: number): fc.Arbitrary<number> =>
  fc.oneof(
    fc.integer({ min: least, max: 6 }),
    fc.integer({ min: least, max: 1_000 }),
    fc.integer({ min: least, max: MOST_UNITS }),
    fc.constantFrom(least, MOST_UNITS - 1, MOST_UNITS),
  )

/** Below a second, of seconds, of hours and of days: of all three ticks, and the edges between them. */
const windowMs = fc.oneof(
  fc.integer({ min: 1, max: 999 }),
  fc.integer({ min: 1_000, max: MINUTE_MS }),
  fc.integer({ min: MINUTE_MS + 1, max: DAY_MS }),
  fc.integer({ min: DAY_MS + 1, max: 366 * DAY_MS }),
  fc.constantFrom(1, MINUTE_MS, MINUTE_MS + 1, DAY_MS, DAY_MS + 1, 366 * DAY_MS),
)

/** Any limit that a rule can have, as rules make it. */
export const limitSpecs = (algorithm: RateLimitAlgorithm): fc.Arbitrary<CounterSpec> =>
  fc
    .record({
      limit: units(0),
      window: windowMs,
      burst: algorithm === 'token-bucket' ? fc.option(units(1)) : fc.constant(null),
    })
    .map(({ limit, window, burst }) => compileRule({ algorithm, limit, window, burst: burst ?? undefined }).spec)

/** How far the clock moves on: by a part of the window, by a few µs, or to where the last answer said that something changes. */
const gap = fc.oneof(
  fc.constant({ windows: 0 }),
  fc.record({ us: fc.integer({ min: 0, max: 3_000 }) }),
  fc.record({ windows: fc.double({ min: 0, max: 1, noNaN: true }) }),
  fc.record({ windows: fc.double({ min: 0, max: 3, noNaN: true }) }),
  fc.record({ to: fc.constantFrom('retryUs', 'resetUs'), before: fc.constantFrom(0, 1) }),
)
type Gap = { windows?: number; us?: number; to?: string; before?: 0 | 1 }

/** A share of what the counter can hold, one more than it can hold, or a few. */
const cost = fc.oneof(
  fc.record({ units: fc.integer({ min: 1, max: 3 }) }),
  fc.record({ share: fc.double({ min: 0, max: 1, noNaN: true }) }),
  fc.record({ share: fc.constantFrom(1, 0.5), more: fc.constantFrom(0, 1) }),
)
type Cost = { units?: number; share?: number; more?: number }

const does = fc.oneof(
  { weight: 6, arbitrary: fc.constant('take' as const) },
  { weight: 2, arbitrary: fc.constantFrom('peek' as const, 'refund' as const) },
  { weight: 1, arbitrary: fc.constant('reset' as const) },
)

export const limitMoves = fc.record({ does, gap, cost, upTo: fc.option(cost) })
export type LimitMove = { does: LimitStep['does']; gap: Gap; cost: Cost; upTo: Cost | null }

/** Clocks of machines, and one that has just begun. */
export const limitStarts = fc.oneof(
  fc.integer({ min: 1_600_000_000_000_000, max: 4_000_000_000_000_000 }),
  fc.nat(10_000_000),
)

export const limitHistories = (algorithm: RateLimitAlgorithm, maxLength = 40): fc.Arbitrary<LimitHistory> =>
  fc
    .tuple(limitSpecs(algorithm), limitStarts, fc.array(limitMoves, { minLength: 1, maxLength }))
    .map(([spec, startUs, moves]) => historyOf(spec, startUs, moves))

function historyOf(spec: CounterSpec, startUs: number, moves: readonly LimitMove[]): LimitHistory {
  let model = new LimitModel(spec)
  let nowUs = startUs
  let last: CounterReply = { granted: 0, remaining: 0, retryUs: 0, resetUs: 0 }
  const steps: LimitStep[] = []
  const replies: (CounterReply | null)[] = []
  for (const move of moves) {
    nowUs = later(nowUs, gapUs(move.gap, spec, last))
    const step = stepOf(move, spec, nowUs)
    let reply: CounterReply | null = null
    if (step.does === 'reset') model = new LimitModel(spec)
    else if (step.does === 'refund') model.giveBack(nowUs, step.cost)
    else reply = model[step.does](nowUs, step.cost, step.most)
    steps.push(step)
    replies.push(reply)
    last = reply ?? last
  }
  return { spec, steps, replies }
}

/** What a move is for a counter of this kind at this time. */
export function stepOf({ does, cost, upTo }: LimitMove, { burst }: CounterSpec, nowUs: number): LimitStep {
  const units = ({ units, share = 0, more = 0 }: Cost): number => units ?? Math.max(1, Math.floor(share * burst)) + more
  const least = units(cost)
  return { does, nowUs, cost: least, most: upTo === null ? least : Math.max(least, units(upTo)) }
}

export function gapUs(
  { windows = 0, us, to, before = 0 }: Gap,
  { window, tickUs }: CounterSpec,
  last: CounterReply,
): number {
  if (to === 'retryUs' || to === 'resetUs') return Math.max(0, last[to] - before)
  return us ?? Math.floor(windows * window * tickUs)
}

/** No clock shows more than 2^53 µs. */
function later(nowUs: number, us: number): number {
  return nowUs + us <= Number.MAX_SAFE_INTEGER ? nowUs + us : nowUs
}
