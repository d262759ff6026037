import { Backoff } from '../kernel/backoff.js'
import { type Clock, pause, systemClock } from '../kernel/clock.js'
import { assertKey } from '../kernel/key.js'
import { type RandomSource, systemRandom } from '../kernel/random.js'
import { LockLostError, LockTimeoutError, LockUnavailableError } from './errors.js'
import { lockAcquired, lockReleased } from './events.js'
import { type Grant, HeldLock, type Lock, type LockKeeper, type ReleaseOutcome } from './held-lock.js'
import { keepHeld } from './keep-held.js'
import { type LineEnvironment, LockLine } from './lock-line.js'
import { type Holder, lockId, type LockKind, type LockMode, type LockName, type LockStore } from './lock-store.js'
import {
  type LockCallOptions,
  type LockOptions,
  resolveCall,
  type ResolvedLockOptions,
  resolveLockOptions,
} from './options.js'

/** What a {@link LockEngine} takes from its surroundings. */
export interface LockSurroundings {
  readonly clock?: Clock | undefined
  readonly random?: RandomSource | undefined
  /** Refuses keys beyond what is no key at all, such as one without its tenant. */
  readonly checkKey?: ((key: string) => void) | undefined
  /** How long locks that are held get to be given back when all is closed, ms. @default 1_000 */
  readonly lastWorkMs?: number | undefined
}

/** Between attempts to give back what the store did not answer for. */
const GIVE_UP = { baseMs: 50, capMs: 1_000 }
/** Between attempts to hear of wake-ups. */
const LISTEN = { baseMs: 200, capMs: 5_000 }

/**
 * All locks of one process on one store: what `RedisLockService`, `RedisSemaphore` and `RedisReadWriteLock` share. Each lock that somebody waits
 * for has a {@link LockLine}; each that somebody holds is a {@link HeldLock}.
 */
export class LockEngine implements LockKeeper {
  readonly clock: Clock
  private readonly random: RandomSource
  private readonly defaults: ResolvedLockOptions
  private readonly checkKey: (key: string) => void
  private readonly lastWorkMs: number
  private readonly process: string
  private readonly lines = new Map<string, LockLine>()
  private held = 0
  private readonly environment: LineEnvironment
  private hearing: 'no' | 'soon' | 'yes' = 'no'
  private stopListening: (() => void) | undefined
  /** Calls that give something back, or leave a line. */
  private underWay = 0
  private idle: (() => void) | undefined
  private closed = false

  /** @param store made at the first use when it is a function @throws ConfigurationError, InvalidDurationError */
  constructor(
    private readonly source: LockStore | (() => LockStore),
    options: LockOptions = {},
    {
      clock = systemClock,
      random = systemRandom,
      checkKey = () => undefined,
      lastWorkMs = 1_000,
    }: LockSurroundings = {},
  ) {
    this.clock = clock
    this.random = random
    this.checkKey = checkKey
    this.lastWorkMs = lastWorkMs
    this.defaults = resolveLockOptions(options)
    this.process = random.token()
    this.environment = {
      store: () => this.store,
      clock,
      random,
      process: this.process,
      localTurns: this.defaults.localTurns,
      listening: () => this.listening(),
      granted: (grant) => this.granted(grant),
      giveUp: (lock, holder, forGood, ttlMs) => void this.giveUp(lock, holder, forGood, ttlMs),
      lettingGo: (call) => void this.during(call),
      empty: (line) => this.forget(line),
    }
  }

  /** @throws LockTimeoutError, LockUnavailableError, InvalidKeyError, InvalidDurationError, ConfigurationError, the reason of the signal */
  async acquire(kind: LockKind, key: string, mode: LockMode, options: LockCallOptions = {}): Promise<HeldLock> {
    assertKey(key)
    this.checkKey(key)
    const call = resolveCall(options, this.defaults)
    call.signal?.throwIfAborted()
    if (this.closed) throw this.closedError(key)
    const name: LockName = { kind, key }
    const id = lockId(name)
    let line = this.lines.get(id)
    if (line === undefined) this.lines.set(id, (line = new LockLine(name, this.environment)))
    const since = this.clock.mono()
    const lock = await line.join(mode, call)
    lockAcquired.publish(() => ({ kind, key, waitMs: this.clock.mono() - since, fence: lock.fence }))
    return lock
  }

  /** {@link acquire} that asks once. Null: it is held. */
  async tryAcquire(kind: LockKind, key: string, mode: LockMode, options?: LockCallOptions): Promise<HeldLock | null> {
    try {
      return await this.acquire(kind, key, mode, { ...options, wait: undefined, waitMs: 0 })
    } catch (error) {
      if (error instanceof LockTimeoutError) return null
      throw error
    }
  }

  /**
   * Runs `work` while the lock is held, and extends it at a third of its time. When it is lost its signal fires at once, and the outcome is a
   * `LockLostError` as soon as `work` has settled, with what `work` threw as its `cause`.
   */
  async withLock<T>(
    kind: LockKind,
    key: string,
    mode: LockMode,
    options: LockCallOptions,
    work: (lock: Lock) => T | PromiseLike<T>,
  ): Promise<T> {
    const lock = await this.acquire(kind, key, mode, options)
    const stop = keepHeld(lock)
    let result: T
    try {
      result = await work(lock)
    } catch (cause) {
      stop()
      const { lost } = lock
      await lock.release()
      throw lost === undefined ? cause : new LockLostError(key, lost, { cause })
    }
    stop()
    const { held, lost } = lock
    const outcome = await lock.release()
    if (lost !== undefined) throw new LockLostError(key, lost)
    // Redis had lost it, and nobody had noticed.
    if (held && outcome === 'not-held') throw new LockLostError(key, 'gone')
    return result
  }

