import { setImmediate as nextTurn } from 'node:timers/promises'
import { MissingPeerError, SerializationError } from '../errors.js'
import { type CompressionAlgorithm, compress, decompress } from './compression.js'
import { KeyRing } from './encryption.js'
import { FOREIGN_CODEC } from './envelope.js'
import { ValueTooLargeError } from './errors.js'
import { decodeJson, encodeJson } from './json.js'
import { type Msgpack, loadMsgpack } from './msgpack.js'
import { type StoredForm, codecOf, formOf } from './stored-form.js'
import { notStored, unreadable } from './typed-json.js'
import {
  type ResolvedCodecOptions,
  type Serializer,
  type ValueCodecOptions,
  resolveCodecOptions,
} from './value-codec-options.js'

export { ValueTooLargeError } from './errors.js'
export type { CompressionOptions, Serializer, ValueCodecOptions } from './value-codec-options.js'
export type { EncryptionKey, EncryptionOptions } from './encryption.js'

/** A value as it is stored: the codec and the payload of its envelope. */
export interface Encoded {
  readonly codec: string
  readonly payload: string | Buffer
  /** Of the payload, as it is stored. */
  readonly bytes: number
}

/**
 * How values become what lies in Redis, and back: serialize, compress, encrypt. What was done stands in the codec, one letter (stored-form.ts),
 * so a change of options leaves the entries of before readable, as long as their serializer and key are still there.
 *
 * The plain path – small JSON, nothing encrypted – makes no promise and no bytes: the text goes to the client as it is.
 */
export class ValueCodec {
  private readonly options: ResolvedCodecOptions
  private readonly keys: KeyRing | undefined
  private msgpack: Msgpack | undefined

  /** @throws ConfigurationError by the option's name */
  constructor(options: ValueCodecOptions = {}) {
    this.options = resolveCodecOptions(options)
    this.keys = options.encryption === undefined ? undefined : new KeyRing(options.encryption)
  }

  /**
   * Loads `msgpackr` and derives keys, where the options need it. Without this call the first value does so, and waits.
   * @throws MissingPeerError (a rejection) `msgpackr` is not installed
   */
  async prepare(): Promise<void> {
    if (this.options.serializer === 'msgpack') this.msgpack ??= await loadMsgpack()
    if (this.keys?.ready === false) await this.keys.prepare()
  }

  /**
   * A promise only where it must be: the value is compressed, or large and encrypted, or {@link prepare} was not done.
   * @param key the entry's. An encrypted value can be read under this key alone.
   * @throws SerializationError (or a rejection) the value can't be stored, with the path
   * @throws ValueTooLargeError (or a rejection)
   * @throws MissingPeerError (a rejection)
   */
  encode(key: string, value: unknown): Encoded | Promise<Encoded> {
    const { serializer, compression } = this.options
    if (this.keys?.ready === false || (serializer === 'msgpack' && this.msgpack === undefined)) {
      return this.prepare().then(() => this.encode(key, value))
    }
    const serialized = this.serialize(value)
    return compression !== false && serialized.bytes > compression.threshold
      ? this.compressed(key, serialized, compression.algorithm)
      : this.finished(key, serialized, null)
  }

  /**
   * A promise only where it must be, as in {@link encode}.
   * @param codec with the payload, from the entry's envelope
   * @throws SerializationError (or a rejection) an unknown codec or key, a failed authentication, damaged data, or a value that is not
   * encrypted where encryption is on: it has to be loaded anew
   */
  decode(key: string, codec: string, payload: string | Buffer): unknown {
    const form = codec === FOREIGN_CODEC ? FOREIGN_FORM : formOf(codec)
    if (form === undefined) throw unreadable(`unknown codec '${codec}'`)
    if (!form.encrypted) {
      if (this.keys !== undefined) throw unreadable('the stored value is not encrypted')
      return this.read(form, payload)
    }
    const { keys } = this
    if (keys === undefined) throw unreadable('the stored value is encrypted, and there are no encryption.keys')
    if (!keys.ready) return keys.prepare().then(() => this.decode(key, codec, payload))
    const opened = keys.open(asBytes(payload), codec + key)
    return opened instanceof Promise ? opened.then((plain) => this.read(form, plain)) : this.read(form, opened)
  }

