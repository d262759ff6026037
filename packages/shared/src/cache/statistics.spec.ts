import { describe, expect, it } from 'vitest'
import { CacheUnavailableError } from './errors.js'
import { Statistics } from './statistics.js'

describe('statistics', () => {
  it('round the rate to two decimals of a percent', () => {
    const statistics = new Statistics()
    for (let i = 0; i < 2; i++) statistics.hit('k')
    statistics.missed('k')
    expect(statistics.report(0, 0).hitRate).toBe(66.67)
  })

  it('count by the first segment of the key', () => {
    const statistics = new Statistics()
    for (const key of ['product:t1:42', 'product:t2:1', 'countries', 'order:']) statistics.hit(key)
    expect(Object.keys(statistics.report(0, 0).groups)).toEqual(['product', 'countries', 'order'])
  })

  it('list the 200 busiest groups, and keep a bounded number whatever the keys are', () => {
    const statistics = new Statistics()
    for (let i = 0; i < 300; i++) for (let n = 0; n < 3; n++) statistics.hit(`busy${i}`)
    for (let i = 0; i < 20_000; i++) statistics.missed(`once${i}`)
    const { groups, hits, misses } = statistics.report(0, 0)
    expect(Object.keys(groups)).toHaveLength(200)
    expect(Object.keys(groups).every((name) => name.startsWith('busy'))).toBe(true)
    expect([hits, misses]).toEqual([900, 20_000])
  })

  it('are a picture of their moment', () => {
    const statistics = new Statistics()
    statistics.hit('a:1')
    const before = statistics.report(0, 0)
    statistics.hit('a:1')
    expect(before).toMatchObject({ hits: 1, groups: { a: { hits: 1 } } })
  })

  it('begin anew', () => {
    const statistics = new Statistics()
    statistics.hit('a:1')
    statistics.loaded('a:1')
    statistics.loadFailed('a:1')
    statistics.invalidated()
    statistics.failed(new CacheUnavailableError('away'))
    expect(statistics.report(0, 0)).toMatchObject({ loads: 1, loadErrors: 1, invalidations: 1, errors: 1 })
    statistics.reset()
    expect(statistics.report(0, 0)).toEqual(new Statistics().report(0, 0))
  })

  it('tell of each operation that failed', () => {
    const failed: Error[] = []
    const statistics = new Statistics((error) => failed.push(error))
    const error = new CacheUnavailableError('away')
    statistics.failed(error)
    expect(failed).toEqual([error])
  })
})
