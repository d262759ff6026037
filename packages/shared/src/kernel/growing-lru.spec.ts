import { describe, expect, it } from 'vitest'
import { growingLru } from './growing-lru.js'

describe('an LRU that grows', () => {
  it('lets the least recently used go beyond its bound', () => {
    const lru = growingLru<{ n: number }>(3)
    for (const n of [1, 2, 3]) lru.set(`${n}`, { n })
    lru.get('1')
    lru.set('4', { n: 4 })
    expect([...lru.keys()].sort()).toEqual(['1', '3', '4'])
    lru.set('4', { n: 5 })
    expect([lru.size, lru.get('4')]).toEqual([3, { n: 5 }])
  })

  it('takes no memory for what is not there yet', () => {
    const before = process.memoryUsage().arrayBuffers
    const many = Array.from({ length: 5 }, () => growingLru<object>(1_000_000))
    // With `max`: five times 12 bytes for each of a million places.
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(5_000_000)
    expect(many).toHaveLength(5)
  })
})
