import { ValueCodec } from '../kernel/codec/value-codec.js'
import { ConfigurationError, SerializationError } from '../kernel/errors.js'
import type { ResolvedSessionOptions } from './options.js'
import type { SessionData, StoredSession } from './session-store.js'

/** How sessions stand in the store. Encrypted, data and `meta` are bound to their user: moved to another's session they can't be read. */
export class SessionCodec {
  /** Of sessions of other libraries. */
  readonly values: ValueCodec
  private readonly isBytes: boolean

  /** @throws ConfigurationError */
  constructor({ encryption, maxBytes }: Pick<ResolvedSessionOptions, 'encryption' | 'maxBytes'>) {
    this.values = new ValueCodec({ encryption, maxValueBytes: maxBytes, compression: false })
    this.isBytes = encryption !== undefined
  }

  /** @throws SerializationError, ValueTooLargeError */
  async encode(userId: string, data: unknown): Promise<SessionData> {
    const { codec, payload } = await this.values.encode(dataKey(userId), data)
    return { codec, payload }
  }

  /** @throws SerializationError */
  async decode({ userId, data: { codec, payload } }: StoredSession): Promise<unknown> {
    return this.values.decode(dataKey(userId), codec, payload)
  }

  /** @throws ConfigurationError too much; SerializationError */
  async encodeMeta(userId: string, meta: Readonly<Record<string, unknown>>): Promise<string> {
    const { codec, payload } = await this.values.encode(metaKey(userId), meta)
    const text = codec + (typeof payload === 'string' ? payload : payload.toString('base64'))
    if (text.length <= MOST_META) return text
    throw new ConfigurationError('meta', `has ${text.length} characters as stored, the most is ${MOST_META}`)
  }

  /** A list of devices is not spoilt by one whose key is gone: it must be possible to end that. */
  async decodeMeta({ userId, meta }: StoredSession): Promise<Record<string, unknown>> {
    if (meta === '') return {}
    const payload = this.isBytes ? Buffer.from(meta.slice(1), 'base64') : meta.slice(1)
    try {
      return (await this.values.decode(metaKey(userId), meta[0]!, payload)) as Record<string, unknown>
    } catch (error) {
      if (error instanceof SerializationError) return {}
      throw error
    }
  }
}

const MOST_META = 4_096

function dataKey(userId: string): string {
  return `session:${userId}`
}

function metaKey(userId: string): string {
  return `session-meta:${userId}`
}
