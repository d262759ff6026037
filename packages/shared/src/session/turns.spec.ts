import { expect, it } from 'vitest'
import { FakeClock } from '../testing/fake-clock.js'
import { Turns } from './turns.js'

function world() {
  const clock = new FakeClock()
  const turns = new Turns(clock)
  const begun: string[] = []
  /** Work that ends when the test says so. */
  function work(name: string, id: string) {
    let end!: (error?: Error) => void
    const result = turns.take(name, () => {
      begun.push(id)
      return new Promise<string>((resolve, reject) => {
        end = (error) => (error === undefined ? resolve(id) : reject(error))
      })
    })
    return { result, end: (error?: Error) => end(error) }
  }
  return { clock, turns, begun, work }
}

it('work of one name runs in the order in which it came, and that of another beside it', async () => {
  const { clock, begun, work } = world()
  const [first, second, third] = [work('a', '1'), work('a', '2'), work('a', '3')]
  const other = work('b', 'other')
  await clock.settle()
  expect(begun).toEqual(['1', 'other'])
  first.end()
  await clock.settle()
  expect(begun).toEqual(['1', 'other', '2'])
  // One that comes while others wait is behind them.
  const fourth = work('a', '4')
  second.end()
  await clock.settle()
  third.end()
  await clock.settle()
  fourth.end()
  other.end()
  expect(await Promise.all([first, second, third, fourth].map(({ result }) => result))).toEqual(['1', '2', '3', '4'])
  expect(begun).toEqual(['1', 'other', '2', '3', '4'])
})

it('work that fails tells its caller alone, and the next has its turn', async () => {
  const { clock, begun, work } = world()
  const first = work('a', '1')
  const second = work('a', '2')
  await clock.settle()
  first.end(new Error('broken'))
  await expect(first.result).rejects.toThrow('broken')
  await clock.settle()
  expect(begun).toEqual(['1', '2'])
  second.end()
  expect(await second.result).toBe('2')
})

it('work that never ends keeps the next one waiting for a second, and nobody for ever', async () => {
  const { clock, turns, begun, work } = world()
  void work('a', 'hangs').result
  const second = work('a', '2')
  const third = work('a', '3')
  await clock.advance(999)
  expect(begun).toEqual(['hangs'])
  await clock.advance(1)
  expect(begun).toEqual(['hangs', '2'])
  second.end()
  await clock.settle()
  expect(begun).toEqual(['hangs', '2', '3'])
  third.end()
  await third.result
  // Nor does the one that hangs leave anything behind.
  expect([turns.size, clock.pendingTimers]).toEqual([0, 0])
  const late = work('a', 'late')
  await clock.settle()
  late.end()
  expect(await late.result).toBe('late')
})

it('leaves nothing behind', async () => {
  const { clock, turns, work } = world()
  const all = Array.from({ length: 200 }, (_, i) => work(`name${i % 3}`, String(i)))
  for (const each of all) {
    await clock.settle()
    each.end()
    await each.result
  }
  expect([turns.size, clock.pendingTimers]).toEqual([0, 0])
})
