import { durationToMs } from '../kernel/duration.js'
import { ConfigurationError, InvalidDurationError } from '../kernel/errors.js'
import { assertKey } from '../kernel/key.js'
import { keyPart, keySegment } from '../kernel/key-part.js'
import { RateLimitIdentityError } from './errors.js'
import type { OnUnavailable, RateLimitIds, RateLimitRule } from './public-types.js'
import type { CounterSpec, RateLimitAlgorithm } from './rate-limit-store.js'

/** A rule, read and checked once: what every request needs of it. */
export interface CompiledRule {
  readonly name: string
  readonly spec: CounterSpec
  readonly windowMs: number
  /** Units of the rule that one unit of a call's cost is. */
  readonly cost: number
  readonly onUnavailable: OnUnavailable
  /** Undefined: the counters are a tenant's. */
  readonly lease: number | undefined
  /** What `ids` this rule counts; its tenant and the id that its `by` picks. @throws RateLimitIdentityError */
  counter(ids: RateLimitIds): { readonly home: string; readonly id: string }
}

/** Rules and lists of rules are compiled once each: an application has the same ones for every request. */
const lists = new WeakMap<readonly RateLimitRule[], readonly CompiledRule[]>()
const rules = new WeakMap<RateLimitRule, CompiledRule>()

/**
 * Reads the rules of a call. Those that were read before are not looked at again: don't change them, make others.
 * @throws ConfigurationError, InvalidDurationError, InvalidKeyError
 */
export function compile(given: readonly RateLimitRule[]): readonly CompiledRule[] {
  const known = lists.get(given)
  if (known !== undefined) return known
  if (!Array.isArray(given)) throw new ConfigurationError('rules', 'must be a list of rules')
  if (given.length > MOST_RULES) throw new ConfigurationError('rules', `there are more than ${MOST_RULES}`)
  const compiled = given.map(compileRule)
  refuseTwins(compiled)
  lists.set(given, compiled)
  return compiled
}

/** Two of one name would be one counter for whoever has neither a user nor a tenant, and nobody could tell their results apart. */
function refuseTwins(compiled: readonly CompiledRule[]): void {
  const names = new Set<string>()
  for (const { name } of compiled) {
    if (names.has(name))
      throw new ConfigurationError('name', `two rules of a call are named '${name}'; name one of them otherwise`)
    names.add(name)
  }
}

/** Reads one rule. @throws ConfigurationError, InvalidDurationError, InvalidKeyError */
export function compileRule(rule: RateLimitRule): CompiledRule {
  if (typeof rule !== 'object' || rule === null) throw new ConfigurationError('rules', 'must hold objects')
  let compiled = rules.get(rule)
  if (compiled === undefined) rules.set(rule, (compiled = read(rule)))
  return compiled
}

const MOST_RULES = 32
/** With windows of 10^8 ticks at most, products stay below 2^53. */
const MOST_UNITS = 100_000_000
const LONGEST_WINDOW_MS = 366 * 86_400_000
const ALGORITHMS: Readonly<Record<RateLimitAlgorithm, string>> = {
  'token-bucket': 'b',
  'sliding-window': 's',
  'fixed-window': 'f',
}
const OPTIONS = [
  ...(['limit', 'window', 'algorithm', 'burst', 'by', 'cost', 'name', 'onUnavailable', 'scope', 'lease'] as const),
] satisfies (keyof RateLimitRule)[]
const KNOWN: ReadonlySet<string> = new Set(OPTIONS)

function read(rule: RateLimitRule): CompiledRule {
  for (const option of Object.keys(rule)) {
    if (!KNOWN.has(option)) throw new ConfigurationError(option, `no such option; there are ${[...KNOWN].join(', ')}`)
  }
  const { algorithm = 'token-bucket', by = 'user', cost = 1, scope = 'tenant' } = rule
  if (!Object.hasOwn(ALGORITHMS, algorithm)) {
    throw new ConfigurationError('algorithm', `must be one of ${Object.keys(ALGORITHMS).join(', ')}`)
  }
  if (scope !== 'tenant' && scope !== 'global') throw new ConfigurationError('scope', "must be 'tenant' or 'global'")
  if (typeof by !== 'function' && (typeof by !== 'string' || !/^[A-Za-z][\w-]{0,63}$/.test(by))) {
    throw new ConfigurationError('by', "must be the name of an id, such as 'user', or a function that makes one")
  }
  const windowMs = windowOf(rule.window)
  const name = rule.name ?? `${typeof by === 'function' ? 'custom' : by}-${windowMs}`
  assertKey(name, 'name')
  const kind = `${ALGORITHMS[algorithm]}${windowMs}:${escaped(name)}`
  return Object.freeze({
    name,
    spec: specOf(rule, algorithm, windowMs),
    windowMs,
    cost: units(cost, 'cost', 1),
    onUnavailable: onUnavailableOf(rule.onUnavailable),
    lease: leaseOf(rule, scope),
    counter: scope === 'global' ? globalCounter(kind, name, by) : tenantCounter(kind, name, by),
  })
}

