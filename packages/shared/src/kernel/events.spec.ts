import diagnostics from 'node:diagnostics_channel'
import { afterEach, describe, expect, it } from 'vitest'
import { defineEvent } from './events.js'

const filled = defineEvent<{ key: string }>('test.fill')
const stops: (() => void)[] = []
afterEach(() => stops.splice(0).forEach((stop) => stop()))

describe('an event', () => {
  it('is not even made while nobody listens', () => {
    let made = 0
    filled.publish(() => ({ key: String(++made) }))
    expect(made).toBe(0)
  })

  it('reaches every subscriber, synchronously, made once', () => {
    const seen: string[] = []
    stops.push(filled.subscribe(({ key }) => seen.push(`first ${key}`)))
    stops.push(filled.subscribe(({ key }) => seen.push(`second ${key}`)))
    let made = 0
    filled.publish(() => ({ key: `a${++made}` }))
    expect(seen).toEqual(['first a1', 'second a1'])
  })

  it('no longer reaches a subscriber that stopped, however often it says so', () => {
    const seen: string[] = []
    const stop = filled.subscribe(({ key }) => seen.push(key))
    stop()
    stop()
    filled.publish(() => ({ key: 'a' }))
    expect(seen).toEqual([])
  })

  it('can be heard by its channel name alone, and from another definition of that name', () => {
    const seen: unknown[] = []
    const direct = (payload: unknown, name: string | symbol) => seen.push([name, payload])
    diagnostics.subscribe('vextrus:test.fill', direct)
    stops.push(() => diagnostics.unsubscribe('vextrus:test.fill', direct))
    stops.push(defineEvent<{ key: string }>('test.fill').subscribe((payload) => seen.push(payload)))
    filled.publish(() => ({ key: 'a' }))
    expect(seen).toEqual([['vextrus:test.fill', { key: 'a' }], { key: 'a' }])
    expect(filled.name).toBe('vextrus:test.fill')
  })

  it('is published in peace when a subscriber throws; the first error becomes a warning', async () => {
    const warnings: Error[] = []
    const uncaught: unknown[] = []
    const note = (warning: Error) => warnings.push(warning)
    const alarm = (error: unknown) => uncaught.push(error)
    process.on('warning', note)
    process.on('uncaughtException', alarm)
    stops.push(
      () => process.off('warning', note),
      () => process.off('uncaughtException', alarm),
    )
    const seen: string[] = []
    stops.push(
      filled.subscribe(() => {
        throw new Error('the listener is broken')
      }),
    )
    stops.push(filled.subscribe(({ key }) => seen.push(key)))

    filled.publish(() => ({ key: 'a' }))
    filled.publish(() => ({ key: 'b' }))
    // Warnings, and the exceptions that Node raises for its own subscribers, come on the next tick.
    await new Promise((resolve) => setImmediate(resolve))

    expect(seen).toEqual(['a', 'b'])
    expect(uncaught).toEqual([])
    const ours = warnings.filter(({ name }) => name === 'VextrusEventWarning')
    expect(ours).toHaveLength(1)
    expect(ours[0]?.message).toContain('the listener is broken')
  })
})
