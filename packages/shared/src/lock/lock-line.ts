import { onAbort } from '../kernel/abort-listeners.js'
import { Backoff } from '../kernel/backoff.js'
import type { Clock, Timer } from '../kernel/clock.js'
import type { RandomSource } from '../kernel/random.js'
import { LockTimeoutError, LockUnavailableError } from './errors.js'
import { lockTimedOut } from './events.js'
import { endOf, type Grant, HeldLock, leftOf, momentOf, type ReleaseOutcome } from './held-lock.js'
import { type AcquireReply, type Holder, lockId, type LockMode, type LockName, type LockStore } from './lock-store.js'
import type { ResolvedCall } from './options.js'

/** For how long a waiting process keeps its place in the line of a lock without being heard of, ms: what one that dies costs the others. */
export const ALIVE_MS = 2_000
/** A process that waits is heard of this often, ms: what a wake-up that was lost costs. */
export const HEARTBEAT_MS = 600
/** How often it asks while no wake-up can reach it, ms. */
const DEAF_MS = 100
/** Between attempts while the store does not answer. */
const RETRY = { baseMs: 50, capMs: 1_000 }

/** What a {@link LockLine} takes from its engine. */
export interface LineEnvironment {
  store(): LockStore
  readonly clock: Clock
  readonly random: RandomSource
  /** Names this process in the store. */
  readonly process: string
  readonly localTurns: number
  /** Whether a wake-up would be heard; where not, it is seen to. */
  listening(): boolean
  granted(grant: Grant): HeldLock
  /** A holder whose lock nobody has, or may have, any more. @param ttlMs for how long the store keeps it at most */
  giveUp(lock: LockName, holder: Holder, forGood: boolean, ttlMs: number): void
  /** A call that lets go of something is under way. */
  lettingGo(call: Promise<void>): void
  /** Nobody waits here any more. */
  empty(line: LockLine): void
}

/**
 * The callers of this process that want one lock, first come, first served.
 *
 * Only the first of them is known to the store: it asks, and while it is not its turn the process has one place in the store's line, which a
 * heartbeat keeps. Whoever gives the lock back while others of its process wait hands it to the next of them, with a new fence, in the one step
 * that gives it back – some times; then a process that waits has its turn.
 *
 * One file, though a long one: asking, resting, leaving and handing on change the same few fields, and each is right only beside the others.
 */
export class LockLine {
  private readonly callers: Caller[] = []
  private readonly retries: Backoff
  private running = false
  /** The store is being asked, and its answer will be seen to. */
  private asking = false
  private resting: (() => void) | undefined
  private woken = false
  private returned: Returned | undefined
  /** This process has, or may have, a place in the store's line. */
  private placed = false
  /** The store did not answer when it was last asked. */
  private failure: LockUnavailableError | undefined

  constructor(
    private readonly lock: LockName,
    private readonly environment: LineEnvironment,
  ) {
    this.retries = new Backoff(RETRY, environment.random)
  }

  /** Of all locks of a process. */
  get id(): string {
    return lockId(this.lock)
  }

  /** @throws LockTimeoutError, LockUnavailableError, the reason of the caller's signal */
  join(mode: LockMode, call: ResolvedCall): Promise<HeldLock> {
    const { clock, random } = this.environment
    if (call.waitMs === 0 && this.resting !== undefined) return Promise.reject(this.reasonFor({ call }))
    return new Promise<HeldLock>((resolve, reject) => {
      const caller: Caller = {
        call,
        holder: { token: random.token(), mode },
        since: clock.mono(),
        doubtful: false,
        gone: false,
        resolve,
        reject,
        stop: [],
      }
      const { signal, waitMs } = call
      if (waitMs > 0) {
        const timer: Timer = clock.timer(waitMs, () => this.leave(caller, this.reasonFor(caller)))
        caller.stop.push(() => timer.cancel())
      }
      if (signal !== undefined) caller.stop.push(onAbort(signal, () => this.leave(caller, signal.reason)))
      this.callers.push(caller)
      if (!this.running) void this.run()
    })
  }

  /** It may be this process's turn. */
  wake(): void {
    this.woken = true
    this.resting?.()
  }

