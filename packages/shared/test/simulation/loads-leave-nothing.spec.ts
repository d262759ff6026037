import { getEventListeners } from 'node:events'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, expect, it } from 'vitest'
import type { LoadContext } from '../../src/cache/public-types.js'
import { idle, MemoryWorld, type TestProcess } from '../support/memory-world.js'

const CALLERS = 10_000
const WAVES = 50

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

/** Everything in a process's engine that grows with what is under way. */
function underWay({ cache }: TestProcess): Record<string, number> {
  const { loads } = cache['engine']
  return {
    loads: loads['running'].size,
    alone: loads['calls']['alone'].size,
    inTheStore: loads['upkeep'].size,
    waiters: loads['waiters']['waits'].size,
    atTheOrigin: loads['calls']['origin'].active,
  }
}

describe('ten thousand callers with time-outs, signals and loaders that fail or hang', () => {
  it('leave no timer, listener, load or caller behind', async () => {
    const world = new MemoryWorld()
    const { random } = world
    const processes = [world.process({ loadConcurrency: 20 }), world.process({ loadConcurrency: 20 })]
    const controllers: AbortController[] = []
    /** Whatever holds a call, or its loader, holds this. */
    const traces: WeakRef<object>[] = []
    const ends: Record<string, number> = {}
    let open = 0

    const call = ({ cache }: TestProcess): void => {
      const key = `k${random.int(60)}`
      const trace = {}
      traces.push(new WeakRef(trace))
      const controller = controllers[random.int(controllers.length)]!
      const load = async (context: LoadContext): Promise<unknown> => {
        const way = random.int(8)
        if (way === 0) throw new Error('no origin')
        if (way === 1) return new Promise(() => trace)
        if (way === 2) return new Promise((_, reject) => context.signal.addEventListener('abort', reject))
        if (way === 3) return cache.getOrSet(`k${random.int(60)}`, () => new Promise(() => trace), { loadTimeout })
        await new Promise<void>((resolve) => world.clock.timer(random.int(400), resolve))
        if (way === 4) context.skip()
        return context.stale === undefined ? 'first' : 'again'
      }
      const hard = 20 + random.int(400)
      const loadTimeout = random.chance(0.5) ? { hard } : { soft: 1 + random.int(hard - 1), hard }
      const signal = random.chance(0.5) ? controller.signal : undefined
      open++
      void cache
        .getOrSet(key, load, { ttl: '100ms', grace: '2s', tags: ['x'], loadTimeout, signal })
        .then(
          () => 'value',
          (error: Error) => (error === controller.signal.reason ? 'aborted' : error.name),
        )
        .then((end) => {
          open--
          ends[end] = (ends[end] ?? 0) + 1
        })
    }

    for (let wave = 0; wave < WAVES; wave++) {
      for (let i = 0; i < 4; i++) controllers.push(new AbortController())
      const store = random.chance(0.2) ? random.pick(processes).store : null
      store?.hold('read')
      for (let i = 0; i < CALLERS / WAVES; i++) call(random.pick(processes))
      if (store !== null) {
        const read = await store.next('read').catch(() => null)
        store.pass('read')
        read?.giveUp()
      }
      if (random.chance(0.2)) await processes[0]!.cache.invalidateByTag('x')
      await world.clock.advance(1 + random.int(60))
      random.pick(controllers).abort(new Error('gone'))
    }
    for (const process of processes)
      for (let n = process.store.count('read'); n > 0; n--) (await process.store.next('read')).giveUp()
    await world.clock.advance('3s')

    expect(open).toBe(0)
    expect(Object.keys(ends).sort()).toEqual(['Error', 'LoadTimeoutError', 'aborted', 'value'])
    expect(Math.min(...Object.values(ends))).toBeGreaterThan(50)
    const nothing = { loads: 0, alone: 0, inTheStore: 0, waiters: 0, atTheOrigin: 0 }
    expect(processes.map(underWay)).toEqual([nothing, nothing])
    expect(world.clock.pendingTimers).toBe(0)
    expect(controllers.flatMap(({ signal }) => getEventListeners(signal, 'abort'))).toEqual([])
    await Promise.all(processes.map(({ cache }) => cache.close()))
    await idle()
    collectGarbage()
    expect(traces.filter((trace) => trace.deref() !== undefined).length).toBeLessThan(CALLERS / 100)
  }, 30_000)
})
