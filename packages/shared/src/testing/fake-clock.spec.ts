import { describe, expect, it } from 'vitest'
import { InvalidDurationError } from '../kernel/errors.js'
import { FakeClock } from './fake-clock.js'

describe('the fake clock', () => {
  it('stands still until it is advanced, and both its times move together', async () => {
    const clock = new FakeClock(new Date('2026-05-01T00:00:00Z'))
    const mono = clock.mono()
    await clock.settle()
    expect(clock.mono()).toBe(mono)
    await clock.advance('2s')
    await clock.advance(500)
    expect(clock.mono() - mono).toBe(2_500)
    expect(new Date(clock.wall()).toISOString()).toBe('2026-05-01T00:00:02.500Z')
  })

  it('fires timers in the order of their time, each at its own time', async () => {
    const clock = new FakeClock()
    const fired: string[] = []
    clock.timer(30, () => fired.push(`c@${clock.mono()}`))
    clock.timer(10, () => fired.push(`a@${clock.mono()}`))
    clock.timer(30, () => fired.push(`d@${clock.mono()}`))
    clock.timer(20, () => fired.push(`b@${clock.mono()}`))
    clock.timer(31, () => fired.push('too early'))
    await clock.advance(30)
    expect(fired).toEqual(['a@10', 'b@20', 'c@30', 'd@30'])
    expect(clock.pendingTimers).toBe(1)
  })

  it('fires what is set on the way, and by what was not awaited', async () => {
    const clock = new FakeClock()
    const fired: number[] = []
    const sleep = (ms: number) => new Promise<void>((resolve) => clock.timer(ms, resolve))
    const work = async () => {
      for (let i = 0; i < 3; i++) {
        await Promise.resolve()
        await sleep(10)
        fired.push(clock.mono())
      }
    }
    const done = work()
    await clock.advance(100)
    await done
    expect(fired).toEqual([10, 20, 30])
  })

  it('does not fire what was cancelled, also by another timer of the same moment', async () => {
    const clock = new FakeClock()
    const fired: string[] = []
    const never = clock.timer(5, () => fired.push('cancelled'))
    never.cancel()
    never.cancel()
    clock.timer(10, () => second.cancel())
    const second = clock.timer(10, () => fired.push('second'))
    await clock.advance(10)
    expect(fired).toEqual([])
  })

  it('goes forward only', async () => {
    await expect(new FakeClock().advance(-1)).rejects.toThrow(InvalidDurationError)
  })
})
