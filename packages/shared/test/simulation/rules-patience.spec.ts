import { getEventListeners } from 'node:events'
import { describe, expect, it, vi } from 'vitest'
import { CacheClosedError, LoadTimeoutError } from '../../src/cache/errors.js'
import { LEASE_MS } from '../../src/cache/lease-upkeep.js'
import type { LoadContext } from '../../src/cache/public-types.js'
import { HeldLoad, idle, MemoryWorld, rejection, stateOf, type TestProcess } from '../support/memory-world.js'

/** A loader that hangs whatever its signal says, and what it was given. */
function hanging(): { load: (context: LoadContext) => Promise<string>; contexts: LoadContext[] } {
  const contexts: LoadContext[] = []
  return {
    contexts,
    load: (context) => {
      contexts.push(context)
      return new Promise(() => undefined)
    },
  }
}

/** A world in which `one` has a stale entry at `k`, of a minute's grace. */
async function stale(): Promise<{ world: MemoryWorld; one: TestProcess }> {
  const world = new MemoryWorld()
  const one = world.process()
  await one.cache.set('k', 'old', { ttl: '10s', grace: '1m' })
  await world.clock.advance('10s')
  return { world, one }
}

const hard = { loadTimeout: { hard: '2s' } }
const patient = { grace: '1m', loadTimeout: { soft: '200ms', hard: '2s' } }

