import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Envelope, FOREIGN_CODEC, envelopeParts, parseStored } from './envelope.js'

/** What the script does with the parts. */
function stored(entry: Envelope): Buffer {
  const { head, tail } = envelopeParts(entry)
  const stamps = `${String(entry.softAt).padStart(13, '0')} ${String(entry.hardAt).padStart(13, '0')} `
  return Buffer.concat([Buffer.from(head + stamps), typeof tail === 'string' ? Buffer.from(tail) : tail])
}

const parseText = (text: string) => parseStored(Buffer.from(text))

const entry: Envelope = {
  g: '35184372088833',
  s: 42,
  e: '8f3a09bc',
  softAt: 1_793_000_000_000,
  hardAt: 1_793_000_060_000,
  deltaMs: 17,
  codec: 'j',
  version: null,
  tags: ['tenant:t1', 'customer:7'],
  payload: '{"a":"line\\n"}',
}
const binary: Envelope = { ...entry, codec: 'G', payload: Buffer.from([0, 10, 255, 32, 10]) }

const digits14 = fc.stringMatching(/^[0-9]{14}$/)
const ms13 = fc.integer({ min: 0, max: 9_999_999_999_999 })
const word = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 12 }),
  fc.string({ unit: fc.constantFrom('-', ',', ' ', '\n', '%', '2', '0', 'A', 'D', 'a'), maxLength: 5 }),
)
const version = fc.option(fc.bigInt({ min: 0n, max: 10n ** 40n - 1n }).map(String))
const content = fc.oneof(
  fc.record({ codec: fc.constantFrom('j', 't'), payload: fc.string({ unit: 'grapheme', maxLength: 40 }) }),
  fc.record({
    codec: fc.constantFrom('A', 'F', 'Z'),
    payload: fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
  }),
)
const anyEnvelope: fc.Arbitrary<Envelope> = fc
  .tuple(
    fc.record({
      g: digits14,
      s: fc.integer({ min: 0, max: 999_999_999_999_999 }),
      e: fc.stringMatching(/^[!-~]{8}$/),
      softAt: ms13,
      hardAt: ms13,
      deltaMs: fc.integer({ min: 0, max: 10_000_000 }),
      nearMs: fc.option(fc.oneof(fc.constantFrom(0, 1), fc.integer({ min: 0, max: 999_999_999_999_999 })), {
        nil: undefined,
      }),
      version,
      tags: fc.array(word, { maxLength: 5 }),
    }),
    content,
  )
  .map(([header, rest]) => ({ ...header, ...rest }))

