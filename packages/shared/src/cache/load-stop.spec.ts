import { getEventListeners } from 'node:events'
import { describe, expect, it, vi } from 'vitest'
import { LoadStop } from './load-stop.js'

const reason = new Error('too late')
const never = (): Promise<never> => new Promise(() => undefined)

describe('the stop of a load', () => {
  it('tells whoever waits inside the load at once, whatever the loader does', async () => {
    const stop = new LoadStop()
    const races = [stop.race(never()), stop.race(never())].map((race) => race.catch((error: unknown) => error))
    stop.stop(reason)
    expect(await Promise.all(races)).toEqual([reason, reason])
    await expect(stop.race(never())).rejects.toBe(reason)
    expect(() => stop.throwIfStopped()).toThrow(reason)
  })

  it('lets what ends before it go its way, a value or an error', async () => {
    const stop = new LoadStop()
    const error = new Error('of the loader')
    expect(await stop.race('plain')).toBe('plain')
    expect(await stop.race(Promise.resolve('value'))).toBe('value')
    await expect(stop.race(Promise.reject(error))).rejects.toBe(error)
    stop.throwIfStopped()
  })

  it('makes a late rejection of the loader no unhandled one', async () => {
    const unhandled = vi.fn()
    process.on('unhandledRejection', unhandled)
    try {
      const stop = new LoadStop()
      let fail!: (error: Error) => void
      const race = stop.race(new Promise((_, reject) => (fail = reject)))
      stop.stop(reason)
      await expect(race).rejects.toBe(reason)
      fail(new Error('late'))
      await new Promise((resolve) => setImmediate(resolve))
      expect(unhandled).not.toHaveBeenCalled()
    } finally {
      process.off('unhandledRejection', unhandled)
    }
  })

  it('aborts the signal with the first reason, also one that is looked at afterwards', () => {
    const [early, late] = [new LoadStop(), new LoadStop()]
    const { signal } = early
    expect(signal.aborted).toBe(false)
    for (const stop of [early, late]) {
      stop.stop(reason)
      stop.stop(new Error('second'))
      expect(stop.signal.reason).toBe(reason)
    }
    expect(early.signal).toBe(signal)
  })

  it('has told the load before the loader hears of it', () => {
    const stop = new LoadStop()
    const order: string[] = []
    stop.signal.addEventListener('abort', () => order.push('loader'))
    stop.onStop(() => order.push('load'))
    stop.stop(reason)
    expect(order).toEqual(['load', 'loader'])
  })

  it('keeps no listener of what has ended, and adds none of its own to the signal', async () => {
    const stop = new LoadStop()
    const heard = vi.fn()
    stop.onStop(heard)()
    await stop.race(Promise.resolve())
    expect(getEventListeners(stop.signal, 'abort')).toHaveLength(0)
    stop.stop(reason)
    expect(heard).not.toHaveBeenCalled()
  })
})