describe('the hard time-out of a load', () => {
  it('rejects all who wait, on time, and aborts the signal of the loader with the same error', async () => {
    const world = new MemoryWorld()
    const one = world.process()
    const { load, contexts } = hanging()
    const errors = [1, 2, 3].map(() => rejection(one.cache.getOrSet('k', load, hard)))
    await idle()
    const { signal } = contexts[0]!
    await world.clock.advance('1999ms')
    expect(signal.aborted).toBe(false)
    expect(await stateOf(errors[0]!)).toBe('pending')
    await world.clock.advance('1ms')
    const [error] = await Promise.all(errors)
    expect(error).toBeInstanceOf(LoadTimeoutError)
    expect(error).toMatchObject({
      code: 'LOAD_TIMEOUT',
      key: 'k',
      message: expect.stringContaining('loadTimeout.hard'),
    })
    expect(signal.reason).toBe(error)
    expect(one.cache.getStatistics()).toMatchObject({ loads: 1, loadErrors: 1 })
    expect(world.clock.pendingTimers).toBe(0)
  })

  it('gives back the lease, and what the loader answers later is neither stored nor shared', async () => {
    const world = new MemoryWorld()
    const [one, other] = [world.process(), world.process()]
    const [late, load] = [new HeldLoad<string>(), new HeldLoad<string>()]
    const error = rejection(one.cache.getOrSet('k', late.load, hard))
    await world.clock.advance('2s')
    expect(await error).toBeInstanceOf(LoadTimeoutError)
    expect(world.space.lease('k')).toBeNull()
    const next = one.cache.getOrSet('k', load.load, hard)
    await idle()
    expect(load.calls).toBe(1)
    late.answer('late')
    await idle()
    expect(await other.cache.get('k')).toBeNull()
    expect(await stateOf(next)).toBe('pending')
    load.answer('new')
    expect(await next).toBe('new')
    await idle()
    expect(await other.cache.get('k')).toBe('new')
  })

  it('counts the wait for another process', async () => {
    const world = new MemoryWorld()
    const [holder, one] = [world.process(), world.process()]
    void holder.cache.getOrSet('k', hanging().load)
    await idle()
    const load = vi.fn(() => 'mine')
    const error = rejection(one.cache.getOrSet('k', load, { loadTimeout: { hard: '1s' } }))
    await world.clock.advance('999ms')
    expect(await stateOf(error)).toBe('pending')
    await world.clock.advance('1ms')
    expect(await error).toBeInstanceOf(LoadTimeoutError)
    expect(load).not.toHaveBeenCalled()
    // The holder's renewal and the end of its own time.
    expect(world.clock.pendingTimers).toBe(2)
  })

  it('counts all rounds of one call together', async () => {
    const world = new MemoryWorld()
    const [holder, one] = [world.process(), world.process()]
    const skipped = new HeldLoad<null>()
    void holder.cache.getOrSet('k', skipped.load)
    await idle()
    const { load, contexts } = hanging()
    const error = rejection(one.cache.getOrSet('k', load, hard))
    await world.clock.advance('1500ms')
    skipped.answer(null)
    await idle()
    expect(contexts).toHaveLength(1)
    await world.clock.advance('499ms')
    expect(await stateOf(error)).toBe('pending')
    await world.clock.advance('1ms')
    expect(await error).toBeInstanceOf(LoadTimeoutError)
  })

  it('counts what is read between two rounds', async () => {
    const world = new MemoryWorld()
    const [holder, one] = [world.process(), world.process()]
    const skipped = new HeldLoad<null>()
    void holder.cache.getOrSet('k', skipped.load)
    await idle()
    const error = rejection(one.cache.getOrSet('k', () => 'mine', hard))
    await world.clock.advance('1500ms')
    one.store.hold('read')
    skipped.answer(null)
    await one.store.next('read')
    await world.clock.advance('499ms')
    expect(await stateOf(error)).toBe('pending')
    await world.clock.advance('1ms')
    expect(await error).toBeInstanceOf(LoadTimeoutError)
  })

  it('counts the wait for a turn while the store is away, and whose time is over takes no turn', async () => {
    const world = new MemoryWorld()
    const one = world.process({ loadConcurrency: 1 })
    one.store.hold('read')
    const first = new HeldLoad<string>()
    const queued = vi.fn(() => 'queued')
    const answers = [one.cache.getOrSet('a', first.load), rejection(one.cache.getOrSet('b', queued, hard))] as const
    ;(await one.store.next('read')).giveUp()
    await world.clock.advance('2s')
    expect(await answers[1]).toBeInstanceOf(LoadTimeoutError)
    first.answer('a')
    expect(await answers[0]).toBe('a')
    await idle()
    expect(queued).not.toHaveBeenCalled()
  })

  it('gives the turn of a loader that hangs to the next one', async () => {
    const world = new MemoryWorld()
    const one = world.process({ loadConcurrency: 1 })
    one.store.hold('read')
    const hung = rejection(one.cache.getOrSet('a', hanging().load, hard))
    const queued = one.cache.getOrSet('b', () => 'b')
    ;(await one.store.next('read')).giveUp()
    await world.clock.advance('2s')
    expect(await hung).toBeInstanceOf(LoadTimeoutError)
    expect(await queued).toBe('b')
  })

  it('is each caller’s own: who has less leaves sooner, who has more starts the next load, together', async () => {
    const world = new MemoryWorld()
    const one = world.process()
    const load = new HeldLoad<string>()
    const ask = (ms: number): Promise<string> => one.cache.getOrSet('k', load.load, { loadTimeout: { hard: ms } })
    const leader = rejection(ask(1_000))
    await idle()
    const [quick, slow] = [rejection(ask(300)), [ask(60_000), ask(60_000)]] as const
    await world.clock.advance('300ms')
    expect(await quick).toMatchObject({ code: 'LOAD_TIMEOUT', hardMs: 300 })
    expect(load.calls).toBe(1)
    await world.clock.advance('700ms')
    expect(await leader).toMatchObject({ code: 'LOAD_TIMEOUT', hardMs: 1_000 })
    await idle()
    expect(load.calls).toBe(2)
    load.answer('too late')
    load.answer('second')
    expect(await Promise.all(slow)).toEqual(['second', 'second'])
    expect(load.calls).toBe(2)
  })

  it('ends two processes whose loads ask for each other', async () => {
    const world = new MemoryWorld()
    const [one, other] = [world.process(), world.process()]
    const ask = ({ cache }: TestProcess, own: string, next: string): Promise<unknown> =>
      rejection(
        cache.getOrSet(
          own,
          async () => {
            await idle()
            return `${own}(${await cache.getOrSet(next, () => next, hard)})`
          },
          hard,
        ),
      )
    const errors = Promise.all([ask(one, 'a', 'b'), ask(other, 'b', 'a')])
    await idle()
    await world.clock.advance('1s')
    expect(await stateOf(errors)).toBe('pending')
    await world.clock.advance('1s')
    expect(await errors).toEqual([expect.any(LoadTimeoutError), expect.any(LoadTimeoutError)])
    await world.clock.advance('2s')
    expect([world.space.lease('a'), world.space.lease('b'), world.clock.pendingTimers]).toEqual([null, null, 0])
  })

  it('ends a load inside the own load of its key', async () => {
    const world = new MemoryWorld()
    const one = world.process()
    const { load, contexts } = hanging()
    const value = one.cache.getOrSet('k', async () => {
      const inner = await rejection(one.cache.getOrSet('k', load, hard))
      return inner instanceof LoadTimeoutError ? 'inner timed out' : 'no'
    })
    await world.clock.advance('2s')
    expect(await value).toBe('inner timed out')
    expect(contexts[0]!.signal.reason).toBeInstanceOf(LoadTimeoutError)
  })

  it('takes the end of a claim that was granted too late: the lease is given back', async () => {
    const world = new MemoryWorld()
    const [one, other] = [world.process(), world.process()]
    one.store.hold('acquire')
    const error = rejection(one.cache.getOrSet('k', () => 'mine', hard))
    const acquire = await one.store.next('acquire')
    await world.clock.advance('2s')
    expect(await error).toBeInstanceOf(LoadTimeoutError)
    acquire.deliver()
    await idle()
    expect(world.space.lease('k')).toBeNull()
    expect(await stateOf(other.cache.getOrSet('k', () => 'theirs'))).toEqual({ value: 'theirs' })
  })

  it('of a refresh is a whole one, however long its caller has waited before', async () => {
    const world = new MemoryWorld()
    const [holder, one] = [world.process(), world.process()]
    const first = new HeldLoad<string>()
    void holder.cache.getOrSet('k', first.load, { ttl: '1ms', grace: '1m' })
    await idle()
    const { load, contexts } = hanging()
    const value = one.cache.getOrSet('k', load, hard)
    await world.clock.advance('1500ms')
    one.store.hold('read')
    first.answer('old')
    const read = await one.store.next('read')
    await world.clock.advance('10ms')
    read.deliver()
    expect(await value).toBe('old')
    await idle()
    const { signal } = contexts[0]!
    await world.clock.advance('1999ms')
    expect(signal.aborted).toBe(false)
    await world.clock.advance('1ms')
    expect(signal.aborted).toBe(true)
  })

  it('is as long as it is said, also beyond the 30 seconds: the lease lives as long', async () => {
    const world = new MemoryWorld()
    const [one, other] = [world.process(), world.process()]
    const [load, second] = [new HeldLoad<string>(), vi.fn(() => 'second')]
    const value = one.cache.getOrSet('k', load.load, { loadTimeout: { hard: '2m' } })
    await world.clock.advance('100s')
    const waiting = other.cache.getOrSet('k', second)
    await world.clock.advance(2 * LEASE_MS)
    load.answer('slow')
    expect([await value, await waiting]).toEqual(['slow', 'slow'])
    expect(second).not.toHaveBeenCalled()
  })
})

