import { describe, expect, it } from 'vitest'
import { FaultyLimitStore } from '../../test/support/limit-faults.js'
import { MemoryClock } from '../../test/support/limit-world.js'
import { MemoryHub } from '../kernel/memory-hub.js'
import { DenyCache } from './deny-cache.js'
import { NewsWatch } from './news-watch.js'
import type { Ask } from './rate-limit-store.js'
import { compileRule } from './rules.js'
import { MemoryRateLimitStore } from './stores/memory.js'

const { spec } = compileRule({ limit: 1, window: '1m' })
const ASK: Ask = { id: '{t}:a', home: 't', spec, cost: 1, most: 1 }
const REFUSED = { granted: 0, remaining: 0, retryUs: 1e6, resetUs: 1e6 }

interface SetUp {
  readonly clock: MemoryClock
  readonly store: FaultyLimitStore
  readonly denials: DenyCache
  readonly watch: NewsWatch
  /** A refusal is remembered. */
  remembers(): boolean
}

function setUp(): SetUp {
  const clock = new MemoryClock()
  const store = new FaultyLimitStore(new MemoryRateLimitStore(new MemoryHub({ clock }), 'vextrus:'), clock)
  const denials = new DenyCache(10)
  const watch = new NewsWatch(() => store, clock, { denials, plans: undefined })
  const remembers = (): boolean => {
    denials.remember(ASK, REFUSED, denials.mark(), clock.mono())
    return denials.find(ASK, clock.mono()) !== undefined
  }
  return { clock, store, denials, watch, remembers }
}

describe('a process', () => {
  it('remembers from when it listens on, however often it is started', async () => {
    const { clock, store, watch, remembers } = setUp()
    for (let i = 0; i < 3; i++) watch.start()
    expect(remembers()).toBe(false)
    await clock.settle()
    expect(remembers()).toBe(true)
    expect(store.taken('listen')).toBe(1)
  })

  it('tries each second to listen for as long as it can’t', async () => {
    const { clock, store, watch, remembers } = setUp()
    store.always = 'unsent'
    watch.start()
    await clock.advance(5_500)
    expect(store.taken('listen')).toBe(6)
    expect(remembers()).toBe(false)
    store.always = undefined
    await clock.advance(500)
    expect(remembers()).toBe(true)
  })

  it('forgets what the news say', async () => {
    const { clock, store, denials, watch, remembers } = setUp()
    watch.start()
    await clock.settle()
    for (const news of [{ type: 'counter', id: ASK.id } as const, { type: 'plan', tenant: 't' } as const]) {
      expect(remembers()).toBe(true)
      await store.announce({ type: 'counter', id: '{t}:b' })
      expect(denials.find(ASK, clock.mono())).toBeDefined()
      await store.announce(news)
      expect(denials.find(ASK, clock.mono())).toBeUndefined()
    }
  })

  it('hears nothing and remembers nothing once it was stopped, also while it began to listen', async () => {
    const { clock, store, watch, remembers } = setUp()
    store.next.listen = ['held']
    watch.start()
    await clock.settle()
    watch.stop()
    await store.answerHeld()
    expect([store.listening, remembers()]).toEqual([0, false])
  })

  it('does not try again once it was stopped', async () => {
    const { clock, store, watch } = setUp()
    store.always = 'unsent'
    watch.start()
    await clock.settle()
    watch.stop()
    store.taken('listen')
    await clock.advance(10_000)
    expect(store.taken('listen')).toBe(0)
  })

  it('with nothing to forget does not listen', async () => {
    const { clock, store } = setUp()
    new NewsWatch(() => store, clock, { denials: undefined, plans: undefined }).start()
    await clock.settle()
    expect(store.taken('listen')).toBe(0)
  })
})