describe('an envelope', () => {
  it('has the layout that scripts rely on', () => {
    const text = stored(entry).toString()
    expect(text).toBe(
      'v1 j 35184372088833 8f3a09bc 1793000000000 1793000060000 42 17 - tenant:t1,customer:7\n{"a":"line\\n"}',
    )
    // string.sub counts from 1 and includes the end.
    const sub = (from: number, to: number) => text.slice(from - 1, to)
    expect([sub(6, 19), sub(21, 28), sub(30, 42), sub(44, 56)]).toEqual([
      entry.g,
      entry.e,
      String(entry.softAt),
      String(entry.hardAt),
    ])
    expect(text.slice(57)).toBe(envelopeParts(entry).tail)
  })

  it('says behind a slash for how long a process may keep it, where its writer has', () => {
    const line = (nearMs: number | undefined): string =>
      stored({ ...entry, nearMs })
        .toString()
        .split('\n')[0]!
    expect(line(undefined)).toContain(' 42 17 - tenant')
    expect(line(0)).toContain(' 42 17/0 - tenant')
    expect(line(1.2)).toContain(' 42 17/2 - tenant')
    for (const nearMs of [undefined, 0, 1, 60_000, 999_999_999_999_999]) {
      expect(parseStored(stored({ ...entry, nearMs }))).toEqual({ ...entry, nearMs })
      expect(parseStored(stored({ ...binary, nearMs }))).toEqual({ ...binary, nearMs })
    }
  })

  it.each(['17/', '/5', '17/x', '17/-5', '17/1.5', '17/5/6', '17//5', '17/1234567890123456', '17x5', '17/5 6'])(
    'is null, and no error, when that field is damaged: %s',
    (field) => {
      const text = stored({ ...entry, nearMs: 5 }).toString()
      expect(parseText(text)).not.toBeNull()
      expect(parseText(text.replace(' 17/5 ', ` ${field} `))).toBeNull()
    },
  )

  it('has the same header line before bytes', () => {
    const bytes = stored(binary)
    const line = 'v1 G 35184372088833 8f3a09bc 1793000000000 1793000060000 42 17 - tenant:t1,customer:7\n'
    expect(bytes).toEqual(Buffer.concat([Buffer.from(line), binary.payload as Buffer]))
    expect(envelopeParts(binary).tail).toEqual(bytes.subarray(57))
  })

  it('comes back as it was written, again and again', () => {
    fc.assert(
      fc.property(anyEnvelope, (any) => {
        const bytes = stored(any)
        expect(bytes.indexOf(10)).toBe(bytes.length - Buffer.byteLength(any.payload) - 1)
        expect(parseStored(bytes)).toEqual(any)
        expect(parseStored(bytes)).toEqual(any)
      }),
      { numRuns: 1_000 },
    )
  })

  it.each([[[]], [['-']], [['']], [['', '']], [['a,b', 'c d', 'e\nf', '%', '%2D', '%2C']], [['ürün', '🛒']]])(
    'keeps the tags %j',
    (tags) => {
      expect(parseStored(stored({ ...entry, tags }))?.tags).toEqual(tags)
      expect(parseStored(stored({ ...binary, tags }))).toEqual({ ...binary, tags })
    },
  )

  it.each([null, '0', '17', '1793000000000', '9'.repeat(40)])('keeps the version %j', (text) => {
    expect(parseStored(stored({ ...entry, version: text }))?.version).toBe(text)
  })

  it('gives the same list for the same tags, and nobody can change it', () => {
    const first = parseStored(stored(entry))?.tags as string[]
    expect(parseStored(stored({ ...entry, payload: '2' }))?.tags).toBe(first)
    expect(() => first.push('x')).toThrow(TypeError)
  })

  it('keeps lists apart when there are more of them than are remembered', () => {
    for (let i = 0; i < 10_000; i++) {
      const tags = [`customer:${i}`, `long:${'x'.repeat(i % 300)}`]
      expect(parseStored(stored({ ...entry, tags }))?.tags).toEqual(tags)
    }
  })

  it('rounds the load time, which clocks give with fractions', () => {
    expect(parseStored(stored({ ...entry, deltaMs: 12.6 }))?.deltaMs).toBe(13)
  })

  it.each([
    ['g', '123'],
    ['e', 'short'],
    ['codec', 'jj'],
    ['codec', FOREIGN_CODEC],
    ['codec', 'G'],
    ['codec', '1'],
    ['version', ''],
    ['version', '-'],
    ['version', '017'],
    ['version', '1'.repeat(41)],
  ])('is not written when its %s is %j', (field, value) => {
    expect(() => envelopeParts({ ...entry, [field]: value })).toThrow(TypeError)
  })

  it('is not written when its parts are too long and too short by the same', () => {
    expect(() => envelopeParts({ ...entry, codec: '', e: '123456789' })).toThrow(TypeError)
  })

  it('is not written with bytes under a codec of text', () => {
    expect(() => envelopeParts({ ...binary, codec: 'j' })).toThrow(TypeError)
  })

  it('keeps no chunk of the socket alive behind a payload of bytes', () => {
    const bytes = stored(binary)
    const chunk = Buffer.alloc(1 << 20)
    bytes.copy(chunk, 5_000)
    const payload = parseStored(chunk.subarray(5_000, 5_000 + bytes.length))?.payload as Buffer
    expect(payload).toEqual(binary.payload)
    expect(payload.buffer.byteLength).toBeLessThanOrEqual(Buffer.poolSize)
    chunk.fill(1)
    expect(payload).toEqual(binary.payload)
  })

  it('copies no payload that is most of what was read', () => {
    const bytes = stored({ ...binary, payload: Buffer.alloc(100_000, 7) })
    const payload = parseStored(bytes)?.payload as Buffer
    expect(payload.buffer).toBe(bytes.buffer)
  })
})