describe('the soft time-out of a load', () => {
  it('answers the stale value on time, while the load goes on and is stored', async () => {
    const { world, one } = await stale()
    const load = new HeldLoad<string>()
    const value = one.cache.getOrSet('k', load.load, patient)
    await world.clock.advance('199ms')
    expect(await stateOf(value)).toBe('pending')
    await world.clock.advance('1ms')
    expect(await value).toBe('old')
    expect(load.calls).toBe(1)
    await world.clock.advance('1s')
    load.answer('new')
    await idle()
    expect(await one.cache.get('k')).toBe('new')
    expect(world.clock.pendingTimers).toBe(0)
  })

  it('answers the new value, when that comes in time, to all who wait', async () => {
    const { world, one } = await stale()
    const load = new HeldLoad<string>()
    const values = [1, 2, 3].map(() => one.cache.getOrSet('k', load.load, patient))
    await world.clock.advance('199ms')
    load.answer('new')
    expect(await Promise.all(values)).toEqual(['new', 'new', 'new'])
    expect(load.calls).toBe(1)
  })

  it('counts the wait for another process that loads', async () => {
    const { world, one } = await stale()
    const other = world.process()
    const load = new HeldLoad<string>()
    expect(await other.cache.getOrSet('k', load.load, { grace: '1m' })).toBe('old')
    await idle()
    const own = vi.fn(() => 'own')
    const [late, early] = [
      one.cache.getOrSet('k', own, { grace: '1m', loadTimeout: { soft: '5s' } }),
      one.cache.getOrSet('k', own, patient),
    ]
    await world.clock.advance('200ms')
    expect(await early).toBe('old')
    load.answer('new')
    expect(await late).toBe('new')
    expect(own).not.toHaveBeenCalled()
  })

  it('changes nothing where no stale value was found', async () => {
    const world = new MemoryWorld()
    const one = world.process()
    const error = rejection(one.cache.getOrSet('k', hanging().load, patient))
    await world.clock.advance('1999ms')
    expect(await stateOf(error)).toBe('pending')
    await world.clock.advance('1ms')
    expect(await error).toBeInstanceOf(LoadTimeoutError)
  })

  it('has nothing to go with once a later read has shown that the entry is gone', async () => {
    const { world, one } = await stale()
    const other = world.process()
    const theirs = new HeldLoad<null>()
    void other.cache.getOrSet<string | null>('k', theirs.load, { grace: '1m' })
    await idle()
    const load = new HeldLoad<string>()
    const value = one.cache.getOrSet('k', load.load, patient)
    await world.clock.advance('100ms')
    await other.cache.delete('k')
    await world.clock.advance('1s')
    expect(await stateOf(value)).toBe('pending')
    load.answer('new')
    expect(await value).toBe('new')
  })

  it('shares the load that goes on with who comes without a stale value, by the rules of sharing', async () => {
    const { world, one } = await stale()
    const other = world.process()
    const load = new HeldLoad<string>()
    const first = one.cache.getOrSet('k', load.load, patient)
    await world.clock.advance('200ms')
    expect(await first).toBe('old')
    await other.cache.delete('k')
    const second = one.cache.getOrSet('k', load.load, patient)
    await idle()
    load.answer('before the deletion')
    await idle()
    expect(load.calls).toBe(2)
    load.answer('new')
    expect(await second).toBe('new')
  })
})

