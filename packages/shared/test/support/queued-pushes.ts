import type { PushListener, PushSource } from '../../src/cache/cache-store.js'
import type { Clock } from '../../src/kernel/clock.js'

/**
 * The pushes of one process, on a way of their own beside its requests and replies, as a tracking session is: in the server's order, each PONG
 * behind what was pushed before its PING arrived. A session may be lost and opened again, and the process may learn of it late.
 *
 * Without {@link hold} everything travels at once.
 */
export class QueuedPushes implements PushSource {
  private readonly listeners = new Set<PushListener>()
  private readonly messages: Message[] = []
  private readonly requests: Message[] = []
  private readonly asked = new Set<(told: boolean) => void>()
  private held = false
  private sessions = 1
  /** The one that the process listens to, and the one that the server pushes to; null: none. */
  private own: number | null = 1
  private served: number | null = 1
  private epochs = 1
  private proven = 0
  private pinged = 0
  private pinging = false

  constructor(
    server: PushSource,
    private readonly clock: Clock,
  ) {
    this.proven = this.pinged = clock.mono()
    server.listen({
      invalidate: (key) => this.push(`key ${key}`, () => this.tell((listener) => listener.invalidate(key))),
      clockMoved: () => this.push('clock', () => this.tell((listener) => listener.clockMoved?.())),
      signalled: (key) => this.push(`signal ${key}`, () => this.tell((listener) => listener.signalled?.(key))),
      reset: (reason) => this.push(`reset ${reason}`, () => this.tell((listener) => listener.reset(reason))),
    })
  }

  get live(): boolean {
    return this.validFrom() !== -Infinity
  }

  get epoch(): number {
    return this.live ? this.epochs : 0
  }

  validFrom(): number {
    if (this.own === null || this.proven === -Infinity) return -Infinity
    return this.held ? this.proven : this.clock.mono()
  }

  barrier(): Promise<boolean> {
    if (!this.live) return Promise.resolve(false)
    const { epochs } = this
    return new Promise((resolve) => {
      const answer = (told: boolean): void => {
        this.asked.delete(answer)
        timer.cancel()
        resolve(told && this.epochs === epochs && this.live)
      }
      const timer = this.clock.timer(LONGEST_BARRIER_MS, () => answer(false))
      this.asked.add(answer)
      this.ping(() => answer(true))
    })
  }

  listen(listener: PushListener): () => void {
    this.listeners.add(listener)
    return () => void this.listeners.delete(listener)
  }

  get listening(): number {
    return this.listeners.size
  }

  /** From here on nothing travels but by {@link deliver} and {@link arrive}. */
  hold(): void {
    this.proven = this.validFrom()
    this.held = true
  }

  /** Everything travels at once again. */
  pass(): void {
    this.held = false
    this.travel()
  }

  /** What is on its way to the process, oldest first. */
  get waiting(): string[] {
    return this.messages.map(({ label }) => label)
  }

  /** What is on its way to the server. */
  get asking(): string[] {
    return this.requests.map(({ label }) => label)
  }

  /** The process hears the oldest message, or all; of a session that it has given up it hears nothing. */
  deliver(count = Number.POSITIVE_INFINITY): void {
    for (let i = 0; i < count && this.messages.length > 0; i++) {
      const { session, run } = this.messages.shift()!
      if (session === this.own) run()
    }
  }

  /** The server is reached by the oldest request, or by all. */
  arrive(count = Number.POSITIVE_INFINITY): void {
    for (let i = 0; i < count && this.requests.length > 0; i++) this.requests.shift()!.run()
  }

  /** Sends a PING; its PONG proves what was pushed before it was sent. */
  ping(answered: () => void = () => undefined): void {
    const { own: session, epochs } = this
    const sentAt = this.clock.mono()
    this.pinging = true
    this.pinged = sentAt
    this.send('PING', session, () => {
      if (this.served !== session) return
      this.push('PONG', () => {
        this.pinging = false
        if (this.epochs !== epochs) return
        this.proven = Math.max(this.proven, sentAt)
        answered()
      })
    })
  }

  /** A PING is due: half a second has passed since the last, which was answered. */
  get isPingDue(): boolean {
    return this.own !== null && !this.pinging && this.clock.mono() - this.pinged >= HEARTBEAT_MS
  }

  /** The server drops the session. What it had sent still arrives, and then nothing. */
  lose(): void {
    this.served = null
  }

  /** The process has not noticed yet that its session is lost. */
  get isLostUnnoticed(): boolean {
    return this.own !== null && this.own !== this.served && !this.requests.some(({ session }) => session === this.own)
  }

  get isOpen(): boolean {
    return this.own !== null
  }

  /** The process notices: the epoch ends. */
  notice(): void {
    this.own = null
    this.pinging = false
    this.endEpoch('lost')
  }

  /** The epoch ends and the session stays, as when the data connection is another one. */
  endEpoch(reason: string): void {
    this.proven = -Infinity
    this.epochs++
    this.tell((listener) => listener.reset(reason))
    for (const answer of this.asked) answer(false)
  }

  /** A new session; the first PONG makes it live. */
  reopen(): void {
    const session = ++this.sessions
    this.own = session
    this.send('SUBSCRIBE', session, () => {
      if (this.own !== session) return
      this.served = session
      this.push('subscribed', () => this.ping())
    })
  }

  private push(label: string, run: () => void): void {
    if (this.served === null) return
    this.messages.push({ label, session: this.served, run })
    this.travel()
  }

  private send(label: string, session: number | null, run: () => void): void {
    this.requests.push({ label, session, run })
    this.travel()
  }

  private travel(): void {
    if (this.held) return
    while (this.requests.length + this.messages.length > 0) {
      this.arrive()
      this.deliver()
    }
  }

  private tell(what: (listener: PushListener) => void): void {
    for (const listener of this.listeners) what(listener)
  }
}

interface Message {
  readonly label: string
  readonly session: number | null
  readonly run: () => void
}

const HEARTBEAT_MS = 500
const LONGEST_BARRIER_MS = 500
