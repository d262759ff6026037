import { beforeEach, describe, expect, it } from 'vitest'
import { SetClock } from '../../../test/support/lock-world.js'
import { MemoryHub } from '../../kernel/memory-hub.js'
import type { AcquireReply, AcquireRequest, LockName } from '../lock-store.js'
import { MemoryLockStore } from './memory.js'

/** What only the memory store has: all locks in one process, and its clock. The rest is the contract's. */

let clock: SetClock
let hub: MemoryHub
let store: MemoryLockStore
const PREFIX = 'vextrus:'

beforeEach(() => {
  clock = new SetClock()
  hub = new MemoryHub({ clock })
  store = new MemoryLockStore(hub, PREFIX)
})

const named = (key: string): LockName => ({ kind: 'mutex', key })
const ask = (key: string, more: Partial<AcquireRequest> & { token?: string } = {}): Promise<AcquireReply> => {
  const { token = 'a', ...rest } = more
  const holder = { token, mode: 'exclusive' as const }
  return store.acquire({ lock: named(key), holder, ttlMs: 1_000, process: token, aliveMs: 0, ...rest })
}
/** Locks that something is kept of. */
const kept = (): number => {
  const space = hub.part<{ readonly locks: Map<string, unknown> }>('lock', PREFIX, () => expect.unreachable())
  return space.locks.size
}

describe('locks that nobody has', () => {
  it('leave nothing behind when they are given back', async () => {
    for (let i = 0; i < 10; i++) {
      await ask(`k${i}`)
      await store.release({ lock: named(`k${i}`), holder: { token: 'a', mode: 'exclusive' } })
    }
    expect(kept()).toBe(0)
  })

  it('go in time when they were not given back, and those that are held stay', async () => {
    await ask('held', { ttlMs: 100_000 })
    for (let i = 0; i < 900; i++) {
      await ask(`k${i}`)
      await ask(`k${i}`, { token: 'b', aliveMs: 1_000 })
      const holder = { token: 'late', mode: 'exclusive' as const }
      await store.release({ lock: named(`k${i}`), holder, forGood: true })
    }
    await clock.advance(20_000)
    for (let i = 0; i < 900; i++) await ask(`l${i}`)
    expect(kept()).toBeLessThan(1_000)
    expect((await ask('held', { token: 'b' })).fence).toBeNull()
  })
})

describe('the server’s clock', () => {
  it('goes on when the machine’s is set: no lock lasts longer for it, and no fence falls', async () => {
    const { fence } = await ask('k')
    clock.setWall(-3_600_000)
    await clock.advance(1_000)
    const next = await ask('k', { token: 'b' })
    expect(next.fence).toBeGreaterThan(fence!)
  })
})
