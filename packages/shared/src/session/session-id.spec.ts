import { describe, expect, it } from 'vitest'
import { homeOf, newSessionId, refOf } from './session-id.js'

describe('an id of a session', () => {
  it('has 256 bits of the random source, and the home of the user', () => {
    const asked: number[] = []
    const random = (bytes: number): Buffer => {
      asked.push(bytes)
      return Buffer.alloc(bytes, 0xfb)
    }
    const id = newSessionId('h0-', random)
    expect(asked).toEqual([32])
    expect(Buffer.from(id.slice(0, 43), 'base64url')).toEqual(Buffer.alloc(32, 0xfb))
    expect([id.length, id.slice(43)]).toEqual([46, 'h0-'])
  })

  it('is another one each time, and each of its bits is 0 and 1', () => {
    const ids = Array.from({ length: 256 }, () => newSessionId(homeOf('u')))
    expect(new Set(ids).size).toBe(256)
    const ones = Array.from({ length: 256 }, () => 0)
    for (const id of ids) {
      const bytes = Buffer.from(id.slice(0, 43), 'base64url')
      for (let bit = 0; bit < 256; bit++) ones[bit]! += (bytes[bit >> 3]! >> (bit & 7)) & 1
    }
    // Of 256 tosses of 256 coins: that one of them is this far from the half has a chance of less than one in 10^15.
    for (const count of ones) expect(Math.abs(count - 128)).toBeLessThan(75)
  })

  it('leads to its home and to its hash, which says nothing of it', () => {
    const id = newSessionId(homeOf('u1'))
    const { home, hash } = refOf(id)!
    expect(home).toBe(homeOf('u1'))
    expect(hash).toMatch(/^[\w-]{43}$/)
    expect(id).not.toContain(hash)
    expect(refOf(id)).toEqual(refOf(id))
    expect(refOf(newSessionId(home))!.hash).not.toBe(hash)
  })

  it.each([
    '',
    'a',
    'a'.repeat(45),
    'a'.repeat(47),
    `${'a'.repeat(45)}\n`,
    `${'a'.repeat(45)}é`,
    7,
    null,
    undefined,
    {},
  ])('is not %j', (id) => {
    expect(refOf(id)).toBeUndefined()
  })
})

describe('the home of a user', () => {
  it('is the same each time, three signs of a hash, and spreads', () => {
    expect(homeOf('u1')).toBe(homeOf('u1'))
    const homes = Array.from({ length: 1_000 }, (_, i) => homeOf(`u${i}`))
    for (const home of homes) expect(home).toMatch(/^[\w-]{3}$/)
    expect(new Set(homes).size).toBeGreaterThan(980)
  })

  it('tells halves of surrogate pairs apart', () => {
    expect(homeOf('\ud800')).not.toBe(homeOf('\ud801'))
  })
})
