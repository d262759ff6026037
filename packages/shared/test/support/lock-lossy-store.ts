import type { Clock } from '../../src/kernel/clock.js'
import {
  type AcquireReply,
  type AcquireRequest,
  type Holder,
  type LockName,
  type LockStore,
  LockUnavailableError,
  type ReleaseRequest,
  type WakeListener,
} from '../../src/lock/index.js'
import type { SeededRandom } from './seeded-random.js'

/** How long an answer is waited for, ms; an `acquire` that comes later than this is refused, as Redis does by the time that it carries. */
const DEADLINE_MS = 300
/** Later than that no copy comes, ms: it would be refused as one that was given up no longer. */
const LATEST_MS = 5_000

/**
 * Another store behind a bad network: calls are delayed, never get there, get there while their caller hears that they did not, get there much
 * later, or get there twice before the answer comes; wake-ups are delayed or lost. `heal()` ends that, and `die()` is the end of the process.
 */
export class LossyLockStore implements LockStore {
  private healed = false
  private dead = false
  /** While the process is stopped what comes for it waits. */
  private stopped: Promise<void> | undefined

  /** @param faulty the part of the calls that something befalls, 0 to 1 */
  constructor(
    private readonly inner: LockStore,
    private readonly clock: Clock,
    private readonly random: SeededRandom,
    private readonly faulty: number,
  ) {}

  heal(): void {
    this.healed = true
  }

  die(): void {
    this.dead = true
  }

  /** SIGSTOP, until the promise resolves. */
  stop(until: Promise<void>): void {
    this.stopped = until
  }

  acquire(request: AcquireRequest): Promise<AcquireReply> {
    return this.send(DEADLINE_MS, () => this.inner.acquire(request))
  }

  extend(lock: LockName, holder: Holder, ttlMs: number): Promise<boolean> {
    return this.send(LATEST_MS, () => this.inner.extend(lock, holder, ttlMs))
  }

  release(request: ReleaseRequest): Promise<boolean> {
    return this.send(LATEST_MS, () => this.inner.release(request))
  }

  listen(process: string, { woken, gap }: WakeListener): Promise<() => void> {
    const heard = (tell: () => void): void => {
      if (this.dead || (this.strikes() && this.random.chance(0.5))) return
      void this.pass(this.strikes() ? 200 : 2)
        .then(() => this.stopped)
        .then(tell)
    }
    return this.send(DEADLINE_MS, () =>
      this.inner.listen(process, { woken: (lock) => heard(() => woken(lock)), gap: () => heard(gap) }),
    )
  }

  private strikes(): boolean {
    return !this.healed && this.random.chance(this.faulty)
  }

  private pass(mostMs: number): Promise<void> {
    return new Promise((resolve) => this.clock.timer(this.random.int(mostMs + 1), resolve))
  }

  /** The caller hears of it, if it lives, when it runs. */
  private async send<T>(latestMs: number, run: () => Promise<T>): Promise<T> {
    try {
      return await this.carry(latestMs, run)
    } finally {
      await this.stopped
      if (this.dead) await new Promise(() => undefined)
    }
  }

  /** @param latestMs a copy that comes later than this after it was sent does nothing */
  private async carry<T>(latestMs: number, run: () => Promise<T>): Promise<T> {
    if (this.dead) return new Promise(() => undefined)
    if (!this.strikes()) {
      await this.pass(2)
      return run()
    }
    switch (this.random.int(5)) {
      case 0:
        await this.pass(DEADLINE_MS)
        break
      case 1:
        await this.pass(DEADLINE_MS / 2)
        return this.answered(run)
      case 2:
        // Done, and its answer never comes.
        await this.pass(DEADLINE_MS / 2)
        await run()
        await this.pass(DEADLINE_MS / 2)
        break
      case 3:
        // Given up, and done later.
        void this.later(latestMs, run)
        await this.pass(DEADLINE_MS)
        break
      default:
        // Done twice, and answered for the last time: a connection does not repeat what was answered.
        await this.later(DEADLINE_MS / 4, run)
        await this.pass(DEADLINE_MS / 4)
        return this.answered(run)
    }
    throw new LockUnavailableError('the network of the simulation')
  }

  /** Done now, answered later; but not too late. */
  private async answered<T>(run: () => Promise<T>): Promise<T> {
    const outcome = await run()
    await this.pass(DEADLINE_MS / 2)
    return outcome
  }

  private async later(mostMs: number, run: () => Promise<unknown>): Promise<void> {
    await this.pass(mostMs)
    try {
      await run()
    } catch (error) {
      // A copy that comes late is refused.
      if (!(error instanceof LockUnavailableError)) throw error
    }
  }
}
