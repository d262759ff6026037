/**
 * The port: what the engine needs from storage. A store keeps, for each lock, who holds it and until when, the processes that wait for it in
 * order, and a counter of fences. Each method is one atomic step in the store.
 *
 * It has one operation to get a lock. The first try, the claim of whoever was woken, the heartbeat of whoever waits and the retry after a lost
 * reply are all {@link LockStore.acquire} with the same token: asking again is always safe. What the port leaves out is time-outs, retries and
 * the order of callers within a process: they are the engine's.
 */
export interface LockStore {
  /** @throws LockUnavailableError no good answer in time; the lock may have been granted unless the error is `unsent` */
  acquire(request: AcquireRequest): Promise<AcquireReply>
  /**
   * Gives a holder at least `ttlMs` from now; a call that comes late takes away nothing that another gave. False: it does not hold the lock any
   * more. @throws LockUnavailableError
   */
  extend(lock: LockName, holder: Holder, ttlMs: number): Promise<boolean>
  /** Gives a lock back or leaves its line, and wakes the process whose turn it is. @throws LockUnavailableError */
  release(request: ReleaseRequest): Promise<boolean>
  /**
   * Tells a process of the locks that it waits for and may have now. Resolves once every wake-up from now on will come.
   * @throws LockUnavailableError it can't be told now; the engine asks now and then, and listens again later
   */
  listen(process: string, listener: WakeListener): Promise<() => void>
}

/** What kinds of locks there are; one name of two kinds is two locks. */
export type LockKind = 'mutex' | 'semaphore' | 'read-write'

/** A lock: its kind, and the key that its callers say. */
export interface LockName {
  readonly kind: LockKind
  /** The caller's key. */
  readonly key: string
}

/** Another text for each lock. */
export function lockId({ kind, key }: LockName): string {
  return `${kind}:${key}`
}

/** How a lock is held: `'exclusive'`, by nobody else, or by at most so many together, none of whom is exclusive. */
export type LockMode = 'exclusive' | number

/** Who holds a lock, or asks for it. */
export interface Holder {
  /** Of one call of one caller. */
  readonly token: string
  readonly mode: LockMode
}

/** What {@link LockStore.acquire} is asked for. */
export interface AcquireRequest {
  readonly lock: LockName
  readonly holder: Holder
  /** At least so long from the moment at which the store grants it, ms: a holder that asks again keeps what it has. */
  readonly ttlMs: number
  /** The process that asks. It has one place in the line of a lock, for all its callers. */
  readonly process: string
  /** For how long the process keeps its place without asking again, ms; 0: it does not wait. */
  readonly aliveMs: number
  /** A holder of the same process that gives its place back in the same step. */
  readonly giveBack?: Holder | undefined
  /** Whether the lock that is given back may go on within the process, past the others that wait. @default false */
  readonly passOthers?: boolean | undefined
  /** How the next caller of the process wants it: it gets a place at the end of the line when this one is granted. @default nobody waits */
  readonly next?: LockMode | undefined
  /** Replicas that must have the grant before it counts. @default 0 */
  readonly replicas?: number | undefined
}

/** What {@link LockStore.acquire} answers. */
export interface AcquireReply {
  /** Larger than that of every earlier grant of the lock. Null: not granted. */
  readonly fence: bigint | null
  /** Not granted: after so many ms another call may fare better, without a wake-up. */
  readonly retryMs: number
  /** What `giveBack` named was still held. */
  readonly gaveBack: boolean
  /** Granted: replicas that have it. Null: they were not asked. */
  readonly replicas: number | null
}

/** What {@link LockStore.release} gives back, and which line it leaves. */
export interface ReleaseRequest {
  readonly lock: LockName
  /** Absent: only the line is left. */
  readonly holder?: Holder | undefined
  /** The process that leaves the line. Absent: it keeps its place, if it has one. */
  readonly process?: string | undefined
  /** True: an `acquire` of this holder may still be under way to the store, and must find nothing there. @default false */
  readonly forGood?: boolean | undefined
}

/** What {@link LockStore.listen} tells a process. */
export interface WakeListener {
  /** It may be this process's turn. */
  woken(lock: LockName): void
  /** Wake-ups may have been missed. */
  gap(): void
}
