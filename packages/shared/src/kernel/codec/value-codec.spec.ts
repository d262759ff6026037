import fc from 'fast-check'
import { scryptSync } from 'node:crypto'
import { inspect } from 'node:util'
import { gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { anyValue, difference } from '../../../test/support/any-value.js'
import { KeyRing } from './encryption.js'
import { type Envelope, FOREIGN_CODEC, envelopeParts, parseStored } from './envelope.js'
import { decodeJson, encodeJson } from './json.js'
import { STORED_FORMS, codecOf, formOf } from './stored-form.js'
import { type Serializer, ValueCodec, type ValueCodecOptions, ValueTooLargeError } from './value-codec.js'

const KEY = 'product:t1:42'
const secret = (fill: number) => Buffer.alloc(32, fill)
const encryption = { keys: [{ id: 'k1', secret: secret(1) }] }

/** A serializer as users write them: its text begins with the codec. */
const custom: Serializer = {
  serialize(value) {
    const { codec, payload } = encodeJson(value)
    return payload.length % 2 === 0 ? codec + payload : Buffer.from(codec + payload)
  },
  deserialize: (data) => decodeJson(data.toString('utf8', 0, 1), data.toString('utf8', 1)),
}

/** From the value to what the client gives back, and to the value again. */
async function roundTrip(codec: ValueCodec, value: unknown, key = KEY): Promise<{ codec: string; value: unknown }> {
  const encoded = await codec.encode(key, value)
  expect(encoded.bytes).toBe(Buffer.byteLength(encoded.payload))
  const header = { g: '35184372088833', s: 1, e: '8f3a09bc', deltaMs: 0, version: null, tags: ['a'] }
  const { head, tail } = envelopeParts({ ...header, codec: encoded.codec, payload: encoded.payload })
  const stamps = Buffer.from(`${head}1793000000000 1793000060000 `)
  const read = parseStored(Buffer.concat([stamps, Buffer.from(tail as string)])) as Envelope
  return { codec: read.codec, value: await codec.decode(key, read.codec, read.payload) }
}

const refusal = expect.objectContaining({ code: 'SERIALIZATION' }) as unknown

describe('a value', () => {
  const compressions = [false, { threshold: 0, algorithm: 'gzip' }, { threshold: 0, algorithm: 'brotli' }] as const
  const combinations = (['json', 'msgpack', custom] as const).flatMap((serializer) =>
    compressions.flatMap((compression) =>
      [undefined, encryption].map((keys): ValueCodecOptions => ({ serializer, compression, encryption: keys })),
    ),
  )
  const seen = new Set<string>()

  it.each(
    combinations.map((options) => {
      const { serializer, compression, encryption: keys } = options
      const name = typeof serializer === 'string' ? serializer : 'a serializer of the user'
      return [`${name}, ${compression ? compression.algorithm : 'plain'}${keys ? ', encrypted' : ''}`, options] as const
    }),
  )('comes back as it went in: %s', async (_, options) => {
    const codec = new ValueCodec(options)
    await fc.assert(
      fc.asyncProperty(anyValue, fc.constantFrom(0, 300), async (value, filler) => {
        const sent = { value, filler: 'x'.repeat(filler) }
        const back = await roundTrip(codec, sent)
        seen.add(back.codec)
        expect(difference(back.value, sent)).toBe('')
      }),
      { numRuns: 150 },
    )
  })

  it('was written in every form that there is, by these', () => {
    expect([...seen].sort()).toEqual(STORED_FORMS.map((form) => form.codec).sort())
  })

  it('has a letter that is never given another meaning', () => {
    expect(STORED_FORMS.map((form) => form.codec).join('')).toBe('jABCDEtFGHIJKLMNOPQRSTUV')
    for (const form of STORED_FORMS) {
      expect(formOf(form.codec)).toBe(form)
      expect(codecOf(form)).toBe(form.codec)
    }
    expect(formOf(FOREIGN_CODEC)).toBeUndefined()
  })

  it('takes no promise when it is small JSON, either way', () => {
    const codec = new ValueCodec()
    expect(codec.encode(KEY, { name: 'ü' })).toEqual({ codec: 'j', payload: '{"name":"ü"}', bytes: 13 })
    expect(codec.decode(KEY, 'j', '{"a":1}')).toEqual({ a: 1 })
    expect(codec.decode(KEY, 't', '["~n1"]')).toEqual([1n])
  })

  it('takes no promise when it is small and encrypted with a key of bytes', () => {
    const codec = new ValueCodec({ encryption })
    const encoded = codec.encode(KEY, 1)
    expect(encoded).not.toBeInstanceOf(Promise)
    const { codec: letter, payload } = encoded as Exclude<typeof encoded, Promise<unknown>>
    expect(codec.decode(KEY, letter, payload)).toBe(1)
  })

  it("is read as JSON when it is another program's", () => {
    expect(new ValueCodec({ serializer: 'msgpack' }).decode(KEY, FOREIGN_CODEC, '{"a":"~u"}')).toEqual({ a: '~u' })
  })

  it('of other options is read as long as its serializer is there', async () => {
    const value = { when: new Date(5), filler: 'x'.repeat(300) }
    const writers = [
      new ValueCodec({ serializer: 'msgpack' }),
      new ValueCodec({ compression: { threshold: 9, algorithm: 'brotli' } }),
      new ValueCodec({ serializer: 'msgpack', compression: { threshold: 9, algorithm: 'gzip' } }),
    ]
    for (const writer of writers) {
      const { codec, payload } = await writer.encode(KEY, value)
      expect(await new ValueCodec().decode(KEY, codec, payload)).toStrictEqual(value)
      expect(await new ValueCodec({ serializer: custom }).decode(KEY, codec, payload)).toStrictEqual(value)
    }
    const { codec, payload } = await new ValueCodec({ serializer: custom }).encode(KEY, value)
    expect(() => new ValueCodec().decode(KEY, codec, payload)).toThrow(refusal)
  })

  it.each(['json', 'msgpack', custom] as const)('is never undefined: %o', async (serializer) => {
    const codec = new ValueCodec({ serializer })
    await codec.prepare()
    expect(() => codec.encode(KEY, undefined)).toThrow(refusal)
  })

  it.each([
    ['x', '{}'],
    ['Z', Buffer.from('{}')],
    ['', '1'],
    ['A', '{}'],
    ['A', Buffer.from('{}')],
    ['B', Buffer.from('{}')],
    ['A', gzipSync('{')],
    ['A', gzipSync('[1,2,3]').subarray(0, 20)],
    ['K', Buffer.from([0xc1])],
    ['K', Buffer.from([0x91, 0xd6, 0xff, 0, 0, 0, 1])],
    ['K', Buffer.from([0x92, 1])],
    ['K', Buffer.from([1, 2])],
    ['K', Buffer.alloc(0)],
    ['N', Buffer.alloc(60)],
    ['Q', Buffer.from('j{')],
  ])('that is damaged is refused: %s %o', async (codec, payload) => {
    const reader = new ValueCodec({ serializer: custom })
    await expect((async () => reader.decode(KEY, codec, payload))()).rejects.toThrow(refusal)
  })

  it('that its own serializer throws at is refused, and not quoted in reading', () => {
    const cause = new Error('a bug')
    const failing: Serializer = {
      serialize() {
        throw cause
      },
      deserialize(data) {
        throw new Error(data.toString())
      },
    }
    const codec = new ValueCodec({ serializer: failing })
    expect(() => codec.encode(KEY, 1)).toThrow(expect.objectContaining({ code: 'SERIALIZATION', cause }))
    const reading = () => codec.decode(KEY, 'Q', Buffer.from('card'))
    expect(reading).toThrow(expect.not.objectContaining({ cause: expect.anything() as unknown }))
    expect(reading).toThrow(/^(?!.*card)/)
    expect(reading).toThrow(refusal)
    const late = { ...failing, serialize: () => Promise.resolve('x') as unknown as string }
    expect(() => new ValueCodec({ serializer: late }).encode(KEY, 1)).toThrow(/at once/)
  })
})

describe('compression', () => {
  const gzip = { threshold: 1_000, algorithm: 'gzip' } as const

  it('begins above the threshold', async () => {
    const codec = new ValueCodec({ compression: gzip })
    expect(codec.encode(KEY, 'x'.repeat(998))).toMatchObject({ codec: 'j', bytes: 1_000 })
    expect((await codec.encode(KEY, 'x'.repeat(999))).codec).toBe('A')
    expect((await codec.encode(KEY, 'ü'.repeat(500))).codec).toBe('A')
  })

  it('is gzip above 65,536 bytes by default', async () => {
    expect(new ValueCodec().encode(KEY, 'x'.repeat(65_534))).toMatchObject({ codec: 'j' })
    expect((await new ValueCodec().encode(KEY, 'x'.repeat(65_535))).codec).toBe('A')
  })

  it('is kept only where it makes the value smaller', async () => {
    const codec = new ValueCodec({ compression: { threshold: 0, algorithm: 'gzip' } })
    expect(await codec.encode(KEY, 'ab')).toEqual({ codec: 'j', payload: '"ab"', bytes: 4 })
  })

  it('lets the event loop turn meanwhile, both ways', async () => {
    const rows = Array.from({ length: 20_000 }, (_, id) => ({
      id,
      name: `product ${id}`,
      price: id * 1.25,
      tags: ['a'],
    }))
    const codec = new ValueCodec()
    const [encoded, turns] = await counted(() => codec.encode(KEY, rows))
    expect(encoded.codec).toBe('A')
    // The synchronous functions of zlib take one turn.
    expect(turns).toBeGreaterThan(10)
    const [decoded, turnsBack] = await counted(() => codec.decode(KEY, encoded.codec, encoded.payload))
    expect(decoded).toEqual(rows)
    expect(turnsBack).toBeGreaterThan(10)
  })

  it('is not unpacked to more than could have been written', async () => {
    const codec = new ValueCodec({ maxValueBytes: 1_000 })
    const bomb = gzipSync(JSON.stringify('x'.repeat(16_000)))
    await expect(codec.decode(KEY, 'A', bomb)).rejects.toThrow(refusal)
    const most = gzipSync(JSON.stringify('x'.repeat(15_998)))
    await expect(codec.decode(KEY, 'A', most)).resolves.toHaveLength(15_998)
  })
})

describe('a value that is too large', () => {
  it('is refused with its size, by what would be stored', async () => {
    const plain = new ValueCodec({ compression: false, maxValueBytes: 100 })
    expect(plain.encode(KEY, 'x'.repeat(98))).toMatchObject({ bytes: 100 })
    expect(() => plain.encode(KEY, 'x'.repeat(99))).toThrow(
      expect.objectContaining({
        code: 'VALUE_TOO_LARGE',
        name: 'ValueTooLargeError',
        bytes: 101,
        limit: 100,
        key: KEY,
      }),
    )
    const packed = new ValueCodec({ compression: { threshold: 100, algorithm: 'gzip' }, maxValueBytes: 100 })
    expect((await packed.encode(KEY, 'x'.repeat(1_500))).bytes).toBeLessThan(100)
    const noise = Array.from({ length: 100 }, (_, i) => (i * 7919) % 1009)
    await expect(packed.encode(KEY, noise)).rejects.toThrow(ValueTooLargeError)
    await expect(packed.encode(KEY, 'x'.repeat(1_600))).rejects.toThrow(
      expect.objectContaining({ bytes: 1_602, limit: 1_600 }),
    )
  })

  it('has more than 8 MiB, or 1 MiB where nothing is compressed', async () => {
    const text = 'x'.repeat(1024 * 1024 - 2)
    const plain = new ValueCodec({ compression: false })
    expect(plain.encode(KEY, text)).toMatchObject({ bytes: 1024 * 1024 })
    expect(() => plain.encode(KEY, `${text}x`)).toThrow(ValueTooLargeError)
    const codec = new ValueCodec({ compression: { threshold: 2 ** 40, algorithm: 'gzip' } })
    expect(codec.encode(KEY, text.repeat(8))).toMatchObject({ codec: 'j' })
    expect(() => codec.encode(KEY, text.repeat(9))).toThrow(ValueTooLargeError)
  })
})

describe('encryption', () => {
  const codec = new ValueCodec({ encryption })
  const value = { card: 'secret text' }

  it('shows nothing of the value, and never the same bytes twice', async () => {
    const [a, b] = [await codec.encode(KEY, value), await codec.encode(KEY, value)]
    expect(a.payload.toString('latin1')).not.toContain('secret')
    expect(a.payload).not.toEqual(b.payload)
    // Length of the id, id, IV, tag: 1 + 2 + 12 + 16.
    expect(a.bytes).toBe(31 + JSON.stringify(value).length)
    expect((a.payload as Buffer).toString('latin1', 0, 3)).toBe('\u0002k1')
  })

  it('refuses a value with any byte changed, added or missing', async () => {
    const { codec: letter, payload } = await codec.encode(KEY, value)
    const bytes = payload as Buffer
    for (let at = 0; at < bytes.length; at++) {
      const changed = Buffer.from(bytes)
      changed[at] = (changed[at] as number) ^ (1 << (at % 8))
      expect(() => codec.decode(KEY, letter, changed), `byte ${at}`).toThrow(refusal)
      expect(() => codec.decode(KEY, letter, bytes.subarray(0, at)), `cut at ${at}`).toThrow(refusal)
    }
    expect(() => codec.decode(KEY, letter, Buffer.concat([bytes, Buffer.of(0)]))).toThrow(refusal)
    expect(codec.decode(KEY, letter, bytes)).toEqual(value)
  })

  it('refuses a value that was moved to another entry', async () => {
    const { codec: letter, payload } = await codec.encode(KEY, value)
    for (const key of ['product:t2:42', '', `${KEY} `])
      expect(() => codec.decode(key, letter, payload)).toThrow(refusal)
  })

  it('refuses a value whose codec was changed', async () => {
    const { codec: letter, payload } = await codec.encode(KEY, value)
    expect(letter).toBe('C')
    for (const other of 'DEHIJNOPTUV') {
      await expect((async () => codec.decode(KEY, other, payload))(), other).rejects.toThrow(/authentication/)
    }
    // The codec and the key are one text: they must not run into each other.
    await expect((async () => codec.decode(`C${KEY}`, 'H', payload))()).rejects.toThrow(/authentication/)
  })

  it('reads nothing that is not encrypted, whoever wrote it', async () => {
    const { codec: letter, payload } = await new ValueCodec({ serializer: 'msgpack' }).encode(KEY, value)
    const plain = [['j', '1'], ['t', '"~u"'], [FOREIGN_CODEC, '1'], ['A', gzipSync('1')], [letter, payload]] as const // prettier-ignore
    for (const [other, stored] of plain) expect(() => codec.decode(KEY, other, stored)).toThrow(/not encrypted/)
  })

  it('needs its keys', async () => {
    const { codec: letter, payload } = await codec.encode(KEY, value)
    expect(() => new ValueCodec().decode(KEY, letter, payload)).toThrow(/encryption\.keys/)
  })

  it('reads with every key and writes with the first', async () => {
    const [old, young] = [
      { id: 'k1', secret: secret(1) },
      { id: 'k2', secret: secret(2) },
    ]
    const before = new ValueCodec({ encryption: { keys: [old] } })
    const during = new ValueCodec({ encryption: { keys: [young, old] } })
    const after = new ValueCodec({ encryption: { keys: [young] } })
    const first = await before.encode(KEY, value)
    expect(during.decode(KEY, first.codec, first.payload)).toEqual(value)
    expect(() => after.decode(KEY, first.codec, first.payload)).toThrow(/not among encryption\.keys/)
    const second = await during.encode(KEY, value)
    expect(after.decode(KEY, second.codec, second.payload)).toEqual(value)
    expect(() => before.decode(KEY, second.codec, second.payload)).toThrow(refusal)
  })

  it('refuses the same key id with another secret', async () => {
    const { codec: letter, payload } = await codec.encode(KEY, value)
    const other = new ValueCodec({ encryption: { keys: [{ id: 'k1', secret: secret(2) }] } })
    expect(() => other.decode(KEY, letter, payload)).toThrow(/authentication/)
  })

  it('makes the key of a text by scrypt, once, and then needs no promise', async () => {
    const text = 'correct horse battery staple'
    const written = new ValueCodec({ encryption: { keys: [{ id: 'k1', secret: text }] } })
    const encoding = written.encode(KEY, value)
    expect(encoding).toBeInstanceOf(Promise)
    const { codec: letter, payload } = await encoding
    expect(written.decode(KEY, letter, payload)).toEqual(value)
    const salt = 'vextrus:value-encryption:v1:k1'
    const derived = scryptSync(text, salt, 32, { N: 2 ** 15, r: 8, p: 1, maxmem: 2 ** 26 })
    const same = new ValueCodec({ encryption: { keys: [{ id: 'k1', secret: derived }] } })
    expect(same.decode(KEY, letter, payload)).toEqual(value)
    const reader = new ValueCodec({ encryption: { keys: [{ id: 'k1', secret: text }] } })
    expect(await Promise.all([1, 2].map(() => reader.decode(KEY, letter, payload)))).toEqual([value, value])
    expect(reader.decode(KEY, letter, payload)).toEqual(value)
  })

  it('lets the event loop turn while it works on a large value, both ways', async () => {
    const ring = new KeyRing(encryption)
    const large = Buffer.alloc(5 * 1024 * 1024 + 1, 'x')
    const [sealed, turns] = await counted(() => ring.seal(large, KEY))
    expect(turns).toBeGreaterThanOrEqual(5)
    const [opened, turnsBack] = await counted(() => ring.open(sealed, KEY))
    expect(turnsBack).toBeGreaterThanOrEqual(5)
    expect(opened.equals(large)).toBe(true)
    sealed[sealed.length - 1] = (sealed.at(-1) as number) ^ 1
    await expect(ring.open(sealed, KEY)).rejects.toThrow(refusal)
  })

  it('keeps a copy of the key, which the caller may wipe', async () => {
    const bytes = secret(1)
    const wiped = new ValueCodec({ encryption: { keys: [{ id: 'k1', secret: bytes }] } })
    bytes.fill(0)
    const { codec: letter, payload } = await wiped.encode(KEY, value)
    expect(codec.decode(KEY, letter, payload)).toEqual(value)
  })

  it('never shows a secret', () => {
    const text = 'a text that nobody should see'
    const shy = new ValueCodec({ encryption: { keys: [{ id: 'a', secret: text }, { id: 'b', secret: Buffer.alloc(32, 'S') }] } }) // prettier-ignore
    const shown = inspect(shy, { depth: 20, showHidden: true, getters: true }) + JSON.stringify(shy)
    expect(shown).not.toMatch(/nobody|SSSS|53 53/)
    expect(shown).not.toContain(Buffer.alloc(32, 'S').toString('base64').slice(0, 20))
    const short = () => new ValueCodec({ encryption: { keys: [{ id: 'a', secret: 'too short, 15 c' }] } })
    expect(short).toThrow(/^(?!.*too short)/)
  })
})

describe('an option that is wrong', () => {
  const key = { id: 'k', secret: secret(1) }
  it.each<[string, unknown]>([
    ['serializer', { serializer: 'yaml' }],
    ['serializer', { serializer: null }],
    ['serializer', { serializer: { serialize: () => '' } }],
    ['compression', { compression: true }],
    ['compression', { compression: null }],
    ['compression.threshold', { compression: { threshold: -1, algorithm: 'gzip' } }],
    ['compression.threshold', { compression: { threshold: 0.5, algorithm: 'gzip' } }],
    ['compression.threshold', { compression: { threshold: '64kb', algorithm: 'gzip' } }],
    ['compression.threshold', { compression: { algorithm: 'gzip' } }],
    ['compression.algorithm', { compression: { threshold: 1, algorithm: 'zstd' } }],
    ['maxValueBytes', { maxValueBytes: 0 }],
    ['maxValueBytes', { maxValueBytes: NaN }],
    ['maxValueBytes', { maxValueBytes: 2 ** 30 }],
    ['encryption.keys', { encryption: null }],
    ['encryption.keys', { encryption: {} }],
    ['encryption.keys', { encryption: { keys: [] } }],
    ['encryption.keys', { encryption: { keys: [null] } }],
    ['encryption.keys', { encryption: { keys: [{ id: '', secret: secret(1) }] } }],
    ['encryption.keys', { encryption: { keys: [{ id: 'ü', secret: secret(1) }] } }],
    ['encryption.keys', { encryption: { keys: [{ id: 'x'.repeat(65), secret: secret(1) }] } }],
    ['encryption.keys', { encryption: { keys: [{ id: 'k' }] } }],
    ['encryption.keys', { encryption: { keys: [{ id: 'k', secret: Buffer.alloc(31) }] } }],
    ['encryption.keys', { encryption: { keys: [{ id: 'k', secret: 'x'.repeat(15) }] } }],
    ['encryption.keys', { encryption: { keys: [key, key] } }],
    ['encryption.keys', { encryption: { keys: [{ ...key, secret: 'x'.repeat(16) }, key] } }],
  ])('is refused by its name: %s, %o', (option, options) => {
    expect(() => new ValueCodec(options as ValueCodecOptions)).toThrow(
      expect.objectContaining({ code: 'CONFIGURATION', option }),
    )
  })

  it('is not one that is undefined', () => {
    const options = { serializer: undefined, compression: undefined, maxValueBytes: undefined, encryption: undefined }
    expect(new ValueCodec(options).encode(KEY, 1)).toEqual({ codec: 'j', payload: '1', bytes: 1 })
  })
})

/** The result, and how often the event loop turned until it was there. */
async function counted<T>(work: () => T): Promise<[Awaited<T>, number]> {
  let turns = 0
  let done = false
  const count = () => {
    turns++
    if (!done) setImmediate(count)
  }
  setImmediate(count)
  const result = await work()
  done = true
  return [result, turns]
}
