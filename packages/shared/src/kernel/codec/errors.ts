import { VextrusError } from '../errors.js'

/**
 * A value that is larger than may be stored. Code `VALUE_TOO_LARGE`. The cache never throws it at a caller, who has the value: it stores
 * nothing and says so in an event.
 */
export class ValueTooLargeError extends VextrusError {
  /** @param bytes the size of the value as it would be stored, or before compression when that is beyond its own limit. @param limit in bytes */
  constructor(
    key: string,
    readonly bytes: number,
    readonly limit: number,
  ) {
    super(`the value has ${bytes} bytes, and ${limit} may be stored; store it in parts, or raise maxValueBytes`, {
      code: 'VALUE_TOO_LARGE',
      key,
    })
  }
}
