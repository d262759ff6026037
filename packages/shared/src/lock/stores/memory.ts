import type { MemoryHub } from '../../kernel/memory-hub.js'
import { LockUnavailableError } from '../errors.js'
import {
  type AcquireReply,
  type AcquireRequest,
  type Holder,
  lockId,
  type LockMode,
  type LockName,
  type LockStore,
  type ReleaseRequest,
  type WakeListener,
} from '../lock-store.js'

/** The port in process, on what modules of one `MemoryHub` share. Says and does what the scripts of `lua/` do, step by step. */
export class MemoryLockStore implements LockStore {
  private readonly space: MemoryLockSpace

  constructor(hub: MemoryHub, keyPrefix: string) {
    this.space = hub.part(
      'lock',
      keyPrefix,
      ({ clock }) =>
        new MemoryLockSpace(
          () => clock.wall(),
          () => clock.mono(),
        ),
    )
  }

  async acquire(request: AcquireRequest): Promise<AcquireReply> {
    return this.space.acquire(request)
  }

  async extend(lock: LockName, holder: Holder, ttlMs: number): Promise<boolean> {
    return this.space.extend(lock, holder, ttlMs)
  }

  async release(request: ReleaseRequest): Promise<boolean> {
    return this.space.release(request)
  }

  async listen(process: string, listener: WakeListener): Promise<() => void> {
    return this.space.listen(process, listener)
  }
}

/** The locks under one prefix. Every method is one atomic step, as a script is in Redis. */
class MemoryLockSpace {
  private readonly locks = new Map<string, LockState>()
  private readonly listeners = new Map<string, WakeListener>()
  /** Of the locks that are forgotten. */
  private lastFence = 0n
  private readonly startedAt: number
  private sweepAt = SWEEP_AT

  constructor(
    wall: () => number,
    private readonly mono: () => number,
  ) {
    this.startedAt = wall() - mono()
  }

  acquire(request: AcquireRequest): AcquireReply {
    const { lock, holder, ttlMs, process, aliveMs, giveBack, passOthers = false, next } = request
    const now = this.nowMs()
    const state = this.state(lock, now)
    if (state.givenUp.has(holder.token)) {
      throw new LockUnavailableError('the call came after its holder was given up', { key: lock.key })
    }
    const gaveBack = giveBack !== undefined && state.holders.delete(giveBack.token)
    const first = this.first(state, now)
    const isHeld = state.holders.has(holder.token)
    const isTurn = first === undefined || first.process === process || passOthers
    if (isHeld || (isTurn && admits(state, holder.mode))) {
      // A copy of an earlier question may come late: it takes no time away.
      const ends = Math.max(now + ttlMs, state.holders.get(holder.token)?.ends ?? 0)
      state.holders.set(holder.token, { mode: holder.mode, ends })
      state.waiters.delete(process)
      if (next !== undefined) state.waiters.set(process, { process, mode: next, alive: now + aliveMs })
      if (holder.mode !== 'exclusive') this.wake(lock, state, now)
      return { fence: this.nextFence(now), retryMs: 0, gaveBack, replicas: null }
    }
    if (aliveMs > 0) {
      // A Map keeps the place of a key that it has.
      state.waiters.set(process, { process, mode: holder.mode, alive: now + aliveMs })
    }
    if (gaveBack) this.wake(lock, state, now)
    const ends = first !== undefined && first.process !== process ? first.alive : earliest(state, now)
    return { fence: null, retryMs: Math.max(1, ends - now + 1), gaveBack, replicas: null }
  }

  extend(lock: LockName, { token }: Holder, ttlMs: number): boolean {
    const now = this.nowMs()
    const held = this.state(lock, now).holders.get(token)
    if (held === undefined) return false
    held.ends = Math.max(held.ends, now + ttlMs)
    return true
  }

  release({ lock, holder, process, forGood = false }: ReleaseRequest): boolean {
    const now = this.nowMs()
    const state = this.state(lock, now)
    const was = holder !== undefined && state.holders.delete(holder.token)
    if (process !== undefined) state.waiters.delete(process)
    if (forGood && holder !== undefined) state.givenUp.set(holder.token, now + GIVEN_UP_MS)
    this.wake(lock, state, now)
    if (isFree(state)) this.locks.delete(lockId(lock))
    return was
  }

  listen(process: string, listener: WakeListener): () => void {
    this.listeners.set(process, listener)
    return () => void this.listeners.delete(process)
  }

  /** The server's clock: it only ever moves forward, whatever the machine's does. */
  private nowMs(): number {
    return Math.floor(this.startedAt + this.mono())
  }

  /** Without the holders whose time is over. */
  private state(lock: LockName, now: number): LockState {
    const id = lockId(lock)
    let state = this.locks.get(id)
    if (state === undefined) {
      this.sweep(now)
      this.locks.set(id, (state = { holders: new Map(), waiters: new Map(), givenUp: new Map() }))
    }
    endExpired(state, now)
    return state
  }

  /** Locks that nobody gave back and nobody asks for again. */
  private sweep(now: number): void {
    if (this.locks.size < this.sweepAt) return
    for (const [id, state] of this.locks) {
      endExpired(state, now)
      this.first(state, now)
      if (isFree(state)) this.locks.delete(id)
    }
    this.sweepAt = Math.max(SWEEP_AT, 2 * this.locks.size)
  }

  /** The waiter whose turn it is. The dead in front of it are forgotten. */
  private first(state: LockState, now: number): Waiter | undefined {
    for (const waiter of state.waiters.values()) {
      if (waiter.alive > now) return waiter
      state.waiters.delete(waiter.process)
    }
    return undefined
  }

  private wake(lock: LockName, state: LockState, now: number): void {
    const waiter = this.first(state, now)
    if (waiter === undefined || !admits(state, waiter.mode)) return
    const listener = this.listeners.get(waiter.process)
    // A message comes after the answer to the call that sent it, and by a way of its own.
    if (listener !== undefined) queueMicrotask(() => listener.woken(lock))
  }

  /** One counter for all locks: it grows for each of them. */
  private nextFence(now: number): bigint {
    const micros = BigInt(now) * 1_000n
    this.lastFence = micros > this.lastFence ? micros : this.lastFence + 1n
    return this.lastFence
  }
}

/** For how long a late copy of a call is refused that was given up. */
const GIVEN_UP_MS = 10_000
/** Locks that are kept before those that are free are looked for. */
const SWEEP_AT = 1_000

interface LockState {
  readonly holders: Map<string, { readonly mode: LockMode; ends: number }>
  /** By process, in the order of the line. */
  readonly waiters: Map<string, Waiter>
  /** Tokens, and until when each is refused. */
  readonly givenUp: Map<string, number>
}

interface Waiter {
  readonly process: string
  readonly mode: LockMode
  readonly alive: number
}

function admits({ holders }: LockState, mode: LockMode): boolean {
  if (holders.size === 0) return true
  if (mode === 'exclusive' || holders.size >= mode) return false
  return [...holders.values()].every((holder) => holder.mode !== 'exclusive')
}

function isFree({ holders, waiters, givenUp }: LockState): boolean {
  return holders.size + waiters.size + givenUp.size === 0
}

function endExpired({ holders, givenUp }: LockState, now: number): void {
  for (const [token, { ends }] of holders) if (ends <= now) holders.delete(token)
  for (const [token, until] of givenUp) if (until <= now) givenUp.delete(token)
}

function earliest({ holders }: LockState, now: number): number {
  return holders.size === 0 ? now : Math.min(...[...holders.values()].map(({ ends }) => ends))
}
