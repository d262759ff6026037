import type { Clock, Timer } from '../kernel/clock.js'
import type { DedicatedConnection } from './client.js'

/**
 * Proof that a connection has been heard in full (R18): a PING every `everyMs`, one at a time.
 *
 * A server writes to a connection in order. What it had to say before it read the PING arrives before the PONG; and it read the PING after
 * it was sent. So once the PONG is here, everything that was acknowledged to anybody before the PING was *sent* has been heard. That holds
 * for a process that was blocked or stopped too: the pushes lie in its socket ahead of the PONG.
 */
export class Heartbeat {
  private proven = -Infinity
  private round = 0
  private waiting = false
  private stopped = false
  private timer: Timer | undefined

  constructor(
    private readonly connection: DedicatedConnection,
    private readonly clock: Clock,
    private readonly options: HeartbeatOptions,
    private readonly on: HeartbeatEvents,
  ) {}

  /** Monotonic ms: everything up to then has been heard. −Infinity before the first PONG. */
  get provenUntil(): number {
    return this.proven
  }

  /** Sends the first PING. */
  start(): void {
    if (!this.waiting && !this.stopped) void this.ping()
  }

  /** From now on only a PONG to a PING not yet sent counts; that PING is sent as soon as none is outstanding. */
  renew(): void {
    this.proven = -Infinity
    this.round++
    if (this.waiting || this.stopped) return
    this.timer?.cancel()
    void this.ping()
  }

  /**
   * A PING beside the heartbeat's, sent now. True: it was answered, so everything acknowledged before this call has been heard. False: an error,
   * an end, or no answer within `timeoutMs`, half a second at most.
   */
  async prove(): Promise<boolean> {
    const { round, clock } = this
    const sentAt = clock.mono()
    const pong = await new Promise<boolean>((resolve) => {
      const timer = clock.timer(Math.min(this.options.timeoutMs, LONGEST_PROOF_MS), () => resolve(false))
      void this.pong().then((answer) => {
        timer.cancel()
        resolve(answer)
      })
    })
    if (!pong || this.stopped || round !== this.round) return false
    this.proven = Math.max(this.proven, sentAt)
    return true
  }

  stop(): void {
    this.stopped = true
    this.proven = -Infinity
    this.timer?.cancel()
  }

  private async ping(): Promise<void> {
    const { round } = this
    const sentAt = this.clock.mono()
    this.waiting = true
    this.timer = this.clock.timer(this.options.timeoutMs, () => this.unanswered())
    this.answered(round, sentAt, await this.pong())
  }

  private async pong(): Promise<boolean> {
    try {
      return isPong(await this.connection.call('PING', []))
    } catch {
      // An error reply (BUSY, LOADING) is not a PONG and proves nothing; the loss of the connection is reported by the connection.
      return false
    }
  }

  private answered(round: number, sentAt: number, pong: boolean): void {
    this.timer?.cancel()
    this.waiting = false
    if (this.stopped) return
    if (round !== this.round) return void this.ping()
    const waitMs = Math.max(0, sentAt + this.options.everyMs - this.clock.mono())
    this.timer = this.clock.timer(waitMs, () => void this.ping())
    if (!pong) return
    this.proven = Math.max(this.proven, sentAt)
    this.on.pong()
  }

  /** A process that was stopped finds its timers due before it reads its sockets: it may read once before it judges. */
  private unanswered(): void {
    this.timer = this.clock.timer(1, () => this.on.dead())
  }
}

/** Who asks has another way to an answer. */
const LONGEST_PROOF_MS = 500

export interface HeartbeatOptions {
  /** From one PING to the next, ms. */
  readonly everyMs: number
  /** How long a PING may be unanswered before the connection counts as dead, ms. */
  readonly timeoutMs: number
}

export interface HeartbeatEvents {
  /** A PONG that counts came; `provenUntil` has moved. */
  pong(): void
  /** A PING went unanswered for `timeoutMs`: the connection should be closed. */
  dead(): void
}

/** RESP2 answers a PING with `["pong", ""]` on a connection that has subscriptions, else with `PONG`. */
function isPong(reply: unknown): boolean {
  const word: unknown = Array.isArray(reply) ? reply[0] : reply
  return String(word).toUpperCase() === 'PONG'
}
