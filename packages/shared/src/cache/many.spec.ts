import { describe, expect, it, vi } from 'vitest'
import { LoaderResultError } from './errors.js'
import type { PlanContext } from './load-plan.js'
import { LoadStop } from './load-stop.js'
import { type GetOrSetManyOptions, ManyLoads } from './many.js'

function loads<T>(load: GetOrSetManyOptions<number, T>['load'], inside: string[][] = []): ManyLoads<number, T> {
  return new ManyLoads(load, async (keys, work) => {
    inside.push([...keys])
    return work()
  })
}

/** Of one item's load. */
function context(stop = new LoadStop()): PlanContext {
  return { stop } as PlanContext
}

describe('the loads of a getOrSetMany', () => {
  it('of a tick are one call, inside the load of all their keys', async () => {
    const inside: string[][] = []
    const load = vi.fn(async (missing: number[]) => missing.map((item) => item * 10))
    const many = loads(load, inside)
    expect(await Promise.all([many.load('a', 1, context()), many.load('b', 2, context())])).toEqual([10, 20])
    expect(await many.load('c', 3, context())).toBe(30)
    expect(load.mock.calls.map(([missing]) => missing)).toEqual([[1, 2], [3]])
    expect(inside).toEqual([['a', 'b'], ['c']])
  })

  it('are one call however many they are', async () => {
    const load = vi.fn(async (missing: number[]) => missing)
    const many = loads(load)
    await Promise.all(Array.from({ length: 5_000 }, (_, i) => many.load(`k${i}`, i, context())))
    expect(load).toHaveBeenCalledTimes(1)
  })

  it('take a Map by item, and null for what it leaves out', async () => {
    const many = loads(async () => new Map([[2, 'two']]))
    expect(await Promise.all([many.load('a', 1, context()), many.load('b', 2, context())])).toEqual([null, 'two'])
  })

  it.each([
    ['too few', [1]],
    ['too many', [1, 2, 3]],
    ['no list', { 0: 1, 1: 2 }],
    ['a text', '12'],
  ])('refuse an answer of another shape: %s', async (_, answer) => {
    const many = loads(async () => answer as number[])
    const outcomes = await Promise.allSettled([many.load('a', 1, context()), many.load('b', 2, context())])
    for (const outcome of outcomes) {
      expect(outcome.status).toBe('rejected')
      expect((outcome as PromiseRejectedResult).reason).toBeInstanceOf(LoaderResultError)
    }
  })

  it('fail together, with the error of the one call', async () => {
    const error = new Error('no database')
    const load = vi.fn(() => {
      throw error
    })
    const many = loads(load)
    const outcomes = await Promise.allSettled([many.load('a', 1, context()), many.load('b', 2, context())])
    expect(outcomes.map((outcome) => (outcome as PromiseRejectedResult).reason)).toEqual([error, error])
    expect(load).toHaveBeenCalledTimes(1)
  })

  it('keep their own list of items, whatever the load does to the one it is given', async () => {
    const many = loads(async (missing) => missing.splice(0).reverse().reverse())
    expect(await Promise.all([many.load('a', 1, context()), many.load('b', 2, context())])).toEqual([1, 2])
  })

  it('are told by their signal when nobody wants any of their items any more, and not before', async () => {
    const signals: AbortSignal[] = []
    const many = loads(async (_, { signal }) => {
      signals.push(signal)
      return new Promise<never>(() => undefined)
    })
    const stops = [new LoadStop(), new LoadStop()]
    const outcomes = Promise.allSettled(stops.map((stop, i) => many.load(`k${i}`, i, context(stop))))
    await vi.waitFor(() => expect(signals).toHaveLength(1))
    stops[0]!.stop(new Error('first'))
    expect(signals[0]!.aborted).toBe(false)
    const last = new Error('last')
    stops[1]!.stop(last)
    expect(signals[0]!.reason).toBe(last)
    expect((await outcomes).map((outcome) => (outcome as PromiseRejectedResult).reason)).toEqual([last, last])
  })

  it('are not called for items that nobody wants any more', async () => {
    const load = vi.fn(async (missing: number[]) => missing)
    const stop = new LoadStop()
    const answer = loads(load).load('a', 1, context(stop))
    stop.stop(new Error('gone'))
    await expect(answer).rejects.toThrow('gone')
    expect(load).not.toHaveBeenCalled()
  })
})