type By = Exclude<RateLimitRule['by'], undefined>

function tenantCounter(kind: string, name: string, by: By): CompiledRule['counter'] {
  return (ids) => {
    const home = homeOf(ids.tenant)
    return { home, id: `{${home}}:${kind}:${subject(name, by, ids)}` }
  }
}

/** All of a rule's in one slot of their own, so that different rules are on different masters. */
function globalCounter(kind: string, name: string, by: By): CompiledRule['counter'] {
  const home = `*:${kind}`
  return (ids) => ({ home, id: `{${home}}:${subject(name, by, ids)}` })
}

/** Who is counted, with the name of the id: a user `10.0.0.1` is not that address. */
function subject(name: string, by: By, ids: RateLimitIds): string {
  if (typeof by === 'function') {
    const id = by(ids)
    // No id has such a name.
    if (typeof id === 'string' && id !== '') return `():${keyPart(id)}`
    throw new RateLimitIdentityError(name, 'custom')
  }
  // `by: 'constructor'` names an id as any other: one that is not there is not what all objects have.
  const own = Object.hasOwn(ids, by) ? ids[by] : undefined
  if (own !== undefined && own !== '') return `${by}:${keyPart(own)}`
  if (ids.ip !== undefined && ids.ip !== '') return `ip:${keyPart(ids.ip)}`
  throw new RateLimitIdentityError(name, by)
}

/** Without a tenant: all that have none share one home. */
function homeOf(tenant: string | undefined): string {
  if (tenant === undefined || tenant === '') return '*'
  return keySegment(tenant)
}

/** A part of a key that others follow. */
export function escaped(part: string): string {
  return part.replace(/[%:{}]/g, (sign) => `%${sign.charCodeAt(0).toString(16)}`)
}

function specOf(rule: RateLimitRule, algorithm: RateLimitAlgorithm, windowMs: number): CounterSpec {
  const limit = units(rule.limit, 'limit', 0)
  if (rule.burst !== undefined && algorithm !== 'token-bucket') {
    throw new ConfigurationError('burst', "is of algorithm: 'token-bucket' alone; leave it out")
  }
  const burst = rule.burst === undefined ? limit : units(rule.burst, 'burst', 1)
  const tickUs = windowMs <= 60_000 ? 1 : windowMs <= 86_400_000 ? 1_000 : 1_000_000
  const window = Math.ceil((windowMs * 1_000) / tickUs)
  return Object.freeze({ algorithm, limit, burst: limit === 0 ? 0 : burst, window, tickUs })
}

function leaseOf({ limit, lease }: RateLimitRule, scope: 'tenant' | 'global'): number | undefined {
  if (scope === 'global') return units(lease ?? Math.max(1, Math.floor(limit / 100)), 'lease', 1)
  if (lease === undefined) return undefined
  throw new ConfigurationError('lease', "is of scope: 'global' alone; leave it out")
}

function windowOf(window: RateLimitRule['window']): number {
  const ms = durationToMs(window, 'window')
  if (ms <= LONGEST_WINDOW_MS) return ms
  throw new InvalidDurationError(`window: ${ms} ms is above the maximum of 366 days; shorten it`)
}

/** @throws ConfigurationError */
export function onUnavailableOf(given: OnUnavailable = 'local'): OnUnavailable {
  if (given === 'allow' || given === 'deny' || given === 'local') return given
  throw new ConfigurationError('onUnavailable', "must be 'allow', 'deny' or 'local'")
}

/** A number of units. @throws ConfigurationError */
export function units(given: number, option: string, least: 0 | 1): number {
  if (Number.isSafeInteger(given) && given >= least && given <= MOST_UNITS) return given
  throw new ConfigurationError(option, `must be a whole number from ${least} to ${MOST_UNITS}`)
}
