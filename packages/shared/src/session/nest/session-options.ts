import { ConfigurationError } from '../../kernel/errors.js'
import { resolveSessionOptions, SESSION_OPTIONS, type SessionOptions } from '../options.js'
import { type SessionGuardOptions, SessionGuardSettings } from './session-guard-settings.js'

/** What `forRoot({ session })` takes: for the sessions of a connection, and for its guard. */
export interface SessionModuleOptions extends SessionOptions, SessionGuardOptions {}

const GUARD_OPTIONS = ['from', 'cookie', 'optional'] as const satisfies (keyof SessionGuardOptions)[]
const KNOWN: ReadonlySet<string> = new Set([...SESSION_OPTIONS, ...GUARD_OPTIONS])

/**
 * The options of the sessions without those of their guard, and the guard's, read. Refuses options that nobody knows, and values that can't be used.
 * @throws ConfigurationError, InvalidDurationError naming the option as `session.<option>`
 */
export function readSessionOptions(options: SessionModuleOptions): {
  readonly engine: SessionOptions
  readonly guard: SessionGuardSettings
} {
  if (typeof options !== 'object' || options === null) {
    throw new ConfigurationError('session', 'must be an object of options')
  }
  for (const name of Object.keys(options)) {
    if (KNOWN.has(name)) continue
    throw new ConfigurationError(`session.${name}`, `no such option; there are ${[...KNOWN].join(', ')}`)
  }
  const { from, cookie, optional, ...engine } = options
  resolveSessionOptions(engine)
  return { engine, guard: new SessionGuardSettings({ from, cookie, optional }) }
}
