import { ConfigurationError } from '../errors.js'

/** More digits than any counter, clock or 128-bit number has. */
const MAX_DIGITS = 40

/**
 * The version of an entry as it is stored: a decimal integer without sign and leading zeros, of at most 40 digits. Such texts are compared
 * by their length, then as strings, so a script needs no doubles. A Date counts as its milliseconds since 1970.
 * @throws ConfigurationError `version`: negative, a fraction, a number above 2^53 − 1 (use a bigint), an invalid Date, too many digits
 */
export function versionText(version: number | bigint | Date): string {
  const whole = version instanceof Date ? version.getTime() : version
  if (typeof whole === 'number' && !Number.isSafeInteger(whole)) {
    throw new ConfigurationError(
      'version',
      version instanceof Date
        ? 'is an invalid Date'
        : 'must be a whole number up to 2^53 - 1; a bigint holds greater ones',
    )
  }
  if (typeof whole !== 'number' && typeof whole !== 'bigint') {
    throw new ConfigurationError('version', 'must be a number, a bigint or a Date')
  }
  // -0 is written as 0.
  const text = String(whole)
  if (!isVersionText(text)) throw new ConfigurationError('version', `must be from 0 to 10^${MAX_DIGITS} - 1`)
  return text
}

/** Whether {@link versionText} may have written this. */
export function isVersionText(text: string): boolean {
  return text.length <= MAX_DIGITS && /^(?:0|[1-9]\d*)$/.test(text)
}

/** Whether a version text says more than another: the longer one is the greater; a double would lose digits. */
export function isHigher(version: string, than: string): boolean {
  return version.length === than.length ? version > than : version.length > than.length
}
