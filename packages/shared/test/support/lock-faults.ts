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

export type LockOperation = 'acquire' | 'extend' | 'release' | 'listen'

/**
 * What befalls one call to a store.
 *
 * - `'lost'`: it never gets there, and its caller hears so
 * - `'reply lost'`: it is done, and its caller hears that it may not have been
 * - `'late'`: its caller hears that it may not have been done, and it is done when the test says {@link FaultyLockStore.landLate}
 * - `'hangs'`: nothing is done and nothing is heard
 * - `{ replyMs }`: it is done at once and its answer comes so much later
 */
export type LockFault = 'lost' | 'reply lost' | 'late' | 'hangs' | { readonly replyMs: number }

/** Another store, behind a network that does what a test says. It remembers the calls. */
export class FaultyLockStore implements LockStore {
  /** What befalls the next calls of an operation, in order; afterwards all is well. */
  readonly next: Partial<Record<LockOperation, (LockFault | 'nothing')[]>> = {}
  /** What befalls every call. */
  always: LockFault | undefined
  /** Wake-ups don't get through. */
  deaf = false
  readonly requests: AcquireRequest[] = []
  readonly calls: LockOperation[] = []
  private readonly underWay: (() => Promise<unknown>)[] = []
  private readonly listeners = new Set<WakeListener>()

  constructor(
    private readonly inner: LockStore,
    private readonly clock: Clock,
  ) {}

  acquire(request: AcquireRequest): Promise<AcquireReply> {
    this.requests.push(request)
    return this.call('acquire', () => this.inner.acquire(request))
  }

  extend(lock: LockName, holder: Holder, ttlMs: number): Promise<boolean> {
    return this.call('extend', () => this.inner.extend(lock, holder, ttlMs))
  }

  release(request: ReleaseRequest): Promise<boolean> {
    return this.call('release', () => this.inner.release(request))
  }

  listen(process: string, listener: WakeListener): Promise<() => void> {
    return this.call('listen', async () => {
      this.listeners.add(listener)
      const stop = await this.inner.listen(process, {
        woken: (lock) => void (this.deaf || listener.woken(lock)),
        gap: () => listener.gap(),
      })
      return () => {
        this.listeners.delete(listener)
        stop()
      }
    })
  }

  /** What was `'late'` is done now, in order. */
  async landLate(): Promise<void> {
    for (const call of this.underWay.splice(0)) await call().catch(ignoreRefusal)
  }

  /** Wake-ups may have been missed. */
  gap(): void {
    for (const listener of this.listeners) listener.gap()
  }

  /** How often an operation was called since the last time this was asked. */
  taken(): LockOperation[] {
    return this.calls.splice(0)
  }

  private async call<T>(operation: LockOperation, run: () => Promise<T>): Promise<T> {
    this.calls.push(operation)
    const scripted = this.next[operation]?.shift()
    const fault = scripted === 'nothing' ? undefined : (scripted ?? this.always)
    if (fault === undefined) return run()
    if (fault === 'hangs') return new Promise(() => undefined)
    if (typeof fault === 'object') {
      const outcome = await run()
      await new Promise<void>((resolve) => this.clock.timer(fault.replyMs, resolve))
      return outcome
    }
    if (fault === 'late') this.underWay.push(run)
    if (fault === 'reply lost') await run()
    throw new LockUnavailableError('no answer came, and the test wanted it so')
  }
}

/** A call that comes too late is refused. */
function ignoreRefusal(error: unknown): void {
  if (!(error instanceof LockUnavailableError)) throw error
}
