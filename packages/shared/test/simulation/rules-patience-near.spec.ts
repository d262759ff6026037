import { describe, expect, it, vi } from 'vitest'
import type { LoadContext } from '../../src/cache/public-types.js'
import { HeldLoad, idle, stateOf } from '../support/memory-world.js'
import { kept, type NearProcess, NearWorld } from '../support/near-world.js'

const options = { ttl: '1m', grace: '1m' }

/** A process that has `k`, whose load took ten seconds, in L1, with so much of its minute left. */
async function nearItsEnd(leftMs: number): Promise<{ world: NearWorld; one: NearProcess }> {
  const world = new NearWorld()
  const one = world.near()
  const slow = (): Promise<{ list: number[] }> =>
    new Promise((resolve) => world.clock.timer(10_000, () => resolve({ list: [1] })))
  const first = one.cache.getOrSet('k', slow, options)
  await world.clock.advance('10s')
  await first
  await idle()
  await world.clock.advance(60_000 - leftMs)
  await kept(one, 'k')
  one.store.sent.length = 0
  return { world, one }
}

describe('an early refresh of what L1 answers (R15)', () => {
  it('shows the loader a copy of the value, and waits for a pause when it fails', async () => {
    const { world, one } = await nearItsEnd(500)
    const seen: unknown[] = []
    const failing = ({ stale }: LoadContext): Promise<never> => {
      const { list } = stale!.value as { list: number[] }
      seen.push({ list: [...list] })
      list.push(2)
      return Promise.reject(new Error('no origin'))
    }
    for (let i = 0; i < 50; i++) {
      expect(await one.cache.getOrSet<unknown>('k', failing, options)).toEqual({ list: [1] })
      await idle()
    }
    // One in e^0.05 of these reads is due; the first of them loads, the others find the pause.
    expect(seen).toEqual([{ list: [1] }])
    expect(one.store.sent.filter((call) => call === 'acquire')).toHaveLength(1)
    expect(one.cache.getStatistics().l1.hits).toBeGreaterThan(49)
    await world.clock.advance(499)
    for (let i = 0; i < 50; i++) await one.cache.getOrSet<unknown>('k', failing, options)
    await idle()
    expect(seen.length).toBeLessThan(4)
  })

  it('ends with the hard time-out, and does not touch what L1 answers', async () => {
    const { world, one } = await nearItsEnd(400)
    const contexts: LoadContext[] = []
    const hanging = (context: LoadContext): Promise<never> => {
      contexts.push(context)
      return new Promise(() => undefined)
    }
    const ask = (): Promise<unknown> =>
      one.cache.getOrSet<unknown>('k', hanging, { ...options, loadTimeout: { hard: '300ms' } })
    for (let i = 0; i < 20; i++) expect(await ask()).toEqual({ list: [1] })
    await idle()
    expect(contexts).toHaveLength(1)
    await world.clock.advance(300)
    expect(contexts[0]!.signal.aborted).toBe(true)
    expect([await ask(), world.space.lease('k')]).toEqual([{ list: [1] }, null])
  })
})

describe('a stale value in L1 (R15)', () => {
  it('is waited behind until the soft time-out, and is what its caller then gets', async () => {
    const { world, one } = await nearItsEnd(200)
    const load = new HeldLoad<string>()
    await world.clock.advance(200)
    const ask = (): Promise<unknown> =>
      one.cache.getOrSet<unknown>('k', load.load, { ...options, loadTimeout: { soft: '100ms' } })
    const [late, early] = [ask(), ask()]
    await idle()
    expect(await stateOf(early)).toBe('pending')
    await world.clock.advance(100)
    expect([await early, await late]).toEqual([{ list: [1] }, { list: [1] }])
    const next = ask()
    await idle()
    load.answer('new')
    expect(await next).toBe('new')
    expect(load.calls).toBe(1)
  })

  it('is not answered to who has aborted before', async () => {
    const { one } = await nearItsEnd(30_000)
    const reason = new Error('gone')
    const load = vi.fn()
    await expect(one.cache.getOrSet('k', load, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
    expect([load.mock.calls, one.store.sent]).toEqual([[], []])
  })
})
