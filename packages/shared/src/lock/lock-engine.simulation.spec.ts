import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { LossyLockStore } from '../../test/support/lock-lossy-store.js'
import { SetClock } from '../../test/support/lock-world.js'
import { SeededRandom } from '../../test/support/seeded-random.js'
import type { Clock, Timer } from '../kernel/clock.js'
import { MemoryHub } from '../kernel/memory-hub.js'
import type { HeldLock } from './held-lock.js'
import {
  type LockKind,
  LockEngine,
  LockLostError,
  type LockMode,
  type LockStore,
  LockTimeoutError,
  LockUnavailableError,
} from './index.js'
import { MemoryLockStore } from './stores/memory.js'

/**
 * Engines of three processes on one store, behind a network that delays, loses and repeats what they say, while processes are stopped and die. At every moment
 * those who believe to hold a lock may hold it together; its fences grow in the order in which it was granted; and when all is over nothing is
 * left. The faults put known bugs back: each must be found.
 */

const PROCESSES = 3
const PERMITS = 2
/** Longer than a simulation: what nobody has and nobody gives back is still there at its end. */
const LONGEST_MS = 100_000
/** Of the first few, one with which each bug is found early. */
const QUICK_SEED = 4

type Want = { readonly kind: LockKind; readonly mode: LockMode }
const WANTS: readonly Want[] = [
  { kind: 'mutex', mode: 'exclusive' },
  { kind: 'mutex', mode: 'exclusive' },
  { kind: 'semaphore', mode: PERMITS },
  { kind: 'read-write', mode: 'exclusive' },
  { kind: 'read-write', mode: 1_000 },
]

const calls = fc.array(
  fc.record({
    atMs: fc.nat(3_000),
    process: fc.nat(PROCESSES - 1),
    want: fc.constantFrom(...WANTS),
    ttlMs: fc.constantFrom(50, 400, 1_500, LONGEST_MS),
    waitMs: fc.constantFrom(0, 200, 2_500, 10_000),
    workMs: fc.constantFrom(0, 10, 300, 1_500),
    extendMs: fc.option(fc.constantFrom(200, 1_000, 5_000)),
    abortMs: fc.option(fc.nat(1_000), { freq: 5 }),
  }),
  { minLength: 3, maxLength: 24 },
)
const schedules = fc.record({
  calls,
  seed: fc.nat(1_000_000),
  faulty: fc.constantFrom(0, 0.2, 0.5),
  stops: fc.array(
    fc.record({ atMs: fc.nat(4_000), process: fc.nat(PROCESSES - 1), forMs: fc.constantFrom(100, 1_000, 3_000) }),
    { maxLength: 3 },
  ),
  deaths: fc.array(fc.record({ atMs: fc.nat(4_000), process: fc.nat(PROCESSES - 1) }), { maxLength: 2 }),
})
type Schedule = typeof schedules extends fc.Arbitrary<infer T> ? T : never
type Call = Schedule['calls'][number]

/** A store with a bug. */
type Bug = (store: MemoryLockStore) => LockStore
const BUGS: Record<string, Bug> = {
  'late copies are not refused': (store) => ({
    ...operations(store),
    release: (request) => store.release({ ...request, forGood: false }),
  }),
  'asking again is another holder': (store) => {
    let asked = 0
    return {
      ...operations(store),
      acquire: (request) => {
        const holder = { ...request.holder, token: `${request.holder.token} ${++asked}` }
        return store.acquire({ ...request, holder })
      },
    }
  },
  'an extension gives half of what it says': (store) => ({
    ...operations(store),
    extend: (lock, holder, ttlMs) => store.extend(lock, holder, ttlMs / 2),
  }),
  'fences begin anew': (store) => {
    let fence = 0n
    return {
      ...operations(store),
      acquire: async (request) => {
        const reply = await store.acquire(request)
        return reply.fence === null ? reply : { ...reply, fence: ++fence % 5n }
      },
    }
  },
  'the time of a lock is half of what it says': (store) => ({
    ...operations(store),
    acquire: (request) => store.acquire({ ...request, ttlMs: request.ttlMs / 2 }),
  }),
}

