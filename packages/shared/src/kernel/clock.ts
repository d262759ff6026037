/** Time as the engines see it. Tests inject one that they advance by hand; nothing else in the toolkit reads a clock. */
export interface Clock {
  /** Monotonic milliseconds (fractional) from an arbitrary origin. Durations and deadlines are measured with this. */
  mono(): number
  /** Wall-clock milliseconds since 1970. For display only: no decision about freshness rests on it. */
  wall(): number
  /** Calls `fn` once after `ms` milliseconds, 24 days at most, unless cancelled. The timer does not keep the process alive. */
  timer(ms: number, fn: () => void): Timer
}

/** A pending timer of a {@link Clock}. Cancelling twice, or after it fired, does nothing. */
export interface Timer {
  cancel(): void
}

/** Node fires a longer timer at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1

/** The clock of this machine. */
export const systemClock: Clock = {
  mono: () => performance.now(),
  wall: () => Date.now(),
  timer(ms, fn) {
    const handle = setTimeout(fn, Math.min(ms, LONGEST_TIMER_MS))
    handle.unref()
    return { cancel: () => clearTimeout(handle) }
  },
}

/** Resolves after `ms` milliseconds, 24 days at most. Like any timer it does not keep the process alive. */
export function pause(clock: Clock, ms: number): Promise<void> {
  return new Promise((resolve) => void clock.timer(ms, resolve))
}
