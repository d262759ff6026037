import { constants } from 'node:buffer'
import { ConfigurationError } from '../errors.js'
import type { CompressionAlgorithm } from './compression.js'
import type { EncryptionOptions } from './encryption.js'

/**
 * A serializer of the user's own. Both methods are synchronous. Values that they throw at are not stored, or read as misses. What it writes
 * is stored as bytes; a text comes back as the bytes of its UTF-8.
 *
 * @example
 * const cbor: Serializer = { serialize: (value) => encode(value), deserialize: (data) => decode(data) }
 */
export interface Serializer {
  /** Never called with `undefined`. */
  serialize(value: unknown): string | Buffer
  /** @param data belongs to the caller: it may be kept */
  deserialize(data: Buffer): unknown
}

/** From how many bytes on values are compressed, and how. */
export interface CompressionOptions {
  /** Larger values are compressed, bytes. */
  readonly threshold: number
  readonly algorithm: CompressionAlgorithm
}

/** How values are stored. */
export interface ValueCodecOptions {
  /** @default 'json' `'msgpack'` needs the package `msgpackr`. Entries of the built-in ones are read whatever is chosen here. */
  readonly serializer?: 'json' | 'msgpack' | Serializer | undefined
  /** Off the event loop, and kept only where it makes the value smaller. @default { threshold: 65_536, algorithm: 'gzip' } */
  readonly compression?: false | CompressionOptions | undefined
  /**
   * The largest value that is stored, bytes, as it is stored. Before compression it may have 16 times as many, and no more are
   * unpacked in reading. @default 8 MiB; 1 MiB without compression
   */
  readonly maxValueBytes?: number | undefined
  /** With it everything is written encrypted, and what is not encrypted is not read: whoever can write to Redis could have put it there. */
  readonly encryption?: EncryptionOptions | undefined
}

/** The options with their defaults, and without `encryption`, whose secrets have one place. */
export interface ResolvedCodecOptions {
  readonly serializer: 'json' | 'msgpack' | Serializer
  readonly compression: false | CompressionOptions
  readonly maxValueBytes: number
  /** Before compression, and after decompression. */
  readonly maxRawBytes: number
}

/** @throws ConfigurationError by the option's name */
export function resolveCodecOptions(options: ValueCodecOptions): ResolvedCodecOptions {
  const serializer = resolveSerializer(options.serializer)
  const compression = resolveCompression(options.compression)
  const maxValueBytes = options.maxValueBytes ?? (compression === false ? MEBIBYTE : 8 * MEBIBYTE)
  if (!Number.isSafeInteger(maxValueBytes) || maxValueBytes < 1 || maxValueBytes > LARGEST_REDIS_STRING) {
    throw new ConfigurationError('maxValueBytes', `must be a whole number of bytes from 1 to ${LARGEST_REDIS_STRING}`)
  }
  const maxRawBytes = Math.min(maxValueBytes * EXPANSION, constants.MAX_STRING_LENGTH)
  return Object.freeze({ serializer, compression, maxValueBytes, maxRawBytes })
}

const MEBIBYTE = 1024 * 1024
const LARGEST_REDIS_STRING = 512 * MEBIBYTE
/** JSON is rarely compressed to less than a tenth; gzip can unpack to a thousand times as much. */
const EXPANSION = 16
const DEFAULT_COMPRESSION: CompressionOptions = Object.freeze({ threshold: 65_536, algorithm: 'gzip' })

function resolveSerializer(serializer: unknown): 'json' | 'msgpack' | Serializer {
  if (serializer === undefined) return 'json'
  if (serializer === 'json' || serializer === 'msgpack') return serializer
  const { serialize, deserialize } = (serializer ?? {}) as Partial<Serializer>
  if (typeof serialize === 'function' && typeof deserialize === 'function') return serializer as Serializer
  throw new ConfigurationError('serializer', "must be 'json', 'msgpack', or an object with serialize and deserialize")
}

function resolveCompression(compression: unknown): false | CompressionOptions {
  if (compression === undefined) return DEFAULT_COMPRESSION
  if (compression === false) return false
  if (typeof compression !== 'object' || compression === null) {
    throw new ConfigurationError('compression', 'must be false or { threshold, algorithm }')
  }
  const { threshold, algorithm } = compression as Partial<CompressionOptions>
  if (!Number.isSafeInteger(threshold) || (threshold as number) < 0) {
    throw new ConfigurationError('compression.threshold', 'must be a whole number of bytes, 0 or more')
  }
  if (algorithm !== 'gzip' && algorithm !== 'brotli') {
    throw new ConfigurationError('compression.algorithm', "must be 'gzip' or 'brotli'")
  }
  return Object.freeze({ threshold: threshold as number, algorithm })
}
