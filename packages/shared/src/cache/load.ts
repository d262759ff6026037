import type { AsyncResource } from 'node:async_hooks'
import type { Timer } from '../kernel/clock.js'
import type { Caller } from './caller.js'
import { LoadStop } from './load-stop.js'

/** What came of joining: a value, or the advice to read again. */
export type Outcome = { readonly value: unknown } | null

/** A caller that waits for a load. */
export interface Joined {
  readonly caller: Caller
  /** Its async context: a loader of its own, called later, sees the request that it belongs to. */
  readonly scope: AsyncResource
  resolve(outcome: Outcome): void
  reject(error: unknown): void
}

/** One load of a key, from the question for its lease to the answer of its fill. */
export class Load {
  /** Number drawn when the loader was called. */
  began = Number.POSITIVE_INFINITY
  /** False once the fill was sent: from then on nobody joins, they read. */
  joinable = true
  readonly joined = new Set<Joined>()
  /** It goes on although nobody waits: it refreshes an entry, or a caller has left it because of the time. */
  kept = false
  readonly stop = new LoadStop()
  /** Ends it when its leader's time is over. */
  timer: Timer | null = null
  /** Everybody has been told what came of it. */
  ended = false
  /** Loads that its loader waits for now, each as often as it is waited for. */
  readonly waitsFor: Load[] = []
  /** A load waits for it, which may keep the place that it would queue for. */
  urgent = false
  /** Starts it while it queues. */
  goPast: () => void = () => undefined
  readonly settled: Promise<void>
  settle!: () => void

  constructor(readonly key: string) {
    this.settled = new Promise((resolve) => (this.settle = resolve))
  }

  /** Whether it is a load of one of these keys, or waits for one. */
  reaches(keys: ReadonlySet<string>, seen = new Set<Load>()): boolean {
    if (keys.has(this.key)) return true
    seen.add(this)
    return this.waitsFor.some((next) => !seen.has(next) && next.reaches(keys, seen))
  }
}
