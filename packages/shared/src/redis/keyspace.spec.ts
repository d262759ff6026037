import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ConfigurationError } from '../kernel/errors.js'
import { Keyspace } from './keyspace.js'
import { labelOf, slotOf } from './slot.js'

const ODD_KEYS = [
  'a}b',
  '{}',
  'x{}y{z}',
  '}{',
  '{',
  '}',
  '{a',
  'a{b}c',
  '{a{b}',
  '{{}}',
  'product:t1:42',
  'ключ',
  '{}:{}',
  '}:x',
]

/** Keys rich in braces and colons, which decide slots and ends of tags. */
const anyKey = fc.oneof(
  fc.constantFrom(...ODD_KEYS),
  fc.string({ unit: fc.constantFrom('{', '}', ':', 'a', 'é', '@'), minLength: 1, maxLength: 12 }),
  fc.string({ minLength: 1 }),
)

describe('the keys in Redis', () => {
  const keys = new Keyspace('vextrus:')

  it('are what the architecture promises', () => {
    expect(keys.entry('product:t1:42')).toBe('vextrus:product:t1:42')
    expect(keys.tags).toBe('vextrus@tags')
    expect(keys.clearMarker).toBe('vextrus@tags:clear')
    expect(keys.publishedMarker).toBe('vextrus@tags:published')
    expect(keys.changes).toBe('vextrus@changes')
    expect(keys.lease('product:{t1}:42')).toBe('vextrus@lease:{t1}:product:{t1}:42')
    expect(keys.lease('product:42')).toBe('vextrus@lease:{vextrus:product:42}:product:42')
    expect(keys.lease('a}b')).toMatch(/^vextrus@lease:\{[0-9a-z]+\}:a\}b$/)
    expect(keys.wake('a{b}')).toBe('vextrus@wake:{b}:a{b}')
    expect(keys.trackedPrefixes).toEqual(['vextrus:', 'vextrus@tags', 'vextrus@wake:', 'vextrus@jwt:'])
  })

  it('put an entry, its lease and its wake signal into one slot', () => {
    fc.assert(
      fc.property(anyKey, (key) => {
        const slot = slotOf(keys.entry(key))
        expect(slotOf(keys.lease(key))).toBe(slot)
        expect(slotOf(keys.wake(key))).toBe(slot)
      }),
      { numRuns: 2_000 },
    )
  })

  it('are read back as the key they were made of, and as nothing else', () => {
    fc.assert(
      fc.property(anyKey, (key) => {
        expect(keys.keyOfEntry(keys.entry(key))).toBe(key)
        expect(keys.keyOfWake(keys.wake(key))).toBe(key)
        expect(keys.keyOfWake(keys.entry(key))).toBeUndefined()
        expect(keys.keyOfEntry(keys.wake(key))).toBeUndefined()
        expect(keys.keyOfEntry(keys.lease(key))).toBeUndefined()
        expect(keys.keyOfWake(keys.lease(key))).toBeUndefined()
      }),
      { numRuns: 2_000 },
    )
    expect(keys.keyOfEntry(keys.tags)).toBeUndefined()
    expect(keys.keyOfWake(keys.clearMarker)).toBeUndefined()
  })

  it('differ for different keys', () => {
    fc.assert(
      fc.property(anyKey, anyKey, (one, other) => {
        fc.pre(one !== other)
        expect(keys.lease(one)).not.toBe(keys.lease(other))
        expect(keys.wake(one)).not.toBe(keys.wake(other))
      }),
      { numRuns: 2_000 },
    )
  })

  it('have a label for every slot', () => {
    for (let slot = 0; slot < 16_384; slot++) expect(slotOf(labelOf(slot))).toBe(slot)
  })

  it('get the final colon of the prefix when it is missing', () => {
    expect(new Keyspace('erp_1.test-2').entry('a')).toBe('erp_1.test-2:a')
    expect(new Keyspace().entry('a')).toBe('vextrus:a')
  })

  it.each(['', ':', 'a:b', 'a b', 'a*', 'a::', '{a}:', 'a\n', 'ключ:'])('refuse the prefix %j', (prefix) => {
    expect(() => new Keyspace(prefix)).toThrow(ConfigurationError)
    expect(() => new Keyspace(prefix)).toThrow('keyPrefix')
  })
})
