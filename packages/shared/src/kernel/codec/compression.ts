import { promisify } from 'node:util'
import { brotliCompress, brotliDecompress, constants, gunzip, gzip } from 'node:zlib'
import { unreadable } from './typed-json.js'

export type CompressionAlgorithm = 'gzip' | 'brotli'

/**
 * Brotli's default of 11 takes seconds for a megabyte; 4 is about as quick as gzip's default and compresses JSON better. A larger chunk than
 * the default of 16 KiB means fewer turns of the event loop for a large value.
 */
const BROTLI_QUALITY = 4
const CHUNK_BYTES = 64 * 1024

const gzipAsync = promisify(gzip)
const gunzipAsync = promisify(gunzip)
const brotliCompressAsync = promisify<Buffer, object, Buffer>(brotliCompress)
const brotliDecompressAsync = promisify<Buffer, object, Buffer>(brotliDecompress)

/** Compresses on a thread of libuv's pool. */
export function compress(algorithm: CompressionAlgorithm, bytes: Buffer): Promise<Buffer> {
  if (algorithm === 'gzip') return gzipAsync(bytes, { chunkSize: CHUNK_BYTES })
  const params = {
    [constants.BROTLI_PARAM_QUALITY]: BROTLI_QUALITY,
    [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length,
  }
  return brotliCompressAsync(bytes, { chunkSize: CHUNK_BYTES, params })
}

/**
 * The way back, on a thread too. It stops at `maxBytes`: a few kilobytes can be written that unpack to gigabytes.
 * @throws SerializationError (a rejection) damaged data, or more than `maxBytes`. The library's own error tells no more than that.
 */
export async function decompress(algorithm: CompressionAlgorithm, bytes: Buffer, maxBytes: number): Promise<Buffer> {
  const options = { chunkSize: CHUNK_BYTES, maxOutputLength: maxBytes }
  try {
    return await (algorithm === 'gzip' ? gunzipAsync(bytes, options) : brotliDecompressAsync(bytes, options))
  } catch {
    throw unreadable(`the stored bytes are no ${algorithm} data, or of more than ${maxBytes} bytes`)
  }
}
