/** What every error of the toolkit is made of. */
export interface VextrusErrorOptions {
  /** Stable, in capitals: what code that catches the error should look at. */
  readonly code: string
  readonly cause?: unknown
  /** The caller's key, where one is concerned. */
  readonly key?: string
}

/**
 * The root of all errors of the toolkit. `name` is the class's name, `code` is stable across releases, and the message says what mends it.
 * No message holds a cached value, a password or a token.
 */
export abstract class VextrusError extends Error {
  readonly code: string
  declare readonly key?: string

  constructor(message: string, { code, cause, key }: VextrusErrorOptions) {
    super(message, cause === undefined ? undefined : { cause })
    // Not enumerable, as on the errors of the language: loggers that spread an error would print it twice.
    Object.defineProperty(this, 'name', { value: new.target.name, configurable: true, writable: true })
    this.code = code
    if (key !== undefined) this.key = key
  }
}

/** What the message of anything thrown is. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** A TTL or a duration that can't be used: zero, negative, not finite, unreadable, or above its maximum. Code `INVALID_DURATION`. */
export class InvalidDurationError extends VextrusError {
  constructor(message: string) {
    super(message, { code: 'INVALID_DURATION' })
  }
}

/** A key, tag or name that can't be used. Code `INVALID_KEY`. The message describes the key by its fault, not by its text. */
export class InvalidKeyError extends VextrusError {
  constructor(message: string) {
    super(message, { code: 'INVALID_KEY' })
  }
}

/** An option, or two that contradict each other. Code `CONFIGURATION`; thrown at construction, never later. */
export class ConfigurationError extends VextrusError {
  /** @param option the option's name as the user writes it, such as `l1.staleness`. @param problem what is wrong and what mends it. */
  constructor(
    readonly option: string,
    problem: string,
    cause?: unknown,
  ) {
    super(`${option}: ${problem}`, { code: 'CONFIGURATION', cause })
  }
}

/** A value that can't be written, or a stored text that can't be read. Code `SERIALIZATION`. */
export class SerializationError extends VextrusError {
  /** @param path where in the value, such as `$.items[3].onSave`; `$` is the value itself. */
  constructor(
    readonly path: string,
    problem: string,
    cause?: unknown,
  ) {
    super(`${path}: ${problem}`, { code: 'SERIALIZATION', cause })
  }
}

/** An optional package that a chosen option needs is not installed. Code `MISSING_PEER`. */
export class MissingPeerError extends VextrusError {
  /** @param packageName as npm knows it. @param neededBy what needs it, such as `driver: 'redis'`. */
  constructor(
    readonly packageName: string,
    neededBy: string,
    cause?: unknown,
  ) {
    super(
      `${neededBy} needs the package ${packageName}, which could not be loaded. Install it: npm install ${packageName}`,
      {
        code: 'MISSING_PEER',
        cause,
      },
    )
  }
}
