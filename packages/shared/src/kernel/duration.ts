import { InvalidDurationError } from './errors.js'

/** How long something stays (an entry, a session, a revocation). A number is **seconds**; a string has its unit: `'250ms'`, `'5m'`, `'24h'`. */
export type Ttl = number | string

/** How long something takes (a timeout, a window, a lag). A number is **milliseconds**; a string has its unit: `'250ms'`, `'5m'`, `'24h'`. */
export type Duration = number | string

/**
 * Milliseconds of a {@link Ttl}: an integer, rounded up, at least 1. On the path of every cache call.
 * @param what names the option or argument in the error. @param maxMs the caller's `maxTtl`; 100 years when absent.
 * @throws InvalidDurationError zero, negative, NaN, Infinity, unreadable, or above the maximum
 */
export function ttlToMs(ttl: Ttl, what: string, maxMs: number = CENTURY_MS): number {
  const ms = typeof ttl === 'number' ? ttl * 1_000 : parse(ttl)
  // NaN fails both comparisons.
  if (ms > 0 && ms <= maxMs) return roundUp(ms)
  throw invalid(ttl, ms, what, maxMs, 'seconds', 's')
}

/**
 * Milliseconds of a {@link Duration}: an integer, rounded up, at least 1.
 * @param what names the option or argument in the error.
 * @throws InvalidDurationError zero, negative, NaN, Infinity, unreadable, or above 100 years
 */
export function durationToMs(duration: Duration, what: string): number {
  const ms = typeof duration === 'number' ? duration : parse(duration)
  if (ms > 0 && ms <= CENTURY_MS) return roundUp(ms)
  throw invalid(duration, ms, what, CENTURY_MS, 'milliseconds', 'ms')
}

const UNIT_MS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const
type Unit = keyof typeof UNIT_MS

/** Keeps every expiry within the 13 digits of an entry's header. */
const CENTURY_MS = 36_525 * UNIT_MS.d

/** 2.007 s is 2007.0000000000002 ms in floating point; what the multiplication added is not rounded up. */
function roundUp(ms: number): number {
  const rounded = Math.ceil(ms - 1e-6)
  return rounded < 1 ? 1 : rounded
}

const TEXT = /^\s*(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)\s*$/

/** Programs use a handful of duration texts; the bound is for the one that makes them up as it goes. */
const parsed = new Map<string, number>()
const PARSED_LIMIT = 256

/** NaN: not readable (also what is neither a number nor a string, from untyped callers). */
function parse(text: unknown): number {
  if (typeof text !== 'string') return NaN
  const known = parsed.get(text)
  if (known !== undefined) return known
  const match = TEXT.exec(text)
  if (match === null) return NaN
  const ms = Number(match[1]) * UNIT_MS[match[2] as Unit]
  if (parsed.size >= PARSED_LIMIT) parsed.clear()
  parsed.set(text, ms)
  return ms
}

function invalid(
  given: unknown,
  ms: number,
  what: string,
  maxMs: number,
  unit: string,
  short: Unit,
): InvalidDurationError {
  if (ms > maxMs && ms < Infinity) {
    const mend = maxMs < CENTURY_MS ? 'shorten it or raise maxTtl' : 'shorten it'
    return new InvalidDurationError(
      `${what}: ${show(given, short)} is above the maximum of ${maxMs / UNIT_MS[short]} ${short}; ${mend}`,
    )
  }
  return new InvalidDurationError(
    `${what}: ${show(given, short)} is not a usable duration; give a number of ${unit} above 0, or a string with a unit such as '250ms', '5s', '5m', '24h', '7d'`,
  )
}

function show(given: unknown, short: Unit): string {
  if (typeof given === 'number') return `${given} ${short}`
  if (typeof given !== 'string') return given === null ? 'null' : typeof given
  return given.length <= 24 ? `'${given}'` : `a text of ${given.length} characters`
}
