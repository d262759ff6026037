import { type Encoded, type ValueCodec, ValueTooLargeError } from '../kernel/codec/value-codec.js'
import { deepFreeze } from '../kernel/deep-copy.js'
import { SerializationError } from '../kernel/errors.js'
import { defineEvent } from '../kernel/events.js'
import { keyGroup } from '../kernel/key.js'
import type { StoredEntry } from './cache-store.js'
import { SensitiveDataError } from './errors.js'
import type { CacheLogger } from './options.js'
import { placeOf, type SensitiveData } from './sensitive.js'

/** A value was not stored, and its caller has it all the same. Channel `vextrus:cache.not-stored`. */
export const cacheNotStored = defineEvent<{
  readonly key: string
  /** `too-large`: above `maxValueBytes` · `sensitive`: it has a field that must not be cached. */
  readonly reason: 'too-large' | 'sensitive'
  /** Bytes of the encoded value; undefined when it was not encoded. */
  readonly bytes: number | undefined
  /** Where the sensitive field stands. */
  readonly path: string | undefined
}>('cache.not-stored')

/** A stored value could not be read: another key, another serializer, damage. It was a miss. Channel `vextrus:cache.unreadable`. */
export const cacheUnreadable = defineEvent<{ readonly key: string; readonly cause: Error }>('cache.unreadable')

/** What is answered for an entry whose value can't be read. */
export const UNREADABLE = Symbol('unreadable')

/** Most paths and key groups of which something has been logged. */
const MOST_TOLD = 1_000

/** Values on their way into an entry and out of it: the sensitive ones kept out, the large ones left out, the rest encoded. */
export class Values {
  private readonly told = new Set<string>()

  constructor(
    private readonly codec: ValueCodec,
    private readonly sensitive: SensitiveData,
    private readonly logger: Pick<CacheLogger, 'warn'>,
    /** With `l1.values: 'frozen'` whatever comes out of the cache is frozen, wherever it was found: a change then fails at once, and not by chance. */
    private readonly frozen = false,
  ) {}

  /**
   * What an explicit write stores; null: nothing.
   * @param ownKey the key as the caller gave it, for the error
   * @throws SensitiveDataError with `sensitive.action: 'reject'`; SerializationError
   */
  ofWrite(key: string, value: unknown, ownKey: string): Encoded | null | Promise<Encoded | null> {
    const path = this.sensitive.find(value)
    if (path === null) return this.encode(key, value)
    if (this.sensitive.action === 'reject') throw new SensitiveDataError(path, ownKey)
    return this.leaveOut(key, path)
  }

  /** What a load stores; null: nothing, but the loaded value is answered. @throws SerializationError */
  ofLoad(key: string, value: unknown): Encoded | null | Promise<Encoded | null> {
    const path = this.sensitive.find(value)
    return path === null ? this.encode(key, value) : this.leaveOut(key, path)
  }

  /** The value of an entry, new at each call; {@link UNREADABLE}: it is a miss. A promise only where it was compressed or encrypted. */
  read(key: string, entry: StoredEntry): unknown {
    try {
      const value = this.codec.decode(key, entry.codec, entry.payload)
      if (value instanceof Promise) {
        return value.then(
          (decoded) => this.handedOut(decoded),
          (error: unknown) => this.unreadable(key, error),
        )
      }
      return this.handedOut(value)
    } catch (error) {
      return this.unreadable(key, error)
    }
  }

  /** A copy of a value from its encoded form. */
  copy(key: string, { codec, payload }: Encoded): unknown {
    const value = this.codec.decode(key, codec, payload)
    return value instanceof Promise ? value.then((decoded) => this.handedOut(decoded)) : this.handedOut(value)
  }

  private handedOut(value: unknown): unknown {
    return this.frozen ? deepFreeze(value) : value
  }

  private encode(key: string, value: unknown): Encoded | null | Promise<Encoded | null> {
    try {
      const encoded = this.codec.encode(key, value)
      return encoded instanceof Promise ? encoded.catch((error: unknown) => this.tooLarge(key, error)) : encoded
    } catch (error) {
      return this.tooLarge(key, error)
    }
  }

  private leaveOut(key: string, path: string): null {
    cacheNotStored.publish(() => ({ key, reason: 'sensitive', bytes: undefined, path }))
    this.tellOnce(
      `${keyGroup(key)} ${placeOf(path)}`,
      `a value of '${keyGroup(key)}' was not cached: ${path} looks sensitive; leave the field out, or name it in sensitive.allow when it is harmless`,
    )
    return null
  }

  private tooLarge(key: string, error: unknown): null {
    if (!(error instanceof ValueTooLargeError)) throw error
    cacheNotStored.publish(() => ({ key, reason: 'too-large', bytes: error.bytes, path: undefined }))
    this.tellOnce(`${keyGroup(key)} size`, `a value of '${keyGroup(key)}' was not cached: ${error.message}`)
    return null
  }

  private unreadable(key: string, error: unknown): typeof UNREADABLE {
    if (!(error instanceof SerializationError)) throw error
    cacheUnreadable.publish(() => ({ key, cause: error }))
    this.tellOnce(
      `${keyGroup(key)} unreadable`,
      `a stored value of '${keyGroup(key)}' can't be read and counts as a miss: ${error.message}`,
    )
    return UNREADABLE
  }

  private tellOnce(subject: string, message: string): void {
    if (this.told.has(subject) || this.told.size >= MOST_TOLD) return
    this.told.add(subject)
    this.logger.warn(message)
  }
}
