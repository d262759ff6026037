import { AsyncLocalStorage } from 'node:async_hooks'
import { describe, expect, it } from 'vitest'
import { ConcurrencyLimit } from './concurrency.js'

interface Job {
  readonly name: number
  readonly end: () => void
  readonly fail: (error: Error) => void
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

describe('ConcurrencyLimit', () => {
  it('runs at most so many at a time, the others in the order in which they came', async () => {
    const limit = new ConcurrencyLimit(2)
    const started: Job[] = []
    const all = Array.from({ length: 6 }, (_, name) =>
      limit.run(
        () => new Promise<number>((resolve, reject) => started.push({ name, end: () => resolve(name), fail: reject })),
      ),
    )
    expect(started.map(({ name }) => name)).toEqual([0, 1])
    for (let done = 0; done < 6; done++) {
      expect(limit.active).toBe(Math.min(2, 6 - done))
      started[done]!.end()
      await turn()
      expect(started).toHaveLength(Math.min(6, done + 3))
    }
    expect(await Promise.all(all)).toEqual([0, 1, 2, 3, 4, 5])
    expect(started.map(({ name }) => name)).toEqual([0, 1, 2, 3, 4, 5])
    expect(limit.active).toBe(0)
  })

  it('gives the slot of work that fails to the next, also when it throws at once', async () => {
    const limit = new ConcurrencyLimit(1)
    const bad = limit.run(() => {
      throw new Error('at once')
    })
    const worse = limit.run(() => Promise.reject(new Error('later')))
    const good = limit.run(() => 'value')
    await expect(bad).rejects.toThrow('at once')
    await expect(worse).rejects.toThrow('later')
    expect(await good).toBe('value')
    expect(limit.active).toBe(0)
  })

  it('lets nobody overtake who comes in the moment in which a slot becomes free', async () => {
    const limit = new ConcurrencyLimit(1)
    const order: string[] = []
    let end = (): void => undefined
    const holder = limit.run(() => new Promise<void>((resolve) => (end = resolve)))
    const queued = limit.run(() => order.push('queued'))
    const newcomer = holder.then(() => limit.run(() => order.push('newcomer')))
    end()
    await Promise.all([queued, newcomer])
    expect(order).toEqual(['queued', 'newcomer'])
  })

  it('starts what is queued past the limit when told to, and gives no slot away until as many have ended', async () => {
    const limit = new ConcurrencyLimit(1)
    const ends: (() => void)[] = []
    const order: string[] = []
    const work = (name: string) => () => {
      order.push(name)
      return new Promise<void>((resolve) => ends.push(resolve))
    }
    let goPast!: () => void
    const all = [limit.run(work('holder')), limit.run(work('queued')), limit.run(work('urgent'), (go) => (goPast = go))]
    goPast()
    goPast()
    await turn()
    expect(order).toEqual(['holder', 'urgent'])
    expect(limit.active).toBe(2)
    ends[1]!()
    await turn()
    expect(order).toEqual(['holder', 'urgent'])
    ends[0]!()
    await turn()
    expect(order).toEqual(['holder', 'urgent', 'queued'])
    ends[2]!()
    await Promise.all(all)
    goPast()
    expect(limit.active).toBe(0)
    expect(
      await limit.run(
        () => 'newcomer',
        () => expect.unreachable(),
      ),
    ).toBe('newcomer')
  })

  it('serves newcomers after the queue has run empty', async () => {
    const limit = new ConcurrencyLimit(1)
    for (let round = 0; round < 3; round++)
      expect(await Promise.all([limit.run(() => 1), limit.run(() => 2), limit.run(() => 3)])).toEqual([1, 2, 3])
  })

  it('keeps the async context of those who waited', async () => {
    const limit = new ConcurrencyLimit(1)
    const context = new AsyncLocalStorage<number>()
    const seen = await Promise.all(
      [1, 2, 3].map((each) =>
        context.run(each, () =>
          limit.run(async () => {
            await turn()
            return context.getStore()
          }),
        ),
      ),
    )
    expect(seen).toEqual([1, 2, 3])
  })

  it('has no limit when it is Infinity', () => {
    const limit = new ConcurrencyLimit(Infinity)
    for (let i = 0; i < 1_000; i++) void limit.run(() => new Promise(() => undefined))
    expect(limit.active).toBe(1_000)
  })
})
