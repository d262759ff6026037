import { describe, expect, it } from 'vitest'
import { TickBatch } from './batch.js'

/** Lists as they leave; each is under way until the test ends it. */
function collecting(options?: { patient?: boolean; max?: number }): {
  batch: TickBatch<number>
  lists: number[][]
  end: () => Promise<void>
} {
  const lists: number[][] = []
  const ends: (() => void)[] = []
  const batch = new TickBatch<number>((requests) => {
    lists.push(requests)
    return new Promise((resolve) => ends.push(resolve))
  }, options)
  const end = async (): Promise<void> => {
    ends.shift()!()
    await Promise.resolve()
    await Promise.resolve()
  }
  return { batch, lists, end }
}

const tick = (): Promise<void> => new Promise((resolve) => process.nextTick(resolve))
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

describe('a batch', () => {
  it('hands over what a tick brings as one list, in order', async () => {
    const { batch, lists } = collecting()
    for (const request of [1, 2, 3]) batch.add(request)
    expect(lists).toEqual([])
    await tick()
    expect(lists).toEqual([[1, 2, 3]])
  })

  it('waits for nothing else when there is nothing under way, patient or not', async () => {
    for (const patient of [false, true]) {
      const { batch, lists } = collecting({ patient })
      batch.add(1)
      await tick()
      expect(lists).toEqual([[1]])
    }
  })

  it('takes what promises of the same run add', async () => {
    const { batch, lists } = collecting()
    batch.add(1)
    await Promise.resolve().then(() => batch.add(2))
    await turn()
    expect(lists.flat()).toEqual([1, 2])
  })

  it('never adds to a list that was handed over', async () => {
    const { batch, lists } = collecting()
    batch.add(1)
    await tick()
    batch.add(2)
    expect(lists).toEqual([[1]])
    await tick()
    expect(lists).toEqual([[1], [2]])
  })

  it('that is patient gathers through the turn of the event loop while a list is under way', async () => {
    const { batch, lists, end } = collecting({ patient: true })
    batch.add(1)
    await tick()
    batch.add(2)
    await tick()
    batch.add(3)
    await tick()
    expect(lists).toEqual([[1]])
    await turn()
    expect(lists).toEqual([[1], [2, 3]])
    await end()
    await end()
    batch.add(4)
    await tick()
    expect(lists).toEqual([[1], [2, 3], [4]])
  })

  it('that is not patient does not', async () => {
    const { batch, lists } = collecting()
    batch.add(1)
    await tick()
    batch.add(2)
    await tick()
    expect(lists).toEqual([[1], [2]])
  })

  it('closes a list early when it is full, and sends none that is empty', async () => {
    const { batch, lists } = collecting({ max: 2 })
    for (const request of [1, 2, 3]) batch.add(request)
    expect(lists).toEqual([[1, 2]])
    await tick()
    expect(lists).toEqual([[1, 2], [3]])
    for (const request of [4, 5]) batch.add(request)
    await turn()
    expect(lists).toEqual([[1, 2], [3], [4, 5]])
  })

  it('has room for a thousand by default', async () => {
    const { batch, lists } = collecting()
    for (let i = 0; i < 1_001; i++) batch.add(i)
    await tick()
    expect(lists.map((list) => list.length)).toEqual([1_000, 1])
  })
})
