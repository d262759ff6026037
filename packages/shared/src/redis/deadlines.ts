import type { Clock, Timer } from '../kernel/clock.js'

/**
 * The deadlines of all calls under way on one connection. They have the same length, so they end in the order in which they began: one list
 * and one timer stand for a timer a call.
 *
 * A process that was blocked or stopped finds its timers due before it has read its sockets, where the answers may lie. So the timer only
 * gives notice: judgement is a moment later, when the sockets were read once.
 */
export class Deadlines {
  private first: Deadline | undefined
  private last: Deadline | undefined
  private timer: Timer | undefined

  constructor(
    private readonly clock: Clock,
    private readonly timeoutMs: number,
  ) {}

  /** Calls `expire` after the timeout, or at {@link close}, unless the returned deadline was given to {@link met} before. */
  begin(expire: (why: 'deadline' | 'lost') => void): Deadline {
    const deadline: Deadline = {
      at: this.clock.mono() + this.timeoutMs,
      expire,
      before: this.last,
      after: undefined,
      met: false,
    }
    if (this.last === undefined) this.first = deadline
    else this.last.after = deadline
    this.last = deadline
    this.timer ??= this.clock.timer(this.timeoutMs, this.notice)
    return deadline
  }

  met(deadline: Deadline): void {
    if (deadline.met) return
    deadline.met = true
    const { before, after } = deadline
    if (before === undefined) this.first = after
    else before.after = after
    if (after === undefined) this.last = before
    else after.before = before
    // A dead one that the collector has moved to the old generation would keep alive all that came after it.
    deadline.before = undefined
    deadline.after = undefined
  }

  /** Everything under way expires as lost. */
  close(): void {
    this.timer?.cancel()
    this.timer = undefined
    for (let due = this.first; due !== undefined; due = this.first) {
      this.met(due)
      due.expire('lost')
    }
  }

  private readonly notice = (): void => {
    this.timer = undefined
    if (this.first === undefined) return
    const leftMs = this.first.at - this.clock.mono()
    this.timer = leftMs > 0 ? this.clock.timer(leftMs, this.notice) : this.clock.timer(1, this.judge)
  }

  private readonly judge = (): void => {
    this.timer = undefined
    const now = this.clock.mono()
    // What expires here was due before the notice or is due now: a millisecond later at most.
    for (let due = this.first; due !== undefined && due.at <= now; due = this.first) {
      this.met(due)
      due.expire('deadline')
    }
    this.notice()
  }
}

/** One call's place in the list. */
export interface Deadline {
  readonly at: number
  readonly expire: (why: 'deadline' | 'lost') => void
  before: Deadline | undefined
  after: Deadline | undefined
  met: boolean
}
