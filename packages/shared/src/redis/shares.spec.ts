import { describe, expect, it } from 'vitest'
import { sharesOf } from './shares.js'
import type { Shard, Topology } from './topology.js'

/** A key is of the master that it begins with; of none when that is `?`. */
function topology(sharded: boolean): Topology & { asked: number } {
  const shards = new Map(['a', 'b'].map((id) => [id, { id } as Shard]))
  return {
    sharded,
    asked: 0,
    shardOf(key) {
      this.asked++
      return shards.get(key[0]!)
    },
    shards: () => [...shards.values()],
    layout: async () => ({ slots: '', migrating: false }),
    exec: async () => [],
  }
}

function shares(keys: readonly string[], sharded: boolean): [string | undefined, readonly string[]][] {
  return [...sharesOf(topology(sharded), keys, (key) => key)].map(([shard, share]) => [shard?.id, share])
}

describe('the shares of masters', () => {
  it('are each master’s items in their order', () => {
    expect(shares(['a1', 'b1', 'a2', 'b2', 'a3'], true)).toEqual([
      ['a', ['a1', 'a2', 'a3']],
      ['b', ['b1', 'b2']],
    ])
  })

  it('keep those of no known master together, and apart from the others', () => {
    expect(shares(['?1', 'a1', '?2'], true)).toEqual([
      [undefined, ['?1', '?2']],
      ['a', ['a1']],
    ])
  })

  it('of one server are one share, for which one key is looked up; the list is a copy', () => {
    const one = topology(false)
    const items = ['a1', 'a2', 'a3']
    const [share] = [...sharesOf(one, items, (key) => key).values()]
    expect(share).toEqual(items)
    expect(share).not.toBe(items)
    expect(one.asked).toBe(1)
  })

  it('of nothing are none', () => {
    expect(shares([], true)).toEqual([])
    expect(shares([], false)).toEqual([])
  })
})
