import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { InvalidKeyError } from './errors.js'
import { assertKey, escapeGlob, keyGroup } from './key.js'

describe('a key', () => {
  it.each(['a', 'product:t1:42', 'a b', '{}', '*?[x]\\', 'ürün:ğ', '商品:1', '🛒', '~'.repeat(1_024), 'é'.repeat(512)])(
    'may be %j',
    (key) => {
      expect(() => assertKey(key)).not.toThrow()
    },
  )

  it.each([
    ['', 'key is empty'],
    ['x'.repeat(1_025), 'key has 1025 bytes, the most is 1024'],
    ['é'.repeat(513), 'key has 1026 bytes, the most is 1024'],
    ['a\nb', 'key has a control character (U+000A) at position 1'],
    ['a\0', 'key has a control character (U+0000) at position 1'],
    ['é\u0085', 'key has a control character (U+0085) at position 1'],
    ['\x7f', 'key has a control character (U+007F) at position 0'],
    ['cut:\ud83d', 'key has half a surrogate pair at position 4'],
    [undefined, 'key must be a string, not undefined'],
    [null, 'key must be a string, not null'],
    [42, 'key must be a string, not number'],
  ])('may not be %j', (key, message) => {
    const refused = expect.objectContaining({ code: 'INVALID_KEY', message: expect.stringContaining(message) })
    expect(() => assertKey(key as string)).toThrow(refused)
  })

  it('is not repeated in the error, which names the argument', () => {
    let message = ''
    try {
      assertKey('secret-'.repeat(200), 'tag')
    } catch (error) {
      message = (error as InvalidKeyError).message
    }
    expect(message).toMatch(/^tag has 1400 bytes/)
    expect(message).not.toContain('secret')
  })

  it('is accepted exactly when it is 1 to 1,024 bytes of UTF-8 without control characters', () => {
    const anything = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 1_100, size: 'max' }),
      fc.string({ unit: 'grapheme', maxLength: 20 }),
      fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 6 }).map((codes) => String.fromCharCode(...codes)),
    )
    fc.assert(
      fc.property(anything, (key) => {
        const bytes = Buffer.from(key)
        const allowed =
          bytes.length >= 1 &&
          bytes.length <= 1_024 &&
          bytes.toString() === key &&
          [...key].every((character) => {
            const code = character.codePointAt(0) as number
            return code > 0x1f && !(code >= 0x7f && code <= 0x9f)
          })
        expect(accepts(key)).toBe(allowed)
      }),
      { numRuns: 300 },
    )
  })
})

describe('escapeGlob', () => {
  // Few characters, so that globs and texts meet often.
  const text = fc.string({
    unit: fc.constantFrom('*', '?', '[', ']', '\\', '^', '-', 'a', 'b', '{', '}', ':', 'é'),
    maxLength: 8,
  })

  it('makes a glob that matches its text', () => {
    fc.assert(
      fc.property(text, (t) => {
        expect(globMatches(escapeGlob(t), t)).toBe(true)
      }),
      { numRuns: 2_000 },
    )
  })

  it('makes a glob that matches nothing else', () => {
    fc.assert(
      fc.property(text, text, (t, other) => {
        expect(globMatches(escapeGlob(t), other)).toBe(t === other)
      }),
      { numRuns: 5_000 },
    )
  })

  it('stays literal inside a larger glob', () => {
    expect(globMatches(`${escapeGlob('a*[b]')}:*`, 'a*[b]:1')).toBe(true)
    expect(globMatches(`${escapeGlob('a*[b]')}:*`, 'axb:1')).toBe(false)
  })

  it('is checked against a matcher that knows the globs of Redis', () => {
    expect(globMatches('h?llo', 'hello')).toBe(true)
    expect(globMatches('h*o', 'heeeello')).toBe(true)
    expect(globMatches('h[^e]llo', 'hello')).toBe(false)
    expect(globMatches('h[a-c]llo', 'hbllo')).toBe(true)
    expect(globMatches('h[\\]]llo', 'h]llo')).toBe(true)
    expect(globMatches('a\\*', 'ab')).toBe(false)
    expect(globMatches('a*', 'b')).toBe(false)
  })
})

describe('keyGroup', () => {
  it.each([
    ['product:t1:42', 'product'],
    ['countries', 'countries'],
    [':odd', ''],
  ])('of %j is %j', (key, group) => {
    expect(keyGroup(key)).toBe(group)
  })
})

function accepts(key: string): boolean {
  try {
    assertKey(key)
    return true
  } catch (error) {
    if (error instanceof InvalidKeyError) return false
    throw error
  }
}

/** The globs of Redis (`stringmatchlen` in util.c), written for being read. */
function globMatches(glob: string, text: string): boolean {
  if (glob === '') return text === ''
  const [first, rest] = [glob.charAt(0), glob.slice(1)]
  if (first === '*') {
    for (let skip = 0; skip <= text.length; skip++) if (globMatches(rest, text.slice(skip))) return true
    return false
  }
  if (text === '') return false
  if (first === '?') return globMatches(rest, text.slice(1))
  if (first === '[') return classMatches(rest, text)
  if (first === '\\' && rest !== '')
    return rest.charAt(0) === text.charAt(0) && globMatches(rest.slice(1), text.slice(1))
  return first === text.charAt(0) && globMatches(rest, text.slice(1))
}

function classMatches(glob: string, text: string): boolean {
  const character = text.charAt(0)
  const negated = glob.startsWith('^')
  let at = negated ? 1 : 0
  let found = false
  while (at < glob.length && glob.charAt(at) !== ']') {
    if (glob.charAt(at) === '\\' && at + 1 < glob.length) {
      found ||= glob.charAt(at + 1) === character
      at += 2
    } else if (glob.charAt(at + 1) === '-' && at + 2 < glob.length) {
      const [low, high] = [glob.charAt(at), glob.charAt(at + 2)].sort() as [string, string]
      found ||= character >= low && character <= high
      at += 3
    } else {
      found ||= glob.charAt(at) === character
      at += 1
    }
  }
  return found !== negated && globMatches(glob.slice(at + 1), text.slice(1))
}
