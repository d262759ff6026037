import { ConfigurationError } from '../../kernel/errors.js'
import { type Check, isTtl } from '../../nest/decorator-options.js'
import { assertPattern } from './cache-pattern.js'

export const isPreset: Check = assertPattern

/** With {@link orFalse}: what a call may say of L1. */
export const isNearOption: Check = (value, option) => {
  if (typeof value !== 'object' || value === null || Object.keys(value).some((name) => name !== 'ttl')) {
    throw new ConfigurationError(option, "must be false, or { ttl: '10s' }")
  }
  isTtl((value as { ttl?: unknown }).ttl, `${option}.ttl`)
}

export const isThrow: Check = (value, option) => {
  if (value !== 'throw') throw new ConfigurationError(option, "must be 'throw'; leave it out for the default")
}