  /**
   * Gives a lock back by handing it on within the process. Undefined: nobody here waits for that.
   * @param turns of its grant @param leftMs of its time
   */
  handOn(holder: Holder, turns: number, leftMs: number): Promise<ReleaseOutcome> | undefined {
    // A second one in the same moment finds nobody at rest: the first has woken whoever was.
    if (this.resting === undefined) return undefined
    return new Promise((settle) => {
      this.returned = { holder, turns, leftMs, settle }
      this.wake()
    })
  }

  /** Everybody leaves. */
  close(error: LockUnavailableError): void {
    for (const caller of [...this.callers]) this.leave(caller, error)
  }

  private async run(): Promise<void> {
    this.running = true
    for (let caller = this.callers[0]; caller !== undefined; caller = this.callers[0]) {
      const pauseMs = await this.ask(caller)
      if (pauseMs > 0) await this.rest(pauseMs)
    }
    this.running = false
    this.leaveStore()
    this.environment.empty(this)
  }

  /** One call to the store for the first caller. Answers for how long to rest. */
  private async ask(caller: Caller): Promise<number> {
    const { clock, process, localTurns } = this.environment
    const { call, holder } = caller
    const { returned } = this
    this.returned = undefined
    this.woken = false
    const passOthers = returned !== undefined && returned.turns < localTurns
    const aliveMs = call.waitMs > 0 ? ALIVE_MS : 0
    const second = this.callers[1]
    // Who asks once has no place to leave to the next, who asks for one itself.
    const next = aliveMs > 0 && second !== undefined && second.call.waitMs > 0 ? second.holder.mode : undefined
    const sentAt = momentOf(clock)
    let reply: AcquireReply
    this.asking = true
    try {
      reply = await this.environment.store().acquire({
        lock: this.lock,
        holder,
        ttlMs: call.ttlMs,
        process,
        aliveMs,
        giveBack: returned?.holder,
        passOthers,
        next,
        replicas: call.replicas,
      })
    } catch (error) {
      if (!(error instanceof LockUnavailableError && error.unsent)) {
        caller.doubtful = true
        if (aliveMs > 0) this.placed = true
      }
      if (returned !== undefined) this.keepReturned(returned)
      if (error instanceof LockUnavailableError) this.failed(caller, (this.failure = error))
      else this.leave(caller, error)
      this.forsake(caller)
      this.asking = false
      return this.callers.length === 0 ? 0 : this.retries.next()
    }
    this.asking = false
    this.retries.reset()
    this.failure = undefined
    caller.failure = undefined
    returned?.settle(reply.gaveBack ? 'released' : 'not-held')
    if (reply.fence === null) {
      if (aliveMs > 0) this.placed = true
      if (call.waitMs === 0) this.leave(caller, this.timeout(caller))
      else this.forsake(caller)
      return Math.min(reply.retryMs, this.patienceMs)
    }
    this.placed = next !== undefined
    const turns = passOthers ? returned.turns + 1 : 0
    const grant = {
      lock: this.lock,
      holder,
      fence: reply.fence,
      sentAt,
      ttlMs: call.ttlMs,
      doubtful: caller.doubtful,
      turns,
    }
    return this.granted(caller, grant, reply.replicas)
  }

  private granted(caller: Caller, grant: Grant, replicas: number | null): number {
    const { clock } = this.environment
    const { call } = caller
    const isOver = leftOf(endOf(grant.sentAt, grant.ttlMs), clock) <= 0
    const isSafe = replicas === null || replicas >= call.replicas
    if (!caller.gone && !isOver && isSafe) {
      this.remove(caller)
      caller.resolve(this.environment.granted(grant))
      // The next one has its place already, and can't come in beside a holder that is alone: it waits to be handed the lock, or for its end.
      return this.placed && grant.holder.mode === 'exclusive' ? Math.min(grant.ttlMs, this.patienceMs) : 0
    }
    // Nobody has it: its caller went away meanwhile, or its time was over before the answer came, and such a lock is never handed out.
    this.environment.giveUp(this.lock, grant.holder, caller.doubtful, grant.ttlMs)
    if (caller.gone) return 0
    caller.holder = { ...caller.holder, token: this.environment.random.token() }
    caller.doubtful = false
    const { key } = this.lock
    this.failed(caller, isSafe ? tooLate(key, grant.ttlMs) : tooFewReplicas(key, replicas, call.replicas))
    return caller.gone || isSafe ? 0 : this.retries.next()
  }

  /** Without a wake-up. */
  private get patienceMs(): number {
    return this.environment.listening() ? HEARTBEAT_MS : DEAF_MS
  }

