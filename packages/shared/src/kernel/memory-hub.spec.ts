import { describe, expect, it } from 'vitest'
import { MemoryHub } from './memory-hub.js'

describe('a memory hub', () => {
  it('keeps one part a capability and key prefix, and gives the same one to all who ask', () => {
    const hub = new MemoryHub()
    const made: object[] = []
    const partOf = (capability: string, keyPrefix: string) =>
      hub.part(capability, keyPrefix, () => made[made.push({}) - 1]!)
    const first = partOf('cache', 'a:')
    expect(partOf('cache', 'a:')).toBe(first)
    expect(partOf('cache', 'b:')).not.toBe(first)
    expect(partOf('lock', 'a:')).not.toBe(first)
    expect(made).toHaveLength(3)
  })

  it('keeps what is made, whatever it is', () => {
    const hub = new MemoryHub()
    let calls = 0
    const make = (): undefined => void calls++
    hub.part('cache', 'a:', make)
    hub.part('cache', 'a:', make)
    expect(calls).toBe(1)
  })

  it('hands itself to what is made, and shares nothing with another hub', () => {
    const hub = new MemoryHub()
    expect(hub.part('cache', 'a:', (made) => made)).toBe(hub)
    const other = new MemoryHub()
    expect(other.part('cache', 'a:', (made) => made)).toBe(other)
  })
})
