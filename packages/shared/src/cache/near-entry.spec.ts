import { describe, expect, it } from 'vitest'
import type { StoredEntry } from './cache-store.js'
import { NearEntry } from './near-entry.js'
import type { NearValuesMode } from './near-options.js'

const stored: StoredEntry = {
  g: '35184372088833',
  s: 4,
  e: 'inmemory',
  softAt: 5_000,
  hardAt: 9_000,
  deltaMs: 10,
  codec: 'j',
  version: '3',
  tags: ['t'],
  nearMs: 700,
  payload: '{"rows":[{"id":1}]}',
}

class Money {
  constructor(readonly amount: number) {}
}

interface Rows {
  rows: { id: number }[]
}

function unpacked(mode: NearValuesMode, value: unknown): NearEntry {
  const entry = new NearEntry(stored, 0, mode)
  entry.unpack(value)
  return entry
}

describe('an entry in memory', () => {
  it('has the whole header of the stored one', () => {
    expect(new NearEntry(stored, 0, 'copy')).toMatchObject(stored)
  })

  it('tells the server’s time from the process’s, and when it becomes stale', () => {
    const entry = new NearEntry(stored, -1_000, 'copy')
    expect(entry.storeTime(3_000)).toBe(4_000)
    expect(entry.staleAt).toBe(4_000)
    // Sooner than that chance refreshes nothing (R15).
    expect(entry.calmUntil).toBe(4_000 - 37 * 10)
  })

  it('keeps the payload until its value is asked for, and not beside the value', () => {
    const entry = new NearEntry(stored, 0, 'copy')
    expect([entry.unpacked, entry.payload]).toEqual([false, stored.payload])
    entry.unpack({ rows: [] })
    expect([entry.unpacked, entry.payload]).toEqual([true, ''])
  })
})

describe('what a hit hands out', () => {
  it('is a copy with "copy", from the first one on: what is done to it is nobody else’s', () => {
    const value = { rows: [{ id: 1 }] }
    const entry = new NearEntry(stored, 0, 'copy')
    const first = entry.unpack(value) as Rows
    first.rows[0]!.id = 9
    first.rows.push({ id: 10 })
    const second = entry.handOut() as Rows
    expect(second).toEqual({ rows: [{ id: 1 }] })
    second.rows.length = 0
    expect(entry.handOut()).toEqual({ rows: [{ id: 1 }] })
    expect(value).toEqual({ rows: [{ id: 1 }] })
  })

  it('is one frozen object with "frozen", frozen by whoever unpacked it', () => {
    const value = Object.freeze({ text: 'a' })
    const entry = unpacked('frozen', value)
    expect(entry.handOut()).toBe(value)
  })

  it.each<[string, unknown]>([
    ['a Date', new Date(5)],
    ['a Map', new Map([['a', { b: 1 }]])],
    ['a Set', new Set([1])],
    ['bytes', new Uint8Array([1, 2])],
  ])('is a copy also with "frozen" where freezing is not enough: %s', (_, inner) => {
    const entry = unpacked('frozen', { inner, list: [1] })
    const [one, other] = [entry.handOut(), entry.handOut()] as [{ inner: unknown }, { inner: unknown }]
    expect(one).toEqual({ inner, list: [1] })
    expect(one.inner).not.toBe(other.inner)
    expect([one.inner, other.inner]).not.toContain(inner)
    expect(Object.isFrozen(one)).toBe(true)
    expect(Object.isFrozen((one as unknown as { list: unknown }).list)).toBe(true)
  })

  it('is the same object for all with "shared", whatever it is', () => {
    for (const value of [{ a: 1 }, new Money(5), new Date(1)]) {
      const entry = unpacked('shared', value)
      expect(entry.handOut()).toBe(value)
      expect(entry.handOut()).toBe(value)
    }
  })

  it('is the value itself where nobody can change it', () => {
    for (const mode of ['copy', 'frozen', 'shared'] as const)
      for (const value of ['text', 5, 5n, true, null, undefined, NaN])
        expect(unpacked(mode, value).handOut()).toBe(value)
  })

  it('is what was unpacked just now where it can’t be copied: each hit reads the payload anew', () => {
    for (const mode of ['copy', 'frozen'] as const) {
      const entry = new NearEntry(stored, 0, mode)
      const value = { price: new Money(5) }
      expect(entry.unpack(value)).toBe(value)
      expect([entry.unpacked, entry.payload]).toEqual([false, stored.payload])
    }
  })

  it('is of the first value where two hits have unpacked at once', () => {
    const value = { a: 1 }
    const entry = unpacked('shared', value)
    expect(entry.unpack({ a: 1 })).toBe(value)
    expect(unpacked('copy', { a: 1 }).unpack({ a: 2 })).toEqual({ a: 1 })
  })
})

describe('the weight of an entry', () => {
  it('is that of its payload until it is unpacked', () => {
    const [short, long] = ['"a"', `"${'a'.repeat(1_000)}"`].map(
      (payload) => new NearEntry({ ...stored, payload }, 0, 'copy'),
    )
    expect(long!.weight - short!.weight).toBe(2 * 999)
    expect(short!.weight).toBeGreaterThan(200)
  })

  it('counts its tags: there may be 128 of them, of a kilobyte each', () => {
    const tags = Array.from({ length: 128 }, (_, i) => `${i}`.padEnd(1_000, 'x'))
    const [none, many] = [[], tags].map((each) => new NearEntry({ ...stored, tags: each }, 0, 'copy'))
    expect(many!.weight - none!.weight).toBeGreaterThan(128 * 1_000)
  })

  it('is that of its value then: of a payload that was compressed it is many times more', () => {
    const rows = Array.from({ length: 1_000 }, (_, id) => ({ id, name: 'always the same name' }))
    for (const mode of ['copy', 'frozen', 'shared'] as const) {
      const entry = new NearEntry({ ...stored, codec: 'G', payload: Buffer.alloc(900) }, 0, mode)
      entry.unpack(rows)
      expect(entry.weight).toBeGreaterThan(100_000)
      expect(entry.weight).toBeLessThan(1_000_000)
    }
  })

  it('counts what many small objects cost', () => {
    const payload = JSON.stringify(Array.from({ length: 10_000 }, () => ({})))
    const entry = new NearEntry({ ...stored, payload }, 0, 'copy')
    entry.unpack(JSON.parse(payload))
    expect(entry.weight).toBeGreaterThan(10_000 * 32)
  })
})
