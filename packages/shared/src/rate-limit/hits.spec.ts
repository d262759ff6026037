import { describe, expect, it } from 'vitest'
import { LimitWorld } from '../../test/support/limit-world.js'
import type { HitOptions } from './public-types.js'
import type { HitRequest } from './rate-limit-store.js'

const WINDOW = { window: '10s' } as const

describe('hits', () => {
  it('are counted on beyond the limit, in a window that begins with the first', async () => {
    const world = new LimitWorld()
    const { limiter } = world.process()
    for (let hits = 1; hits <= 5; hits++) {
      expect(await limiter.hit('k', { ...WINDOW, limit: 2 })).toEqual({
        ...{ hits, resetMs: 10_000 - 100 * (hits - 1), blockedMs: 0, source: 'redis' },
      })
      await world.clock.advance(100)
    }
    await world.clock.advance(9_500)
    expect(await limiter.hit('k', WINDOW)).toMatchObject({ hits: 1 })
  })

  it('of 0 look, and of -1 are taken back', async () => {
    const { limiter } = new LimitWorld().process()
    expect(await limiter.hit('k', { ...WINDOW, by: 0 })).toMatchObject({ hits: 0, resetMs: 0 })
    await limiter.hit('k', { ...WINDOW, by: 3 })
    expect(await limiter.hit('k', { ...WINDOW, by: -1 })).toMatchObject({ hits: 2 })
    expect(await limiter.hit('k', { ...WINDOW, by: 0 })).toMatchObject({ hits: 2, resetMs: 10_000 })
  })

  it('beyond the limit close the key for a time, and then begin anew', async () => {
    const world = new LimitWorld()
    const { limiter } = world.process()
    const options = { ...WINDOW, limit: 1, blockFor: '2s' } as const
    await limiter.hit('k', options)
    expect(await limiter.hit('k', options)).toMatchObject({ hits: 2, blockedMs: 2_000 })
    await world.clock.advance(1_000)
    expect(await limiter.hit('k', options)).toMatchObject({ hits: 2, blockedMs: 1_000 })
    await world.clock.advance(1_000)
    expect(await limiter.hit('k', options)).toMatchObject({ hits: 1, blockedMs: 0 })
  })

  it('of different keys are apart, whatever the keys hold', async () => {
    const { limiter } = new LimitWorld().process()
    const long = 'x'.repeat(100_000)
    const keys = [
      'a',
      'A',
      'a}',
      '{a',
      'a:b',
      '%7d',
      '}',
      '\ud800',
      '\ud801',
      '\ufffd',
      'é',
      'e\u0301',
      long,
      `${long}x`,
    ]
    for (const key of keys) expect((await limiter.hit(key, WINDOW)).hits).toBe(1)
    // What a long key is counted by is no key that anybody can send.
    const ids = hitIds(limiter)
    // In Redis a key is UTF-8, where halves of surrogate pairs are all the same.
    expect(ids.filter((id) => !/^[ -~]{1,300}$/.test(id))).toEqual([])
    for (const id of ids) {
      expect((await limiter.hit(id, WINDOW)).hits).toBe(1)
      if (id.startsWith('{h:#')) expect((await limiter.hit(id.slice(3, -1), WINDOW)).hits).toBe(1)
    }
  })

  it('refuse what can’t be', async () => {
    const { limiter } = new LimitWorld().process()
    const codeOf = (options: Partial<HitOptions>, key = 'k'): Promise<unknown> =>
      limiter.hit(key, { ...WINDOW, ...options }).catch(({ code }: { code: string }) => code)
    expect(await codeOf({}, '')).toBe('CONFIGURATION')
    for (const by of [-2, 0.5, NaN, Infinity]) expect(await codeOf({ by })).toBe('CONFIGURATION')
    for (const limit of [-1, 0.5, NaN]) expect(await codeOf({ limit })).toBe('CONFIGURATION')
    for (const window of [0, -1, NaN, 'soon']) expect(await codeOf({ window })).toBe('INVALID_DURATION')
    expect(await codeOf({ blockFor: 0 })).toBe('INVALID_DURATION')
    expect(await codeOf({ onUnavailable: 'maybe' as never })).toBe('CONFIGURATION')
  })
})

describe('hits while the store is away', () => {
  const away = (instances: number): { world: LimitWorld; hit: (options: Partial<HitOptions>) => Promise<object> } => {
    const world = new LimitWorld()
    const { limiter, store } = world.process({ instances })
    store.always = 'unsent'
    return { world, hit: (options) => limiter.hit('k', { ...WINDOW, ...options }) }
  }

  it('are those of this process times the number of processes', async () => {
    const { world, hit } = away(3)
    expect(await hit({})).toEqual({ hits: 3, resetMs: 10_000, blockedMs: 0, source: 'local' })
    expect(await hit({})).toMatchObject({ hits: 6 })
    await world.clock.advance(10_000)
    expect(await hit({})).toMatchObject({ hits: 3 })
  })

  it('are within the limit as long as they are within the share, of which there is always one', async () => {
    for (const [limit, instances, share] of [
      [10, 3, 3],
      [2, 3, 1],
      [1, 9, 1],
      [0, 3, 0],
      [6, 3, 2],
    ] as const) {
      const { hit } = away(instances)
      let within = 0
      for (let i = 0; i < 20; i++) if (((await hit({ limit })) as { hits: number }).hits <= limit) within++
      expect([limit, instances, within]).toEqual([limit, instances, share])
    }
  })

  it('close the key beyond the share', async () => {
    const { hit } = away(2)
    const options = { limit: 4, blockFor: '5s' } as const
    for (let i = 0; i < 2; i++) expect(await hit(options)).toMatchObject({ blockedMs: 0 })
    expect(await hit(options)).toMatchObject({ hits: 6, blockedMs: 5_000 })
  })

  it('are none, or too many, where the caller says so', async () => {
    const { hit } = away(3)
    for (let i = 0; i < 3; i++) {
      expect(await hit({ limit: 1, onUnavailable: 'allow' })).toMatchObject({
        hits: 1,
        blockedMs: 0,
        source: 'unavailable',
      })
      expect(await hit({ limit: 9, onUnavailable: 'deny' })).toEqual({
        ...{ hits: 10, resetMs: 1_000, blockedMs: 1_000, source: 'unavailable' },
      })
    }
  })
})

it('hits while the store is away are kept of so many keys and no more', async () => {
  const world = new LimitWorld()
  const { limiter, store } = world.process({ instances: 1 })
  store.always = 'unsent'
  await limiter.hit('first', { window: '1h' })
  await limiter.hit('second', { window: '1h' })
  for (let i = 0; i < 49_999; i++) localHits(limiter).hit({ id: `{h:${i}}`, by: 1, windowMs: 3_600_000 })
  expect(await limiter.hit('second', { window: '1h' })).toMatchObject({ hits: 2 })
  expect(await limiter.hit('first', { window: '1h' })).toMatchObject({ hits: 1 })
})

/** What counts while the store is away, without the way there. */
function localHits(limiter: object): { hit(request: HitRequest): unknown } {
  return (limiter as { hits: { local: { hit(request: HitRequest): unknown } } }).hits.local
}

/** What the keys are counted by in the memory store. */
function hitIds(limiter: object): string[] {
  const { hits } = limiter as { hits: { store: () => { inner: { space: { windows: Map<string, unknown> } } } } }
  return [...hits.store().inner.space.windows.keys()]
}
