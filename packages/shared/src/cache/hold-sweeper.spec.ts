import { beforeEach, describe, expect, it } from 'vitest'
import { ScriptedStore } from '../../test/support/scripted-store.js'
import { FakeClock } from '../testing/fake-clock.js'
import type { StandingHold } from './cache-store.js'
import { CacheUnavailableError } from './errors.js'
import { HoldSweeper } from './hold-sweeper.js'

const member = (name: string, endMs: number, kind: 'key' | 'tag' = 'key'): StandingHold => ({
  owner: 'o',
  kind,
  name,
  endMs,
})

let clock: FakeClock
let store: ScriptedStore
let errors: unknown[]
let sweeper: HoldSweeper
beforeEach(() => {
  clock = new FakeClock()
  store = new ScriptedStore()
  errors = []
  sweeper = new HoldSweeper(store, { clock, maxTags: 1_000, onError: (error) => errors.push(error) })
})

describe('HoldSweeper (R13)', () => {
  it('finishes what has expired by the store’s clock, and leaves alone what has not', async () => {
    sweeper.saw([], 100)
    sweeper.saw([member('a', 101)], 100)
    sweeper.saw([member('a', 100), member('a', 100, 'tag'), member('b', 101)], 100)
    await sweeper.close()
    expect(store.taken()).toEqual(['finishHolds o/key/a o/tag/a'])
  })

  it('makes one attempt at a time', async () => {
    let open = (): void => undefined
    store.gate = new Promise((resolve) => (open = resolve))
    for (const name of ['a', 'b', 'c']) sweeper.saw([member(name, 1)], 100)
    expect(store.taken()).toEqual(['finishHolds o/key/a'])
    open()
    await sweeper.close()
    sweeper.saw([member('b', 1)], 100)
    expect(store.taken()).toEqual(['finishHolds o/key/b'])
  })

  it('leaves a member alone for a second after an attempt, but not the others, and counts what failed', async () => {
    store.failing.add('*')
    sweeper.saw([member('a', 1)], 100)
    await sweeper.close()
    expect(errors).toEqual([expect.any(CacheUnavailableError)])
    store.failing.clear()
    await clock.advance(999)
    sweeper.saw([member('a', 1)], 100)
    sweeper.saw([member('a', 1), member('b', 1)], 100)
    await sweeper.close()
    expect(store.taken()).toEqual(['finishHolds o/key/a', 'finishHolds o/key/b'])
    await clock.advance(1)
    sweeper.saw([member('a', 1), member('b', 1)], 100)
    await sweeper.close()
    expect(store.taken()).toEqual(['finishHolds o/key/a'])
  })
})