describe('a caller’s signal', () => {
  it('that has aborted before rejects without asking anybody', async () => {
    const world = new MemoryWorld()
    const one = world.process()
    const load = vi.fn(() => 'loaded')
    const reason = new Error('gone')
    await expect(one.cache.getOrSet('k', load, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
    expect([one.store.sent, load.mock.calls]).toEqual([[], []])
  })

  it('rejects its caller at once, and the load goes on for the others', async () => {
    const world = new MemoryWorld()
    const one = world.process()
    const load = new HeldLoad<string>()
    const [leaves, stays] = [new AbortController(), new AbortController()]
    const gone = rejection(one.cache.getOrSet('k', load.load, { signal: leaves.signal }))
    const value = one.cache.getOrSet('k', load.load, { signal: stays.signal })
    await idle()
    const reason = new Error('gone')
    leaves.abort(reason)
    expect(await stateOf(gone)).toEqual({ value: reason })
    load.answer('loaded')
    expect(await value).toBe('loaded')
    await idle()
    expect(await one.cache.get('k')).toBe('loaded')
  })

  it('aborts the loader’s when all who waited have aborted theirs, and gives back the lease', async () => {
    const world = new MemoryWorld()
    const one = world.process()
    const { load, contexts } = hanging()
    const controllers = [1, 2].map(() => new AbortController())
    const gone = controllers.map(({ signal }) => rejection(one.cache.getOrSet('k', load, { signal })))
    await idle()
    const { signal } = contexts[0]!
    controllers[0]!.abort(new Error('first'))
    await idle()
    expect(signal.aborted).toBe(false)
    controllers[1]!.abort(new Error('last'))
    expect((signal.reason as Error).message).toBe('last')
    await Promise.all(gone)
    await idle()
    expect([world.space.lease('k'), world.clock.pendingTimers]).toEqual([null, 0])
    // Nobody's fault.
    expect(one.cache.getStatistics()).toMatchObject({ loads: 1, loadErrors: 0 })
    expect(await one.cache.getOrSet('k', () => 'next')).toBe('next')
  })

  it('does not abort a load that somebody has left because of the time, nor a refresh', async () => {
    const { world, one } = await stale()
    const { load, contexts } = hanging()
    const controller = new AbortController()
    expect(await one.cache.getOrSet('k', load, { grace: '1m', signal: controller.signal })).toBe('old')
    await idle()
    const joined = rejection(one.cache.getOrSet('k', load, { ...patient, signal: controller.signal }))
    await idle()
    controller.abort(new Error('gone'))
    expect(await joined).toMatchObject({ message: 'gone' })
    expect([contexts.length, contexts[0]!.signal.aborted]).toEqual([1, false])
    expect(world.space.lease('k')).not.toBeNull()
  })

  it('ends the wait for another process', async () => {
    const world = new MemoryWorld()
    const [holder, one] = [world.process(), world.process()]
    const load = new HeldLoad<string>()
    const held = holder.cache.getOrSet('k', load.load)
    await idle()
    const timers = world.clock.pendingTimers
    const controller = new AbortController()
    const gone = rejection(one.cache.getOrSet('k', () => 'mine', { signal: controller.signal }))
    await idle()
    controller.abort(new Error('gone'))
    expect(await stateOf(gone)).toMatchObject({ value: { message: 'gone' } })
    expect(world.clock.pendingTimers).toBe(timers)
    load.answer('loaded')
    expect(await held).toBe('loaded')
  })

  it('has no listener while it is a hit, one while it waits, and none afterwards, whatever comes of it', async () => {
    const world = new MemoryWorld()
    const one = world.process()
    const { signal } = new AbortController()
    const listeners = (): number => getEventListeners(signal, 'abort').length
    const load = new HeldLoad<string>()
    const value = one.cache.getOrSet('k', load.load, { signal })
    await idle()
    expect(listeners()).toBe(1)
    load.answer('loaded')
    await value
    expect(listeners()).toBe(0)
    const add = vi.spyOn(signal, 'addEventListener')
    expect(await one.cache.getOrSet('k', load.load, { signal })).toBe('loaded')
    expect(add).not.toHaveBeenCalled()
    await rejection(one.cache.getOrSet('fails', () => Promise.reject(new Error('no')), { signal }))
    const late = rejection(one.cache.getOrSet('hangs', hanging().load, { signal, ...hard }))
    await world.clock.advance('2s')
    await late
    expect([add.mock.calls.length, listeners()]).toEqual([2, 0])
  })
})

describe('what a loader is told', () => {
  it('is the stale value that it is to replace, a copy of its own, and nothing where there is none', async () => {
    const world = new MemoryWorld()
    const one = world.process()
    const value = { list: [1] }
    await one.cache.set('k', value, { ttl: '10s', grace: '1m' })
    const seen: LoadContext[] = []
    const load = (context: LoadContext): unknown => {
      seen.push(context)
      ;(context.stale?.value as typeof value | undefined)?.list.push(2)
      context.skip()
      return 'loaded'
    }
    await world.clock.advance('10s')
    expect(await one.cache.getOrSet('k', load, { grace: '1m' })).toEqual({ list: [1] })
    await idle()
    expect(await one.cache.getOrSet('k', load, patient)).toBe('loaded')
    await one.cache.getOrSet('none', load)
    expect(seen.map(({ stale }) => stale?.value)).toEqual([{ list: [1, 2] }, { list: [1, 2] }, undefined])
    expect('stale' in seen[2]!).toBe(false)
    expect(await one.cache.get('k')).toEqual({ list: [1] })
  })

  it('is the key as its caller wrote it, also in the error', async () => {
    const world = new MemoryWorld()
    const one = world.process()
    const { load, contexts } = hanging()
    const error = rejection(one.cache.forTenant('t1').getOrSet('product:42', load, hard))
    await world.clock.advance('2s')
    expect(await error).toMatchObject({ key: 'product:42' })
    expect(contexts[0]!.key).toBe('product:42')
  })

  it('costs no signal where nobody looks at it', async () => {
    const world = new MemoryWorld()
    const one = world.process()
    let made = 0
    const Counted = class extends AbortController {
      constructor() {
        super()
        made++
      }
    }
    vi.stubGlobal('AbortController', Counted)
    try {
      await one.cache.getOrSet('k', ({ skip }) => skip() ?? 'loaded')
      expect(made).toBe(0)
      await one.cache.getOrSet('k', ({ signal }) => signal.aborted)
      expect(made).toBe(1)
    } finally {
      vi.unstubAllGlobals()
    }
  })
})

describe('the loads of a cache that closes', () => {
  it('get a second to finish, and their fills with it', async () => {
    const { world, one } = await stale()
    const other = world.process()
    const [refresh, load] = [new HeldLoad<string>(), new HeldLoad<string>()]
    expect(await one.cache.getOrSet('k', refresh.load, { grace: '1m' })).toBe('old')
    const value = one.cache.getOrSet('l', load.load)
    await idle()
    const closing = one.cache.close()
    await world.clock.advance('999ms')
    expect(await stateOf(closing)).toBe('pending')
    refresh.answer('new k')
    load.answer('new l')
    expect(await value).toBe('new l')
    await closing
    expect(await other.cache.getMany(['k', 'l'])).toEqual(['new k', 'new l'])
    expect(world.clock.pendingTimers).toBe(0)
  })

  it('are aborted then: who waits gets an error, or the stale value, and nothing is stored', async () => {
    const { world, one } = await stale()
    const other = world.process()
    const [stales, fresh] = [hanging(), hanging()]
    const load = new HeldLoad<string>()
    const answers = [
      one.cache.getOrSet('k', stales.load, { grace: '1m', loadTimeout: { soft: '20s' } }),
      rejection(one.cache.getOrSet('l', fresh.load)),
      rejection(one.cache.getOrSet('m', load.load)),
    ]
    await idle()
    const { signal } = fresh.contexts[0]!
    const closing = one.cache.close()
    await world.clock.advance('999ms')
    expect(signal.aborted).toBe(false)
    await world.clock.advance('1ms')
    await closing
    expect(signal.reason).toBeInstanceOf(CacheClosedError)
    expect(stales.contexts[0]!.signal.aborted).toBe(true)
    expect(await Promise.all(answers)).toEqual(['old', expect.any(CacheClosedError), expect.any(CacheClosedError)])
    load.answer('late')
    await idle()
    expect(await other.cache.get('m')).toBeNull()
    expect(['k', 'l', 'm'].map((key) => world.space.lease(key))).toEqual([null, null, null])
    expect(world.clock.pendingTimers).toBe(0)
  })

  it('that wait for another process, or are nested, end too', async () => {
    const world = new MemoryWorld()
    const [holder, one] = [world.process(), world.process()]
    const load = new HeldLoad<string>()
    const held = holder.cache.getOrSet('k', load.load)
    await idle()
    const errors = [
      one.cache.getOrSet('k', () => 'mine'),
      one.cache.getOrSet('own', () => one.cache.getOrSet('own', hanging().load)),
      one.cache.getOrSet('outer', () => one.cache.getOrSet('inner', hanging().load)),
    ].map(rejection)
    await idle()
    const closing = one.cache.close()
    await world.clock.advance('1s')
    await closing
    for (const error of errors) expect(await error).toBeInstanceOf(CacheClosedError)
    load.answer('loaded')
    await held
    await idle()
    expect(world.clock.pendingTimers).toBe(0)
  })

  it('does not begin a refresh, and loads for who comes all the same, without storing', async () => {
    const { world, one } = await stale()
    const slow = new HeldLoad<string>()
    const value = one.cache.getOrSet('slow', slow.load)
    await idle()
    const closing = one.cache.close()
    const load = vi.fn(() => 'new')
    expect(await one.cache.getOrSet('k', load, { grace: '1m' })).toBe('old')
    await idle()
    expect(load).not.toHaveBeenCalled()
    slow.answer('slow')
    expect(await value).toBe('slow')
    await closing
    expect(await one.cache.getOrSet('after', load)).toBe('new')
    await idle()
    expect(await world.process().cache.get('after')).toBeNull()
  })
})
