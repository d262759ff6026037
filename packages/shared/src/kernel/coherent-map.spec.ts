import { beforeEach, describe, expect, it } from 'vitest'
import { CoherentMap, type InvalidationListener, type InvalidationSource } from './coherent-map.js'

let now: number
let source: FakeSource
let map: CoherentMap<string>

beforeEach(() => {
  now = 1_000
  source = new FakeSource()
  map = mapOf()
})

function mapOf(bounds: { maxBytes?: number; maxEntries?: number } = {}): CoherentMap<string> {
  return new CoherentMap({
    source,
    clock: { mono: () => now, wall: () => 0, timer: () => ({ cancel: () => undefined }) },
    maxBytes: 1_000,
    maxEntries: 100,
    stalenessMs: 2_000,
    ...bounds,
  })
}

function fill(key: string, value: string, { size = 1, ttlMs = 60_000 } = {}): boolean {
  return map.put(key, value, map.ticket(key), size, ttlMs)
}

describe('a ticket (R17)', () => {
  it('fills while nothing has happened to its key', () => {
    const ticket = map.ticket('vextrus:a')
    expect(map.put('vextrus:a', 'v1', ticket, 1, 60_000)).toBe(true)
    expect(map.get('vextrus:a')).toBe('v1')
  })

  it('does not fill after a push of its key, which is the reply that comes late', () => {
    const ticket = map.ticket('vextrus:a')
    source.push('vextrus:a')
    expect(ticket.dirty).toBe(true)
    expect(map.put('vextrus:a', 'v1', ticket, 1, 60_000)).toBe(false)
    expect(map.get('vextrus:a')).toBeUndefined()
  })

  it('does not fill after an invalidation by this process, before its push comes', () => {
    const ticket = map.ticket('vextrus:a')
    map.invalidate('vextrus:a')
    expect(map.put('vextrus:a', 'v1', ticket, 1, 60_000)).toBe(false)
  })

  it('is not disturbed by a push of another key', () => {
    const ticket = map.ticket('vextrus:a')
    source.push('vextrus:b')
    expect(map.put('vextrus:a', 'v1', ticket, 1, 60_000)).toBe(true)
  })

  it('is clean again when it is taken after the push, beside the dirty one', () => {
    const before = map.ticket('vextrus:a')
    source.push('vextrus:a')
    const after = map.ticket('vextrus:a')
    expect(map.put('vextrus:a', 'old', before, 1, 60_000)).toBe(false)
    source.push('vextrus:b')
    expect(map.put('vextrus:a', 'new', after, 1, 60_000)).toBe(true)
  })

  it('stays watched when the dirty ticket before it ends', () => {
    const before = map.ticket('vextrus:a')
    source.push('vextrus:a')
    const after = map.ticket('vextrus:a')
    before.close()
    source.push('vextrus:a')
    expect(map.put('vextrus:a', 'v1', after, 1, 60_000)).toBe(false)
  })

  it('stays watched when a ticket of the same key ends', () => {
    const first = map.ticket('vextrus:a')
    const second = map.ticket('vextrus:a')
    first.close()
    first.close()
    source.push('vextrus:a')
    expect(map.put('vextrus:a', 'v1', second, 1, 60_000)).toBe(false)
  })

  it('fills once: afterwards nobody watches its key', () => {
    const ticket = map.ticket('vextrus:a')
    map.put('vextrus:a', 'v1', ticket, 1, 60_000)
    source.push('vextrus:a')
    expect(map.put('vextrus:a', 'v1', ticket, 1, 60_000)).toBe(false)
    const closed = map.ticket('vextrus:a')
    closed.close()
    expect(map.put('vextrus:a', 'v1', closed, 1, 60_000)).toBe(false)
  })

  it('fills its own key only', () => {
    expect(map.put('vextrus:b', 'v1', map.ticket('vextrus:a'), 1, 60_000)).toBe(false)
    expect(map.openTickets).toBe(0)
  })

  it('does not fill when it was taken before the source was live', () => {
    source.epoch = 0
    const ticket = map.ticket('vextrus:a')
    source.epoch = 1
    expect(map.put('vextrus:a', 'v1', ticket, 1, 60_000)).toBe(false)
  })

  it('does not fill while the source is not live, for that value would outlast the gap', () => {
    source.epoch = 0
    const ticket = map.ticket('vextrus:a')
    expect(ticket.dirty).toBe(true)
    expect(map.put('vextrus:a', 'v1', ticket, 1, 60_000)).toBe(false)
    expect(map.openTickets).toBe(0)
  })

  it('does not fill in another epoch than its own, even if the reset has not reached the map', () => {
    const ticket = map.ticket('vextrus:a')
    source.epoch = 2
    expect(map.put('vextrus:a', 'v1', ticket, 1, 60_000)).toBe(false)
  })

  it('leaves no trace, however it ends', () => {
    for (let i = 0; i < 1_000; i++) {
      const key = `vextrus:${i % 7}`
      const filled = map.ticket(key)
      const abandoned = map.ticket(key)
      const invalidated = map.ticket(key)
      map.put(key, 'v', filled, 1, 60_000)
      if (i % 3 === 0) source.push(key)
      if (i % 5 === 0) source.reset()
      abandoned.close()
      map.put(key, 'v', invalidated, 1, 60_000)
    }
    expect(map.openTickets).toBe(0)
  })
})