const operations = (store: MemoryLockStore): LockStore => ({
  acquire: (request) => store.acquire(request),
  extend: (lock, holder, ttlMs) => store.extend(lock, holder, ttlMs),
  release: (request) => store.release(request),
  listen: (process, listener) => store.listen(process, listener),
})

describe('processes that want the same locks over a bad network', () => {
  it('never hold them together, see fences grow, and leave nothing behind', async () => {
    const found = await fc.check(
      fc.asyncProperty(schedules, (schedule) => new Simulation(schedule).run()),
      { numRuns: 300 },
    )
    expect(fc.defaultReportMessage(found), String(found.errorInstance)).toBeUndefined()
  })

  it.each(Object.entries(BUGS))('would be found out if %s', async (_, bug) => {
    const found = await fc.check(
      fc.asyncProperty(schedules, (schedule) => new Simulation(schedule, bug).run()),
      { numRuns: 2_000, endOnFailure: true, seed: QUICK_SEED },
    )
    expect(found.failed).toBe(true)
  })
})

interface Got {
  readonly lock: HeldLock
  readonly want: Want
}

interface SimulatedProcess {
  readonly engine: LockEngine
  readonly store: LossyLockStore
  readonly clock: StoppedClock
  isDead: boolean
}

/** The clock of a process that can be stopped: its timers fire when it goes on. */
class StoppedClock implements Clock {
  private goesOn: Promise<void> | undefined

  constructor(private readonly clock: Clock) {}

  get isStopped(): boolean {
    return this.goesOn !== undefined
  }

  mono(): number {
    return this.clock.mono()
  }

  wall(): number {
    return this.clock.wall()
  }

  timer(ms: number, fn: () => void): Timer {
    let isCancelled = false
    const fire = (): void => {
      if (isCancelled) return
      if (this.goesOn === undefined) fn()
      else void this.goesOn.then(fire)
    }
    const timer = this.clock.timer(ms, fire)
    return {
      cancel: () => {
        isCancelled = true
        timer.cancel()
      },
    }
  }

  /** Resolves when it goes on. */
  stop(forMs: number): Promise<void> {
    this.goesOn ??= new Promise((resolve) => {
      this.clock.timer(forMs, () => {
        this.goesOn = undefined
        resolve()
      })
    })
    return this.goesOn
  }
}

class Simulation {
  private readonly clock = new SetClock()
  private readonly hub = new MemoryHub({ clock: this.clock })
  private readonly processes: SimulatedProcess[]
  private readonly got: Got[] = []
  private under = 0
  private failure: Error | undefined

  constructor(
    private readonly schedule: Schedule,
    private readonly bug: Bug = operations,
  ) {
    this.processes = Array.from({ length: PROCESSES }, (_, i) => this.process(i))
  }

  async run(): Promise<void> {
    const { calls, deaths, stops } = this.schedule
    for (const call of calls) this.clock.timer(call.atMs, () => void this.call(call))
    for (const { atMs, process } of deaths) this.clock.timer(atMs, () => this.die(process))
    for (const { atMs, process, forMs } of stops) this.clock.timer(atMs, () => this.stop(process, forMs))
    await this.pass(8_000, 200)
    for (const { store } of this.processes) store.heal()
    // What waits, and what was repeated, comes to its end.
    await this.pass(40_000, 5_000)
    // What died is waited for.
    if (deaths.length > 0) await this.pass(LONGEST_MS, LONGEST_MS)
    if (this.failure !== undefined) throw this.failure
    await this.rest()
  }

  private async pass(ms: number, stepMs: number): Promise<void> {
    for (const end = this.clock.mono() + ms; this.clock.mono() < end && this.failure === undefined;) {
      await this.clock.advance(Math.min(stepMs, end - this.clock.mono()))
      this.look()
    }
  }

  private process(i: number): SimulatedProcess {
    const { seed, faulty } = this.schedule
    const inner = this.bug(new MemoryLockStore(this.hub, 'vextrus:'))
    const store = new LossyLockStore(inner, this.clock, new SeededRandom(seed + i), faulty)
    const random = new SeededRandom(seed + i + 1_000)
    random.token = (() => {
      let tokens = 0
      return () => `${i}-${++tokens}`
    })()
    const clock = new StoppedClock(this.clock)
    return { engine: new LockEngine(store, { localTurns: 2 }, { clock, random }), store, clock, isDead: false }
  }

