import { describe, expect, it } from 'vitest'
import { SingleFlight } from './single-flight.js'

describe('SingleFlight', () => {
  it('calls once for all who ask while the call is running', async () => {
    const flights = new SingleFlight<string, object>()
    let calls = 0
    const load = async () => {
      calls++
      return {}
    }
    const values = await Promise.all([flights.run('a', load), flights.run('a', load), flights.run('a', load)])
    expect(calls).toBe(1)
    expect(new Set(values).size).toBe(1)
  })

  it('keeps keys apart', async () => {
    const flights = new SingleFlight<string, string>()
    expect(await Promise.all([flights.run('a', () => 'A'), flights.run('b', () => 'B')])).toEqual(['A', 'B'])
  })

  it('calls before it returns', () => {
    let called = false
    void new SingleFlight<string, void>().run('a', () => {
      called = true
    })
    expect(called).toBe(true)
  })

  it.each([
    ['a rejection', () => Promise.reject(new Error('origin down'))],
    [
      'a synchronous throw',
      (): never => {
        throw new Error('origin down')
      },
    ],
  ])('gives the same error to all after %s, and keeps nothing', async (_, fn) => {
    const flights = new SingleFlight<string, string>()
    const outcomes = await Promise.allSettled([flights.run('a', fn), flights.run('a', fn)])
    const reasons = outcomes.map((outcome) => (outcome.status === 'rejected' ? (outcome.reason as Error) : undefined))
    expect(reasons[0]?.message).toBe('origin down')
    expect(reasons[1]).toBe(reasons[0])
    expect(flights.size).toBe(0)
    expect(await flights.run('a', () => 'well again')).toBe('well again')
  })

  it('starts anew for whoever asks in the continuation of a settled call', async () => {
    const flights = new SingleFlight<string, number>()
    let calls = 0
    const load = async () => ++calls
    const second = flights.run('a', load).then(() => flights.run('a', load))
    expect(await second).toBe(2)
    expect(flights.size).toBe(0)
  })

  it('lets the call of a key ask for another key', async () => {
    const flights = new SingleFlight<string, string>()
    expect(await flights.run('outer', async () => `<${await flights.run('inner', () => 'x')}>`)).toBe('<x>')
  })
})
