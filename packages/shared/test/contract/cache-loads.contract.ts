import { beforeEach, describe, expect, it, vi } from 'vitest'
import type { RedisCacheService } from '../../src/cache/cache.js'
import type { LoadContext } from '../../src/cache/public-types.js'
import type { CacheBackend } from '../support/cache-backends.js'
import { HeldLoad, rejection } from '../support/memory-world.js'
import { waitFor } from '../support/wait-for.js'

/** Time-outs, signals and fail-safe: a part of the contract of the operations, on its backend. */
export function impatientLoads(ofSuite: () => CacheBackend): void {
  describe('loads that take too long, fail, or are given up', () => {
    let backend: CacheBackend
    let one: RedisCacheService
    let other: RedisCacheService

    beforeEach(async () => {
      backend = ofSuite()
      ;({ one, other } = await backend.caches())
    })

    const never = (): Promise<string> => new Promise(() => undefined)
    /** A loader that hangs, and the signal it was given. */
    const hanging = () => {
      const signals: AbortSignal[] = []
      const load = ({ signal }: LoadContext): Promise<string> => {
        signals.push(signal)
        return never()
      }
      return { load, signals }
    }

    it('end after the hard time-out: the caller is rejected, the loader told, and others may load at once', async () => {
      const { load, signals } = hanging()
      const error = rejection(one.getOrSet('k', load, { loadTimeout: { hard: '1s' } }))
      await waitFor('the load', () => signals.length === 1)
      await backend.stores.elapse(1_000)
      expect(await error).toMatchObject({ name: 'LoadTimeoutError', code: 'LOAD_TIMEOUT', key: 'k', hardMs: 1_000 })
      expect(signals[0]!.reason).toBe(await error)
      // With its lease kept this would be a wait of seconds.
      const quick = { loadTimeout: { hard: '2s' } }
      expect(await other.getOrSet('k', () => 'next', quick)).toBe('next')
    })

    it('are waited for until the soft time-out where a stale value is there, and are stored all the same', async () => {
      const options = { ttl: '1m', grace: '1m', loadTimeout: { soft: '60ms', hard: '20s' } }
      await one.set('k', 'old', { ttl: '40ms', grace: '1m' })
      await backend.stores.elapse(60)
      const load = new HeldLoad<string>()
      const value = one.getOrSet('k', load.load, options)
      await waitFor('the load', () => load.calls === 1)
      await backend.stores.elapse(60)
      expect(await value).toBe('old')
      load.answer('new')
      await waitFor('the fill', async () => (await other.get('k')) === 'new')
      const next = new HeldLoad<string>()
      await one.set('k', 'old', { ttl: '40ms', grace: '1m' })
      await backend.stores.elapse(60)
      const fresh = one.getOrSet('k', next.load, { ...options, loadTimeout: { soft: '5s' } })
      await waitFor('the load', () => next.calls === 1)
      next.answer('newer')
      expect(await fresh).toBe('newer')
    })

    it('are answered by the stale value when they fail, and not begun again at once', async () => {
      await one.set('k', 'old', { ttl: '40ms', grace: '1m' })
      await backend.stores.elapse(60)
      const load = vi.fn(() => Promise.reject<string>(new Error('no origin')))
      const options = { grace: '1m', loadTimeout: { soft: '5s' } }
      expect(await one.getOrSet('k', load, options)).toBe('old')
      const { loadErrors } = one.getStatistics()
      expect([load.mock.calls.length, loadErrors]).toEqual([1, 1])
      await expect(one.getOrSet('none', load, options)).rejects.toThrow('no origin')
    })

    it('are left by callers whose signal aborts, and go on for the others', async () => {
      const controller = new AbortController()
      const reason = new Error('the client went away')
      const load = new HeldLoad<string>()
      const gone = rejection(one.getOrSet('k', load.load, { signal: controller.signal }))
      const stays = one.getOrSet('k', load.load)
      await waitFor('the load', () => load.calls === 1)
      controller.abort(reason)
      expect(await gone).toBe(reason)
      load.answer('loaded')
      expect(await stays).toBe('loaded')
      await expect(one.getOrSet('k', load.load, { signal: controller.signal })).rejects.toBe(reason)
      expect(load.calls).toBe(1)
    })

    it('of many are ended together, and their load is told', async () => {
      const signals: AbortSignal[] = []
      const load = (_: number[], { signal }: { signal: AbortSignal }): Promise<string[]> => {
        signals.push(signal)
        return new Promise(() => undefined)
      }
      const options = { key: (id: number) => `n:${id}`, load, loadTimeout: { hard: '1s' } }
      const error = rejection(one.getOrSetMany([1, 2, 3], options))
      await waitFor('the load', () => signals.length === 1)
      await backend.stores.elapse(1_010)
      expect(await error).toMatchObject({ code: 'LOAD_TIMEOUT' })
      await waitFor('the abortion', () => signals[0]!.aborted)
    })

    it.each([
      [{ soft: '30s' }, 'ConfigurationError', 'loadTimeout.soft'],
      [{ hard: 0 }, 'InvalidDurationError', 'loadTimeout.hard'],
    ])('with a time-out that is none are refused before anything is loaded: %o', async (loadTimeout, name, option) => {
      const load = vi.fn(() => 'loaded')
      const error = await rejection(one.getOrSet('k', load, { loadTimeout }))
      expect(error).toMatchObject({ name, message: expect.stringContaining(option) })
      expect(load).not.toHaveBeenCalled()
    })
  })
}