describe('a ticket (R17)', () => {
  it('of a value whose reply came late has used up its time to live', () => {
    const ticket = map.ticket('vextrus:a')
    now += 600
    source.from = now
    expect(map.put('vextrus:a', 'v1', ticket, 1, 1_000)).toBe(true)
    now += 399
    source.from = now
    expect(map.get('vextrus:a')).toBe('v1')
    now += 1
    source.from = now
    expect(map.get('vextrus:a')).toBeUndefined()
  })

  it('stays clean when a value is dropped that was of no use: nothing was written', () => {
    fill('vextrus:a', 'v1')
    const ticket = map.ticket('vextrus:a')
    map.drop('vextrus:a')
    expect(map.get('vextrus:a')).toBeUndefined()
    expect(map.put('vextrus:a', 'v1', ticket, 1, 60_000)).toBe(true)
  })

  it('of a key that matches becomes dirty with the values that match', () => {
    fill('vextrus:a', 'v1')
    fill('vextrus:b', 'v1')
    const [open, other] = [map.ticket('vextrus:a2'), map.ticket('vextrus:b2')]
    map.invalidateWhere((key) => key.startsWith('vextrus:a'))
    expect([map.get('vextrus:a'), map.get('vextrus:b')]).toEqual([undefined, 'v1'])
    expect(map.put('vextrus:a2', 'v1', open, 1, 60_000)).toBe(false)
    expect(map.put('vextrus:b2', 'v1', other, 1, 60_000)).toBe(true)
    expect(map.openTickets).toBe(0)
  })
})

describe('an invalidation', () => {
  it('removes the value, by push and by this process', () => {
    fill('vextrus:a', 'v1')
    fill('vextrus:b', 'v1')
    source.push('vextrus:a')
    map.invalidate('vextrus:b')
    expect([map.get('vextrus:a'), map.get('vextrus:b')]).toEqual([undefined, undefined])
  })
})

describe('the lease on hits (R18)', () => {
  it('ends hits exactly when the last proof is as old as the staleness', () => {
    fill('vextrus:a', 'v1')
    now = source.from + 1_999.9
    expect(map.get('vextrus:a')).toBe('v1')
    now = source.from + 2_000
    expect(map.get('vextrus:a')).toBeUndefined()
  })

  it('makes the value usable again with the next proof', () => {
    fill('vextrus:a', 'v1')
    now = source.from + 5_000
    expect(map.get('vextrus:a')).toBeUndefined()
    source.from = now
    expect(map.get('vextrus:a')).toBe('v1')
  })

  it('answers nothing while the source is not live', () => {
    fill('vextrus:a', 'v1')
    source.epoch = 0
    expect(map.get('vextrus:a')).toBeUndefined()
  })
})

describe('a reset (R20)', () => {
  it('forgets every value', () => {
    fill('vextrus:a', 'v1')
    source.reset()
    expect(map.get('vextrus:a')).toBeUndefined()
    expect([map.entries, map.bytes]).toEqual([0, 0])
  })

  it('makes the open tickets dirty, also when its owner asks for it within an epoch', () => {
    const ticket = map.ticket('vextrus:a')
    map.reset()
    expect(map.put('vextrus:a', 'v1', ticket, 1, 60_000)).toBe(false)
    expect(fill('vextrus:a', 'v2')).toBe(true)
  })
})

