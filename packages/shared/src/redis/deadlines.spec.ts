import { describe, expect, it } from 'vitest'
import { ManualClock } from '../../test/support/manual-clock.js'
import { Deadlines } from './deadlines.js'

describe('deadlines', () => {
  const expired: string[] = []
  const setUp = (): {
    clock: ManualClock
    deadlines: Deadlines
    begin: (name: string) => ReturnType<Deadlines['begin']>
  } => {
    expired.length = 0
    const clock = new ManualClock()
    const deadlines = new Deadlines(clock, 500)
    return { clock, deadlines, begin: (name) => deadlines.begin((why) => expired.push(`${name} ${why}`)) }
  }

  it('expire in the order in which they began, and not before their time', async () => {
    const { clock, begin } = setUp()
    begin('a')
    await clock.advance(100)
    begin('b')
    await clock.advance(399)
    expect(expired).toEqual([])
    await clock.advance(2)
    expect(expired).toEqual(['a deadline'])
    await clock.advance(98)
    expect(expired).toEqual(['a deadline'])
    await clock.advance(3)
    expect(expired).toEqual(['a deadline', 'b deadline'])
  })

  it('do not expire once they were met, wherever they stand', async () => {
    const { clock, deadlines, begin } = setUp()
    const [first, , middle, , last] = ['a', 'b', 'c', 'd', 'e'].map(begin)
    deadlines.met(middle!)
    deadlines.met(first!)
    deadlines.met(last!)
    deadlines.met(last!)
    begin('f')
    await clock.advance(502)
    expect(expired).toEqual(['b deadline', 'd deadline', 'f deadline'])
  })

  it('share one timer, and leave none behind', async () => {
    const { clock, deadlines, begin } = setUp()
    const all = Array.from({ length: 1_000 }, (_, i) => begin(`${i}`))
    expect(clock.timers).toBe(1)
    for (const one of all) deadlines.met(one)
    await clock.advance(500)
    expect(clock.timers).toBe(0)
    expect(expired).toEqual([])
  })

  it('let the sockets be read once before they judge a process that was stopped', async () => {
    const { clock, deadlines, begin } = setUp()
    const answered = begin('answered')
    begin('silent')
    clock.jump(60_000)
    // The notice fires before the socket is read, the judgement after.
    await clock.advance(0)
    deadlines.met(answered)
    await clock.advance(1)
    expect(expired).toEqual(['silent deadline'])
  })

  it('expire as lost when all is closed', () => {
    const { clock, deadlines, begin } = setUp()
    begin('a')
    begin('b')
    deadlines.close()
    expect(expired).toEqual(['a lost', 'b lost'])
    expect(clock.timers).toBe(0)
  })
})