  private serialize(value: unknown): Serialized {
    const { serializer } = this.options
    if (serializer === 'json') {
      const { codec, payload } = encodeJson(value)
      return { serializer: codec === 'j' ? 'json' : 'typed-json', data: payload, bytes: Buffer.byteLength(payload) }
    }
    if (serializer === 'msgpack') {
      const data = (this.msgpack as Msgpack).pack(value)
      return { serializer: 'msgpack', data, bytes: data.length }
    }
    const data = serializeWith(serializer, value)
    return { serializer: 'custom', data, bytes: data.length }
  }

  private async compressed(key: string, serialized: Serialized, algorithm: CompressionAlgorithm): Promise<Encoded> {
    const { maxRawBytes } = this.options
    if (serialized.bytes > maxRawBytes) throw new ValueTooLargeError(key, serialized.bytes, maxRawBytes)
    // To serialize has kept the event loop; to make bytes of the text is another stretch.
    await nextTurn()
    const data = await compress(algorithm, asBytes(serialized.data))
    return data.length < serialized.bytes
      ? this.finished(key, { serializer: serialized.serializer, data, bytes: data.length }, algorithm)
      : this.finished(key, serialized, null)
  }

  private finished(
    key: string,
    { serializer, data, bytes }: Serialized,
    compression: CompressionAlgorithm | null,
  ): Encoded | Promise<Encoded> {
    if (bytes > this.options.maxValueBytes) throw new ValueTooLargeError(key, bytes, this.options.maxValueBytes)
    const { keys } = this
    const codec = codecOf({ serializer, compression, encrypted: keys !== undefined })
    if (keys === undefined) return { codec, payload: data, bytes }
    const seal = (payload: Buffer): Encoded => ({ codec, payload, bytes: payload.length })
    const sealed = keys.seal(asBytes(data), codec + key)
    return sealed instanceof Promise ? sealed.then(seal) : seal(sealed)
  }

  private read(form: StoredForm, payload: string | Buffer): unknown {
    return form.compression === null ? this.deserialize(form, payload) : this.decompressed(form, asBytes(payload))
  }

  private async decompressed(form: StoredForm, bytes: Buffer): Promise<unknown> {
    const algorithm = form.compression as CompressionAlgorithm
    return this.deserialize(form, await decompress(algorithm, bytes, this.options.maxRawBytes))
  }

  private deserialize({ serializer }: StoredForm, data: string | Buffer): unknown {
    switch (serializer) {
      case 'json':
        return decodeJson('j', data.toString())
      case 'typed-json':
        return decodeJson('t', data.toString())
      case 'msgpack':
        return this.msgpack === undefined ? this.unpackLater(asBytes(data)) : this.msgpack.unpack(asBytes(data))
      case 'custom':
        // What it makes of them may be windows into them, and the same bytes are another caller's, or lie in L1.
        return deserializeWith(this.options.serializer, Buffer.from(asBytes(data)))
    }
  }

  /** An entry of before the serializer was changed is read too, if the package is still there. */
  private async unpackLater(bytes: Buffer): Promise<unknown> {
    try {
      this.msgpack = await loadMsgpack()
    } catch (error) {
      if (error instanceof MissingPeerError) throw unreadable('the stored value is MessagePack; install msgpackr')
      throw error
    }
    return this.msgpack.unpack(bytes)
  }
}

interface Serialized {
  readonly serializer: StoredForm['serializer']
  readonly data: string | Buffer
  readonly bytes: number
}

/** Another program's value is plain JSON. */
const FOREIGN_FORM = formOf('j')

function asBytes(data: string | Buffer): Buffer {
  return typeof data === 'string' ? Buffer.from(data) : data
}

function serializeWith(serializer: Serializer, value: unknown): Buffer {
  if (value === undefined) throw notStored()
  let data: unknown
  try {
    data = serializer.serialize(value)
  } catch (cause) {
    throw new SerializationError('$', 'the serializer failed, see the cause', cause)
  }
  if (typeof data === 'string') return Buffer.from(data)
  if (data instanceof Uint8Array) return Buffer.from(data.buffer, data.byteOffset, data.byteLength)
  throw new SerializationError('$', 'the serializer must answer a string or a Buffer, and at once')
}

function deserializeWith(serializer: 'json' | 'msgpack' | Serializer, data: Buffer): unknown {
  if (typeof serializer === 'string') throw unreadable('the stored value was written with a serializer that is not set')
  try {
    return serializer.deserialize(data)
  } catch {
    // Not kept as the cause: parsers quote what they were given.
    throw unreadable('the serializer could not read the stored bytes')
  }
}
