import { type KeyObject, createCipheriv, createDecipheriv, createSecretKey, randomBytes, scrypt } from 'node:crypto'
import { promisify } from 'node:util'
import { ConfigurationError } from '../errors.js'
import { unreadable } from './typed-json.js'

/** One key of `encryption.keys`. */
export interface EncryptionKey {
  /** Written beside every value, in clear: 1–64 characters of `A–Z a–z 0–9 . _ -`. An id never gets another secret. */
  readonly id: string
  /** 32 bytes, or a text of 16 characters or more, of which scrypt makes 32 bytes. */
  readonly secret: Buffer | string
}

/** Keys of values. The first one writes, all of them read: a new key is put in front, and the old one stays until its values have expired. */
export interface EncryptionOptions {
  readonly keys: readonly EncryptionKey[]
}

/**
 * AES-256-GCM under a ring of keys. Sealed is `n:1 | key id:n | IV:12 | tag:16 | ciphertext`. What goes in beside the text (`context`)
 * has to be given again to open it.
 *
 * IVs are random, so a key should write at most 2^32 values (NIST SP 800-38D, 8.3): at 1,000 a second a new key every 49 days.
 *
 * A secret that is a text goes through scrypt (N = 2^15, r = 8, p = 1: about 32 MiB and 0.1 s once per process, on a thread) with the salt
 * `vextrus:value-encryption:v1:<id>`. The salt is fixed because all processes must come to the same key, so use long random texts.
 */
export class KeyRing {
  // Private to the language, so that no inspection, spread or JSON of the ring shows a secret.
  readonly #keys = new Map<string, KeyObject>()
  readonly #texts = new Map<string, string>()
  readonly #writes: string
  #deriving: Promise<void> | undefined

  /** @throws ConfigurationError `encryption.keys` */
  constructor(options: EncryptionOptions) {
    const keys: unknown = (options as Partial<EncryptionOptions> | null)?.keys
    if (!Array.isArray(keys) || keys.length === 0) refuse('must be a list of at least one key { id, secret }')
    for (const key of keys as readonly (Partial<EncryptionKey> | null)[]) {
      const { id, secret } = key ?? {}
      if (typeof id !== 'string' || !/^[\w.-]{1,64}$/.test(id))
        refuse('an id is 1 to 64 characters of A-Z a-z 0-9 . _ -')
      if (this.#keys.has(id) || this.#texts.has(id)) refuse(`the id '${id}' is there twice`)
      if (typeof secret === 'string' && secret.length >= MIN_TEXT_LENGTH) this.#texts.set(id, secret)
      else if (secret instanceof Uint8Array && secret.length === KEY_BYTES) this.#keys.set(id, createSecretKey(secret))
      else
        refuse(`the secret of '${id}' must be ${KEY_BYTES} bytes, or a text of ${MIN_TEXT_LENGTH} characters or more`)
    }
    this.#writes = (keys[0] as EncryptionKey).id
  }

  /** False until {@link prepare} has derived keys from texts. */
  get ready(): boolean {
    return this.#texts.size === 0
  }

  /** Derives the keys of secrets that are texts. Once: later calls answer the same promise, unless it failed. */
  prepare(): Promise<void> {
    this.#deriving ??= this.#derive().finally(() => (this.#deriving = undefined))
    return this.#deriving
  }

  /** Needs {@link ready}. Large values are done in slices, between which the event loop turns. */
  seal(plain: Buffer, context: string): Buffer | Promise<Buffer> {
    const id = Buffer.from(this.#writes)
    const iv = randomBytes(IV_BYTES)
    const cipher = createCipheriv('aes-256-gcm', this.#keys.get(this.#writes) as KeyObject, iv).setAAD(
      Buffer.from(context),
    )
    const finish = (parts: Buffer[]) => {
      const rest = cipher.final()
      return Buffer.concat([Buffer.of(id.length), id, iv, cipher.getAuthTag(), ...parts, rest])
    }
    return inSlices(plain, (slice) => cipher.update(slice), finish)
  }

  /**
   * Needs {@link ready}.
   * @throws SerializationError (or a rejection) another key's, another context's, or changed bytes
   */
  open(sealed: Buffer, context: string): Buffer | Promise<Buffer> {
    const ivAt = 1 + (sealed[0] ?? 0)
    const tagAt = ivAt + IV_BYTES
    const textAt = tagAt + TAG_BYTES
    if (sealed.length < textAt) throw unreadable('the stored bytes are too short for an encrypted value')
    const key = this.#keys.get(sealed.toString('latin1', 1, ivAt))
    if (key === undefined) throw unreadable('the value was encrypted with a key that is not among encryption.keys')
    const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(ivAt, tagAt), { authTagLength: TAG_BYTES })
    decipher.setAAD(Buffer.from(context)).setAuthTag(sealed.subarray(tagAt, textAt))
    const finish = (parts: Buffer[]) => {
      try {
        return Buffer.concat([...parts, decipher.final()])
      } catch {
        throw unreadable('the stored bytes fail their authentication: another key, another entry, or changed')
      }
    }
    return inSlices(sealed.subarray(textAt), (slice) => decipher.update(slice), finish)
  }

  async #derive(): Promise<void> {
    for (const [id, text] of this.#texts) {
      const derived = await deriveKey(text, `vextrus:value-encryption:v1:${id}`, KEY_BYTES, SCRYPT)
      this.#keys.set(id, createSecretKey(derived))
      this.#texts.delete(id)
    }
  }
}

const KEY_BYTES = 32
const IV_BYTES = 12
const TAG_BYTES = 16
const MIN_TEXT_LENGTH = 16
// OWASP's setting with p = 1; Node's default maxmem is exactly too little for it.
const SCRYPT = { N: 2 ** 15, r: 8, p: 1, maxmem: 64 * 1024 * 1024 }
const deriveKey = promisify<string, string, number, object, Buffer>(scrypt)

/** About a millisecond of AES. */
const SLICE_BYTES = 1024 * 1024

function inSlices(
  bytes: Buffer,
  each: (slice: Buffer) => Buffer,
  finish: (parts: Buffer[]) => Buffer,
): Buffer | Promise<Buffer> {
  return bytes.length <= SLICE_BYTES ? finish([each(bytes)]) : inTurns(bytes, each, finish)
}

async function inTurns(
  bytes: Buffer,
  each: (slice: Buffer) => Buffer,
  finish: (parts: Buffer[]) => Buffer,
): Promise<Buffer> {
  const parts: Buffer[] = []
  for (let from = 0; from < bytes.length; from += SLICE_BYTES) {
    if (from > 0) await new Promise(setImmediate)
    parts.push(each(bytes.subarray(from, from + SLICE_BYTES)))
  }
  return finish(parts)
}

function refuse(problem: string): never {
  throw new ConfigurationError('encryption.keys', problem)
}
