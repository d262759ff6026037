import { describe, expect, it } from 'vitest'
import { MemoryHub } from '../../kernel/memory-hub.js'
import { FakeClock } from '../../testing/fake-clock.js'
import { MemoryJwtStore } from './memory.js'

describe('the revocations in memory', () => {
  it('that are over give back their room, families too', async () => {
    const clock = new FakeClock()
    const store = new MemoryJwtStore(new MemoryHub({ clock }), 'vextrus:')
    const { space } = store as unknown as { space: { marks: Map<string, unknown>; families: Map<string, unknown> } }
    for (let i = 0; i < 2_000; i++) await store.begin(`f${i}`, 'a', 1_000)
    for (let i = 0; i < 2_000; i++) await store.mark(`{j:${i}}`, { inMs: 1_000 })
    expect([space.families.size, space.marks.size]).toEqual([2_000, 2_000])
    await clock.advance('1s')
    for (let i = 0; i < 1_000; i++) await store.begin(`later${i}`, 'a', 60_000)
    expect([space.families.size, space.marks.size]).toEqual([1_000, 0])
  })

  it('are shared by who is given the same hub and prefix, and by nobody else', async () => {
    const clock = new FakeClock()
    const [hub, elsewhere] = [new MemoryHub({ clock }), new MemoryHub({ clock })]
    await new MemoryJwtStore(hub, 'a:').mark('{j:x}', { inMs: 1_000 })
    const values = [
      await new MemoryJwtStore(hub, 'a:').read(['{j:x}']),
      await new MemoryJwtStore(hub, 'b:').read(['{j:x}']),
      await new MemoryJwtStore(elsewhere, 'a:').read(['{j:x}']),
    ]
    expect(values).toEqual([[{ value: '1' }], [{ value: null }], [{ value: null }]])
  })
})
