import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Envelope, envelopeParts, parseEnvelope } from './envelope.js'

/** What the script does with the parts. */
function stored(entry: Envelope): string {
  const { head, tail } = envelopeParts(entry)
  return `${head}${String(entry.softAt).padStart(13, '0')} ${String(entry.hardAt).padStart(13, '0')} ${tail}`
}

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

const digits14 = fc.stringMatching(/^[0-9]{14}$/)
const ms13 = fc.integer({ min: 0, max: 9_999_999_999_999 })
const word = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 12 }),
  fc.string({ unit: fc.constantFrom('-', ',', ' ', '\n', '%', '2', '0', 'A', 'D', 'a'), maxLength: 5 }),
)
const anyEnvelope: fc.Arbitrary<Envelope> = fc.record({
  g: digits14,
  s: fc.integer({ min: 0, max: 999_999_999_999_999 }),
  e: fc.stringMatching(/^[!-~]{8}$/),
  softAt: ms13,
  hardAt: ms13,
  deltaMs: fc.integer({ min: 0, max: 10_000_000 }),
  codec: fc.constantFrom('j', 't'),
  version: fc.option(word),
  tags: fc.array(word, { maxLength: 5 }),
  payload: fc.string({ unit: 'grapheme', maxLength: 40 }),
})

describe('an envelope', () => {
  it('has the layout that scripts rely on', () => {
    const text = stored(entry)
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

  it('comes back as it was written, again and again', () => {
    fc.assert(
      fc.property(anyEnvelope, (any) => {
        const text = stored(any)
        expect(text.indexOf('\n')).toBe(text.length - any.payload.length - 1)
        expect(parseEnvelope(text)).toEqual(any)
        expect(parseEnvelope(text)).toEqual(any)
      }),
      { numRuns: 1_000 },
    )
  })

  it.each([[[]], [['-']], [['']], [['', '']], [['a,b', 'c d', 'e\nf', '%', '%2D', '%2C']], [['ürün', '🛒']]])(
    'keeps the tags %j',
    (tags) => {
      expect(parseEnvelope(stored({ ...entry, tags }))?.tags).toEqual(tags)
    },
  )

  it.each([null, '-', '', '17', '2 1'])('keeps the version %j', (version) => {
    expect(parseEnvelope(stored({ ...entry, version }))?.version).toBe(version)
  })

  it('gives the same list for the same tags, and nobody can change it', () => {
    const first = parseEnvelope(stored(entry))?.tags as string[]
    expect(parseEnvelope(stored({ ...entry, payload: '2' }))?.tags).toBe(first)
    expect(() => first.push('x')).toThrow(TypeError)
  })

  it('keeps lists apart when there are more of them than are remembered', () => {
    for (let i = 0; i < 10_000; i++) {
      const tags = [`customer:${i}`, `long:${'x'.repeat(i % 300)}`]
      expect(parseEnvelope(stored({ ...entry, tags }))?.tags).toEqual(tags)
    }
  })

  it('rounds the load time, which clocks give with fractions', () => {
    expect(parseEnvelope(stored({ ...entry, deltaMs: 12.6 }))?.deltaMs).toBe(13)
  })

  it.each([
    ['g', '123'],
    ['e', 'short'],
    ['codec', 'jj'],
  ])('is not written when its %s has the wrong width', (field, value) => {
    expect(() => envelopeParts({ ...entry, [field]: value })).toThrow(TypeError)
    expect(() => envelopeParts({ ...entry, codec: '', e: '123456789' })).toThrow(TypeError)
  })
})

describe('what is not an envelope', () => {
  const text = stored(entry)

  it('is null: a truncated one, wherever it was cut before its payload', () => {
    for (let length = 0; length <= text.indexOf('\n'); length++) expect(parseEnvelope(text.slice(0, length))).toBeNull()
    expect(parseEnvelope(text.slice(0, text.indexOf('\n') + 1))?.payload).toBe('')
  })

  it('is null: one whose header has a wrong character in any fixed place', () => {
    for (let at = 0; at < 57; at++) {
      if (at === 3) continue
      for (const wrong of at >= 20 && at < 28 ? [' ', '\n'] : ['x', '\n', '-', '']) {
        const damaged = text.slice(0, at) + wrong + text.slice(at + 1)
        expect(parseEnvelope(damaged), `${at} ${JSON.stringify(wrong)}`).toBeNull()
      }
    }
  })

  it.each([
    '',
    'v1',
    '{"plain":"json"}',
    'null',
    text.replace('v1', 'v2'),
    text.replace(' 42 ', '  '),
    text.replace(' 42 ', ' -1 '),
    text.replace(' 42 ', ' 4.2 '),
    text.replace(' 42 ', ' 1234567890123456 '),
    text.replace(' 17 ', ' x '),
    text.replace(' - ', '  '),
    text.replace(' - ', ' a\nb '),
    text.replace('t1,', 't1,,'),
    text.replace('t1,', 't1,-,'),
    text.replace('t1,', 't1%,'),
    text.replace('t1,', 't1%41,'),
    text.replace('t1,', 't1 '),
    text.replace('tenant:t1,customer:7', ''),
  ])('is null: %j', (other) => {
    expect(parseEnvelope(other)).toBeNull()
  })

  it('never throws', () => {
    const cut = fc.tuple(fc.nat(text.length), fc.nat(text.length), fc.string({ unit: 'binary', maxLength: 5 }))
    fc.assert(
      fc.property(cut, ([from, to, middle]) => {
        const parsed = parseEnvelope(text.slice(0, from) + middle + text.slice(to))
        expect(parsed === null || parsed.e.length === 8).toBe(true)
      }),
      { numRuns: 1_000 },
    )
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (any) => {
        expect(parseEnvelope(any)).toBeNull()
      }),
    )
  })
})