  private failed(caller: Caller, failure: LockUnavailableError): void {
    caller.failure = failure
    if (caller.call.waitMs === 0) this.leave(caller, failure)
  }

  /** What was to be given back in the same step as a call that failed. */
  private keepReturned({ holder, leftMs, settle }: Returned): void {
    settle('unknown')
    this.environment.giveUp(this.lock, holder, false, leftMs)
  }

  private leave(caller: Caller, error: unknown): void {
    if (caller.gone || !this.callers.includes(caller)) return
    const isFirst = this.callers[0] === caller
    this.remove(caller)
    caller.gone = true
    caller.reject(error)
    const waitMs = this.environment.clock.mono() - caller.since
    const { kind, key } = this.lock
    lockTimedOut.publish(() => ({ kind, key, waitMs, unavailable: error instanceof LockUnavailableError }))
    if (!isFirst) return
    if (!this.asking) this.forsake(caller)
    this.wake()
  }

  /** A caller that went away may have been granted the lock, or may be yet. */
  private forsake({ gone, doubtful, holder, call }: Caller): void {
    if (gone && doubtful) this.environment.giveUp(this.lock, holder, true, call.ttlMs)
  }

  private remove(caller: Caller): void {
    this.callers.splice(this.callers.indexOf(caller), 1)
    for (const stop of caller.stop) stop()
  }

  private async rest(ms: number): Promise<void> {
    if (this.woken) return
    for (const caller of [...this.callers]) if (caller.call.waitMs === 0) this.leave(caller, this.reasonFor(caller))
    if (this.callers.length === 0) return
    await new Promise<void>((resolve) => {
      const timer = this.environment.clock.timer(ms, () => this.resting?.())
      this.resting = () => {
        this.resting = undefined
        timer.cancel()
        resolve()
      }
    })
  }

  /** Nobody waits here any more: what was to be handed on is given back, and the place in the store's line is left. */
  private leaveStore(): void {
    const { returned, placed } = this
    this.returned = undefined
    this.placed = false
    if (returned !== undefined || placed) this.environment.lettingGo(this.letGo(returned, placed))
  }

  private async letGo(returned: Returned | undefined, placed: boolean): Promise<void> {
    const { process, store } = this.environment
    try {
      const request = { lock: this.lock, holder: returned?.holder, process: placed ? process : undefined }
      const gaveBack = await store().release(request)
      returned?.settle(gaveBack ? 'released' : 'not-held')
    } catch (error) {
      if (!(error instanceof LockUnavailableError)) throw error
      // A place that can't be left now is lost by itself, for want of a heartbeat.
      if (returned !== undefined) this.keepReturned(returned)
    }
  }

  /** Why a caller has no lock when its time is over. While the store is away nobody knows whether others hold it. */
  private reasonFor(caller: Pick<Caller, 'call' | 'failure'>): LockTimeoutError | LockUnavailableError {
    return caller.failure ?? this.failure ?? this.timeout(caller)
  }

  private timeout({ call }: Pick<Caller, 'call'>): LockTimeoutError {
    return new LockTimeoutError(this.lock.key, call.waitMs)
  }
}

interface Caller {
  readonly call: ResolvedCall
  holder: Holder
  /** Monotonic ms. */
  readonly since: number
  /** A call of its holder is or was under way whose outcome is not known. */
  doubtful: boolean
  /** Its last call failed like this. */
  failure?: LockUnavailableError | undefined
  gone: boolean
  readonly resolve: (lock: HeldLock) => void
  readonly reject: (error: unknown) => void
  readonly stop: (() => void)[]
}

interface Returned {
  readonly holder: Holder
  readonly turns: number
  readonly leftMs: number
  readonly settle: (outcome: ReleaseOutcome) => void
}

function tooLate(key: string, ttlMs: number): LockUnavailableError {
  return new LockUnavailableError(
    `the answer for the lock '${key}' came after its time of ${ttlMs} ms; give it a longer ttlMs, or see why Redis is slow`,
    { key },
  )
}

function tooFewReplicas(key: string, found: number | null, wanted: number): LockUnavailableError {
  return new LockUnavailableError(
    `the lock '${key}' reached ${found ?? 0} of ${wanted} replicas in time; check the replicas, or lower \`replicas\``,
    { key },
  )
}
