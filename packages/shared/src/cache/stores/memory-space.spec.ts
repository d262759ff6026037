import { describe, expect, it } from 'vitest'
import { loseClock } from '../../../test/support/memory-faults.js'
import { SeededRandom } from '../../../test/support/seeded-random.js'
import { MemoryHub } from '../../kernel/memory-hub.js'
import { FakeClock } from '../../testing/fake-clock.js'
import type { StoredEntry } from '../cache-store.js'
import { spaceOf } from './memory-space.js'
import { onWake } from '../../../test/support/manual-pushes.js'

function entry(payload: string, hardAt = Number.MAX_SAFE_INTEGER): StoredEntry {
  return {
    g: '1',
    s: 2,
    e: 'inmemory',
    softAt: hardAt,
    hardAt,
    deltaMs: 0,
    codec: 'j',
    version: null,
    tags: [],
    payload,
  }
}

function space(options: { maxBytes?: number; clock?: FakeClock } = {}) {
  return spaceOf(new MemoryHub({ random: new SeededRandom(1), ...options }), 'vextrus:')
}

describe('a memory space', () => {
  it('is one a hub and key prefix, and the same for all who ask', () => {
    const hub = new MemoryHub()
    spaceOf(hub, 'a:').store('k', entry('1'))
    expect(spaceOf(hub, 'a:').entry('k')?.payload).toBe('1')
    expect(spaceOf(hub, 'b:').entry('k')).toBeNull()
  })

  it('drops the least recently read entries beyond its bytes', () => {
    const small = space({ maxBytes: 4_000 })
    for (const key of ['a', 'b', 'c']) small.store(key, entry('x'.repeat(1_000)))
    expect(small.entry('a')).not.toBeNull()
    small.store('d', entry('x'.repeat(1_000)))
    expect(['a', 'b', 'c', 'd'].filter((key) => small.entry(key) !== null)).toEqual(['a', 'c', 'd'])
  })

  it('keeps nothing of an entry that alone is too large, the older one at its key included', () => {
    const small = space({ maxBytes: 1_000 })
    small.store('a', entry('old'))
    small.store('a', entry('x'.repeat(2_000)))
    expect(small.entry('a')).toBeNull()
  })

  it('counts time by the monotonic clock: a machine whose wall clock is set back ends nothing later', async () => {
    const clock = new FakeClock()
    const server = space({ clock })
    const start = server.nowMs()
    clock.wall = () => 0
    await clock.advance(250)
    expect(server.nowMs()).toBe(start + 250)
  })
})

describe('the clock of a space', () => {
  it('names each tag once in a delta, with its last mark', () => {
    const server = space()
    server.tagClock.create()
    for (const tags of [['x', 'y'], ['x'], ['y'], ['x']]) server.tagClock.bump(tags, 100)
    expect(server.tagClock.marksSince(2)).toEqual({ tags: ['x', 'y'], seqs: [9, 7], full: false })
  })

  it('names no tag whose mark was dropped: the floor speaks for it', () => {
    const server = space()
    for (let i = 0; i < 5; i++) server.tagClock.bump([`t${i}`], 3)
    expect(server.tagClock.marksSince(2).tags).toEqual(['t4', 't3', 't2'])
    expect(server.tagClock.now().f).toBe(5)
  })

  it('drops the oldest first, and a mark that moves is young again', () => {
    const server = space()
    for (const tag of ['a', 'b', 'a', 'c']) server.tagClock.bump([tag], 2)
    expect(server.tagClock.read(['a', 'b', 'c']).seqs).toEqual([7, null, 9])
  })

  it('says that a delta is not all, rather than tell thousands of marks', () => {
    const server = space()
    server.tagClock.create()
    const { s } = server.tagClock.now()
    for (let i = 0; i < 2_400; i++) server.tagClock.bump([`t${i}`], 100_000)
    expect(server.tagClock.marksSince(s).full).toBe(false)
    server.tagClock.bump(['one more'], 100_000)
    expect(server.tagClock.marksSince(s).full).toBe(true)
    const last = server.tagClock.now().s
    expect(server.tagClock.marksSince(last - 1)).toEqual({ tags: ['one more'], seqs: [last - 1], full: false })
  })

  it('gets another generation when it is lost, and none of the old marks', () => {
    const server = space()
    server.tagClock.bump(['x'], 100)
    const before = server.tagClock.now()
    loseClock(server)
    expect(server.tagClock.now().g).toBeNull()
    server.tagClock.create()
    expect(server.tagClock.now().g).not.toBe(before.g)
    expect(server.tagClock.read(['x']).seqs).toEqual([null])
    expect(server.tagClock.marksSince(0).tags).toEqual([])
  })

  it('has a generation of 14 digits from 2^45 on', () => {
    for (let seed = 1; seed <= 50; seed++) {
      const server = spaceOf(new MemoryHub({ random: new SeededRandom(seed) }), 'vextrus:')
      server.tagClock.create()
      expect(server.tagClock.now().g).toMatch(/^\d{14}$/)
      expect(Number(server.tagClock.now().g)).toBeGreaterThanOrEqual(2 ** 45)
    }
  })
})

describe('listeners of a space', () => {
  it('hear of each key that is stored, and of everything at once when a generation ends', () => {
    const server = space()
    const heard: (string | null)[] = []
    const stop = onWake(server, (key) => heard.push(key))
    server.store('a', entry('1'))
    server.clear()
    stop()
    server.store('b', entry('1'))
    expect(heard).toEqual(['a', null])
  })

  it('may stop listening while they are told', () => {
    const server = space()
    const heard: string[] = []
    const stop = onWake(server, () => {
      heard.push('first')
      stop()
    })
    onWake(server, () => heard.push('second'))
    server.signal('a')
    server.signal('a')
    expect(heard).toEqual(['first', 'second', 'second'])
  })
})

it('an entry that makes room for another is told of like a write', () => {
  const server = spaceOf(new MemoryHub({ maxBytes: 1_000 }), 'vextrus:')
  const heard: (string | null)[] = []
  server.store('a', entry('1'.repeat(400)))
  onWake(server, (key) => heard.push(key))
  server.store('b', entry('1'.repeat(400)))
  expect(heard).toEqual(['a', 'b'])
  expect(server.entry('a')).toBeNull()
})