  /** SIGSTOP: nothing of it runs, and time goes on. */
  private stop(process: number, forMs: number): void {
    const { store, clock } = this.processes[process]!
    store.stop(clock.stop(forMs))
  }

  private die(process: number): void {
    const dying = this.processes[process]!
    dying.isDead = true
    dying.store.die()
  }

  private async call({ process, want, ttlMs, waitMs, workMs, extendMs, abortMs }: Call): Promise<void> {
    const { engine, clock, isDead } = this.processes[process]!
    if (isDead || clock.isStopped) return
    const work = (ms: number): Promise<void> => new Promise((resolve) => clock.timer(ms, resolve))
    this.under++
    try {
      const controller = new AbortController()
      if (abortMs !== null) clock.timer(abortMs, () => controller.abort(new LockTimeoutError('k', abortMs)))
      const lock = await engine.acquire(want.kind, 'k', want.mode, { ttlMs, waitMs, signal: controller.signal })
      this.granted({ lock, want })
      try {
        await work(workMs / 2)
        if (extendMs !== null) await lock.extend(extendMs)
        this.look()
        await work(workMs / 2)
      } finally {
        await lock.release()
      }
      if (lock.held) this.fail('a lock is held that was given back')
    } catch (error) {
      const isKnown =
        error instanceof LockTimeoutError || error instanceof LockUnavailableError || error instanceof LockLostError
      if (!isKnown) this.failure ??= error as Error
    } finally {
      this.under--
    }
  }

  private granted(got: Got): void {
    const { lock, want } = got
    if (!lock.held) this.fail(`a lock was handed out that is over`)
    for (const earlier of this.got) {
      if (earlier.want.kind !== want.kind) continue
      const isAlone = want.mode === 'exclusive' || earlier.want.mode === 'exclusive'
      if (isAlone ? earlier.lock.fence >= lock.fence : earlier.lock.fence === lock.fence) {
        this.fail(`fence ${lock.fence} of a ${want.kind} follows ${earlier.lock.fence}`)
      }
    }
    this.got.push(got)
    this.look()
  }

  /** Who holds what at this moment. */
  private look(): void {
    const held = this.got.filter(({ lock }) => lock.held)
    const of = (kind: LockKind): Got[] => held.filter(({ want }) => want.kind === kind)
    if (of('mutex').length > 1) this.fail('two hold a mutex')
    if (of('semaphore').length > PERMITS) this.fail(`${of('semaphore').length} hold a semaphore of ${PERMITS}`)
    const readWrite = of('read-write')
    if (readWrite.length > 1 && readWrite.some(({ want }) => want.mode === 'exclusive')) {
      this.fail('a writer is not alone')
    }
  }

  private async rest(): Promise<void> {
    for (const { engine, isDead } of this.processes) {
      if (isDead) continue
      const { lines, held } = engine as unknown as { lines: Map<string, unknown>; held: number }
      if (lines.size + held > 0) throw new Error(`left: ${lines.size} lines, ${held} locks`)
    }
    if (this.clock.pendingTimers > 0) throw new Error(`left: ${this.clock.pendingTimers} timers`)
    const hasDeaths = this.processes.some(({ isDead }) => isDead)
    if (this.under > 0 && !hasDeaths) throw new Error(`${this.under} calls never came to an end`)
    const store = new MemoryLockStore(this.hub, 'vextrus:')
    const engine = new LockEngine(store, {}, { clock: this.clock })
    for (const kind of ['mutex', 'semaphore', 'read-write'] as const) {
      const lock = await engine.tryAcquire(kind, 'k', 'exclusive')
      if (lock === null) throw new Error(`somebody still has the ${kind}`)
      await lock.release()
    }
  }

  private fail(what: string): void {
    this.failure ??= new Error(`${what} at ${this.clock.mono()} ms`)
  }
}