describe('the bounds', () => {
  it('end a value at its time to live, by the monotonic clock', () => {
    fill('vextrus:a', 'v1', { ttlMs: 500 })
    now += 499.5
    source.from = now
    expect(map.get('vextrus:a')).toBe('v1')
    now += 0.5
    expect(map.get('vextrus:a')).toBeUndefined()
    expect(map.entries).toBe(0)
  })

  it.each([0, -1, NaN])('keep nothing for a time to live of %s', (ttlMs) => {
    expect(fill('vextrus:a', 'v1', { ttlMs })).toBe(false)
    expect(map.entries).toBe(0)
  })

  it('drop the least recently used by bytes and by number', () => {
    map = mapOf({ maxBytes: 100, maxEntries: 3 })
    fill('a', 'v', { size: 40 })
    fill('b', 'v', { size: 40 })
    map.get('a')
    fill('c', 'v', { size: 40 })
    expect([map.get('a'), map.get('b'), map.get('c')]).toEqual(['v', undefined, 'v'])
    for (const key of ['d', 'e', 'f', 'g']) fill(key, 'v', { size: 0.5 })
    expect(map.entries).toBe(3)
    expect(map.bytes).toBeLessThanOrEqual(100)
  })

  it('refuse a value that is larger than everything, and keep nothing older of it', () => {
    fill('a', 'old')
    expect(fill('a', 'v', { size: 1_001 })).toBe(false)
    expect(map.get('a')).toBeUndefined()
  })
})

describe('what a value weighs', () => {
  it('may turn out later: others make room, and it goes when it alone is too much', () => {
    map = mapOf({ maxBytes: 100 })
    fill('a', 'va', { size: 10 })
    fill('b', 'vb', { size: 10 })
    map.weigh('b', 'vb', 95)
    expect([map.get('a'), map.get('b'), map.bytes]).toEqual([undefined, 'vb', 95])
    map.weigh('b', 'vb', 101)
    expect([map.get('b'), map.bytes, map.entries]).toEqual([undefined, 0, 0])
  })

  it('is not said of another value, or of one that has gone, and gives none a longer life', () => {
    fill('a', 'new', { size: 10, ttlMs: 500 })
    map.weigh('a', 'old', 50)
    map.weigh('b', 'gone', 50)
    expect([map.bytes, map.entries]).toEqual([10, 1])
    map.weigh('a', 'new', 20)
    expect(map.bytes).toBe(20)
    now += 500
    source.from = now
    expect(map.get('a')).toBeUndefined()
  })
})

describe('what was found', () => {
  const found = (...keys: string[]) => keys.map((key) => map.find(key, now)!)

  it('holds while `find` would answer it again', () => {
    fill('a', 'va')
    fill('b', 'vb')
    const both = found('a', 'b')
    expect(both.map(({ value }) => value)).toEqual(['va', 'vb'])
    expect(map.holds(both, now)).toBe(true)
    now += 1_999
    expect(map.holds(both, now)).toBe(true)
    now += 1
    expect(map.holds(both, now)).toBe(false)
    // R18: a later proof makes it usable again.
    source.from = now
    expect(map.holds(both, now)).toBe(true)
  })

  it.each<[string, () => unknown]>([
    ['a push (R17)', () => source.push('b')],
    ['an own write (R17)', () => map.invalidate('b')],
    ['a gap (R20)', () => source.reset()],
    ['another value of its key', () => fill('b', 'other')],
    ['the end of its time', () => (source.from = now += 500)],
    ['a lack of room', () => fill('c', 'large', { size: 990 })],
    ['the end of the map', () => map.close()],
  ])('holds no more after %s, also when the key is filled anew', (_what, happen) => {
    fill('a', 'va', { size: 10 })
    fill('b', 'vb', { size: 10, ttlMs: 500 })
    const both = found('a', 'b')
    happen()
    expect(map.holds(both, now)).toBe(false)
    fill('b', 'vb')
    expect(map.holds(both, now)).toBe(false)
  })
})

describe('a closed map', () => {
  it('has stopped listening, holds nothing and takes nothing', () => {
    fill('vextrus:a', 'v1')
    const ticket = map.ticket('vextrus:b')
    map.close()
    expect(source.listeners.size).toBe(0)
    expect(map.get('vextrus:a')).toBeUndefined()
    expect(map.put('vextrus:b', 'v1', ticket, 1, 60_000)).toBe(false)
    expect(fill('vextrus:c', 'v1')).toBe(false)
    expect([map.entries, map.openTickets]).toEqual([0, 0])
  })
})

class FakeSource implements InvalidationSource {
  epoch = 1
  from = 1_000
  readonly listeners = new Set<InvalidationListener>()

  get live(): boolean {
    return this.epoch !== 0
  }

  validFrom(): number {
    return this.live ? this.from : -Infinity
  }

  listen(listener: InvalidationListener): () => void {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }

  push(key: string): void {
    for (const listener of this.listeners) listener.invalidate(key)
  }

  reset(): void {
    this.epoch++
    for (const listener of this.listeners) listener.reset('test')
  }
}
