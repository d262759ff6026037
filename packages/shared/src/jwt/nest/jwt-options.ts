import { ConfigurationError } from '../../kernel/errors.js'
import { JWT_BLACKLIST_OPTIONS, type JwtBlacklistOptions, resolveJwtOptions } from '../options.js'
import { checkGuardOptions, JWT_GUARD_OPTIONS, type JwtGuardOptions } from './guard-options.js'

/** What `forRoot({ jwt })` takes: for the blacklist and the families of a connection, and for its guard. */
export interface JwtOptions extends JwtBlacklistOptions, JwtGuardOptions {}

const KNOWN: ReadonlySet<string> = new Set([...JWT_BLACKLIST_OPTIONS, ...JWT_GUARD_OPTIONS])

/** Refuses options that nobody knows, and values that can't be used. @throws ConfigurationError, InvalidDurationError */
export function checkJwtOptions(options: JwtOptions): void {
  if (typeof options !== 'object' || options === null) {
    throw new ConfigurationError('jwt', 'must be an object of options')
  }
  for (const name of Object.keys(options)) {
    if (KNOWN.has(name)) continue
    throw new ConfigurationError(`jwt.${name}`, `no such option; there are ${[...KNOWN].join(', ')}`)
  }
  resolveJwtOptions(options)
  checkGuardOptions(options)
}