  extend(lock: LockName, holder: Holder, ttlMs: number): Promise<boolean> {
    return this.store.extend(lock, holder, ttlMs)
  }

  async release(lock: HeldLock): Promise<ReleaseOutcome> {
    const { lock: name, holder, doubtful, turns } = lock.grant
    const { heldMs } = lock
    const line = this.lines.get(lockId(name))
    const handedOn = doubtful ? undefined : line?.handOn(holder, turns, lock.leftMs)
    const outcome = await (handedOn ?? this.giveBack(lock))
    // Not before the store has answered: whoever closes waits for this, and then takes the connection away.
    this.forgetHeld(lock)
    lockReleased.publish(() => ({ ...name, heldMs, outcome }))
    return outcome
  }

  lost(lock: HeldLock): void {
    this.forgetHeld(lock)
  }

  /**
   * Those who wait reject. What is under way for them, and locks that are held, get a moment: a lock that is granted to nobody any more is given
   * back, places in line are left. What is held longer stands until its time is over.
   */
  async close(): Promise<void> {
    if (this.closed) return
    this.closed = true
    for (const line of [...this.lines.values()]) line.close(this.closedError())
    if (!this.isIdle && this.lastWorkMs > 0) {
      await new Promise<void>((resolve) => {
        const timer = this.clock.timer(this.lastWorkMs, resolve)
        this.idle = () => {
          timer.cancel()
          resolve()
        }
      })
    }
    this.stopListening?.()
  }

  private get store(): LockStore {
    return typeof this.source === 'function' ? this.source() : this.source
  }

  private granted(grant: Grant): HeldLock {
    const lock = new HeldLock(this, grant)
    this.held++
    return lock
  }

  private async giveBack(lock: HeldLock): Promise<ReleaseOutcome> {
    const { lock: name, holder, doubtful } = lock.grant
    try {
      return (await this.store.release({ lock: name, holder, forGood: doubtful })) ? 'released' : 'not-held'
    } catch (error) {
      if (!(error instanceof LockUnavailableError)) throw error
      void this.giveUp(name, holder, doubtful, lock.leftMs)
      return 'unknown'
    }
  }

  /**
   * Until the store answers: a lock that nobody has would be waited for until its time is over.
   * @param ttlMs until then
   */
  private async giveUp(lock: LockName, holder: Holder, forGood: boolean, ttlMs: number): Promise<void> {
    const retries = new Backoff(GIVE_UP, this.random)
    const until = this.clock.mono() + Math.max(ttlMs, GIVE_UP_AT_LEAST_MS)
    do {
      try {
        await this.during(this.store.release({ lock, holder, forGood }))
        return
      } catch (error) {
        if (!(error instanceof LockUnavailableError)) throw error
      }
      if (this.closed) return
      await pause(this.clock, retries.next())
    } while (this.clock.mono() < until)
  }

  private listening(): boolean {
    if (this.hearing === 'no' && !this.closed) void this.listen()
    return this.hearing === 'yes'
  }

  private async listen(): Promise<void> {
    this.hearing = 'soon'
    const retries = new Backoff(LISTEN, this.random)
    while (!this.closed && this.hearing !== 'yes' && this.lines.size > 0) {
      try {
        const stop = await this.store.listen(this.process, {
          woken: (lock) => this.lines.get(lockId(lock))?.wake(),
          gap: () => this.wakeAll(),
        })
        this.stopListening = stop
        this.hearing = 'yes'
        if (this.closed) stop()
      } catch (error) {
        if (!(error instanceof LockUnavailableError)) throw error
        await pause(this.clock, retries.next())
      }
    }
    if (this.hearing !== 'yes') this.hearing = 'no'
    this.wakeAll()
  }

  private wakeAll(): void {
    for (const line of this.lines.values()) line.wake()
  }

  private forget(line: LockLine): void {
    this.lines.delete(line.id)
    if (this.isIdle) this.idle?.()
  }

  /** Whoever closes waits for the call, and then takes the connection away. */
  private async during(call: Promise<unknown>): Promise<void> {
    this.underWay++
    try {
      await call
    } finally {
      this.underWay--
      if (this.isIdle) this.idle?.()
    }
  }

  /** Nothing is held, asked for or being given back. */
  private get isIdle(): boolean {
    return this.held + this.lines.size + this.underWay === 0
  }

  private forgetHeld(lock: HeldLock): void {
    if (lock.forgotten) return
    lock.forgotten = true
    this.held--
    if (this.isIdle) this.idle?.()
  }

  private closedError(key?: string): LockUnavailableError {
    const message =
      'the locks of this application were closed; where this happens at shutdown, stop serving requests before closing it'
    return new LockUnavailableError(message, key === undefined ? {} : { key })
  }
}

/** A call that is late, or an end that is not known well, may keep a lock for longer than it seems. */
const GIVE_UP_AT_LEAST_MS = 15_000