describe("another program's value", () => {
  it.each(['{"plain":"json"}', 'null', ' [1, 2]\n', '"ürün"', '1e3', '"v1 j"'])('is foreign: %j', (text) => {
    expect(parseText(text)).toEqual({
      g: '',
      s: 0,
      e: '',
      softAt: Infinity,
      hardAt: Infinity,
      deltaMs: 0,
      codec: FOREIGN_CODEC,
      version: null,
      tags: [],
      payload: text,
    })
  })

  it('is null when it is no JSON', () => {
    for (const text of ['', 'text', '{', "{'a':1}", 'NaN', '\ufeff{}', 'undefined']) expect(parseText(text)).toBeNull()
  })

  it('is null when its bytes are no UTF-8, which reading would change', () => {
    expect(parseStored(Buffer.from([0x22, 0xff, 0x22]))).toBeNull()
    expect(parseStored(Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22]))).toBeNull()
  })

  it('is null when it claims to be foreign behind a header: then its generation would go unjudged', () => {
    expect(parseText(stored(entry).toString().replace('v1 j', `v1 ${FOREIGN_CODEC}`))).toBeNull()
  })
})

describe('what is neither', () => {
  const text = stored(entry).toString()

  it('is null: a truncated one, wherever it was cut before its payload', () => {
    for (const bytes of [stored(entry), stored(binary)]) {
      const payloadAt = bytes.indexOf(10) + 1
      for (let length = 0; length < payloadAt; length++) expect(parseStored(bytes.subarray(0, length))).toBeNull()
      expect(parseStored(bytes.subarray(0, payloadAt))?.payload).toHaveLength(0)
    }
  })

  it('is null: one whose header has a wrong character in any fixed place', () => {
    for (let at = 0; at < 57; at++) {
      if (at === 3) continue
      for (const wrong of at >= 20 && at < 28 ? [' ', '\n'] : ['x', '\n', '-', '']) {
        const damaged = text.slice(0, at) + wrong + text.slice(at + 1)
        expect(parseText(damaged), `${at} ${JSON.stringify(wrong)}`).toBeNull()
      }
    }
  })

  it.each([
    'v1',
    text.replace('v1', 'v2'),
    text.replace('v1 j', 'v1 1'),
    text.replace('v1 j', 'v1 \n'),
    text.replace('v1 j', 'v1 é'),
    text.replace(' 42 ', '  '),
    text.replace(' 42 ', ' -1 '),
    text.replace(' 42 ', ' 4.2 '),
    text.replace(' 42 ', ' 1234567890123456 '),
    text.replace(' 17 ', ' x '),
    text.replace(' - ', '  '),
    text.replace(' - ', ' a\nb '),
    text.replace(' - ', ' 07 '),
    text.replace(' - ', ' -7 '),
    text.replace(' - ', ` ${'1'.repeat(41)} `),
    text.replace('t1,', 't1,,'),
    text.replace('t1,', 't1,-,'),
    text.replace('t1,', 't1%,'),
    text.replace('t1,', 't1%41,'),
    text.replace('t1,', 't1 '),
    text.replace('tenant:t1,customer:7', ''),
  ])('is null: %j', (other) => {
    expect(parseText(other)).toBeNull()
    expect(parseText(other.replace('v1 j', 'v1 G'))).toBeNull()
  })

  it('never throws', () => {
    const cut = fc.tuple(fc.nat(text.length), fc.nat(text.length), fc.uint8Array({ maxLength: 5 }))
    for (const bytes of [stored(entry), stored(binary)]) {
      fc.assert(
        fc.property(cut, ([from, to, middle]) => {
          const parsed = parseStored(Buffer.concat([bytes.subarray(0, from), middle, bytes.subarray(to)]))
          expect(parsed === null || parsed.e.length === 8 || parsed.codec === FOREIGN_CODEC).toBe(true)
        }),
        { numRuns: 1_000 },
      )
    }
    fc.assert(
      fc.property(fc.uint8Array(), (any) => {
        const parsed = parseStored(Buffer.from(any))
        expect(parsed === null || parsed.codec === FOREIGN_CODEC).toBe(true)
      }),
    )
  })
})
