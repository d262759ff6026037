import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import {
  type AcquireReply,
  type AcquireRequest,
  type LockKind,
  type LockMode,
  type LockName,
  type LockStore,
  LockUnavailableError,
} from '../../src/lock/index.js'
import { Keyspace } from '../../src/redis/keyspace.js'
import type { LockBackend } from '../support/lock-backends.js'
import { waitFor } from '../support/wait-for.js'
import { ODD_KEYS } from './store-fixture.js'

const LONG_MS = 30_000
const MODES: Record<LockKind, LockMode> = { mutex: 'exclusive', semaphore: 3, 'read-write': 'exclusive' }

/** What every store of locks promises the engine: the port, as one suite. Each process is a client of its own. */
export function lockStoreContract(name: string, makeBackend: () => Promise<LockBackend>): void {
  describe(`the lock store on ${name}`, () => {
    let backend: LockBackend
    let stores: LockStore[]
    let lock: LockName
    let prefix: string
    let tests = 0

    beforeAll(async () => {
      backend = await makeBackend()
      prefix = 'vextrus-locks:'
      stores = [await backend.store(prefix), await backend.store(prefix)]
    })
    beforeEach(() => {
      lock = { kind: 'mutex', key: `k${++tests}` }
    })
    afterAll(() => backend.close())

    const storeOf = (process: string): LockStore => stores[process.charCodeAt(0) % stores.length]!

    /** A process asks and waits; its token is `<process>1` unless said otherwise. */
    function ask(process: string, more: Partial<AcquireRequest> & { mode?: LockMode; token?: string } = {}) {
      const { mode = MODES[lock.kind], token = `${process}1`, ...rest } = more
      const request = { lock, holder: { token, mode }, ttlMs: LONG_MS, process, aliveMs: LONG_MS, ...rest }
      return storeOf(process).acquire(request)
    }
    /** The fence of a grant. */
    async function granted(...args: Parameters<typeof ask>): Promise<bigint> {
      const { fence } = await ask(...args)
      expect(fence, `${args[0]} is granted`).not.toBeNull()
      return fence!
    }
    async function refused(...args: Parameters<typeof ask>): Promise<AcquireReply> {
      const reply = await ask(...args)
      expect(reply.fence, `${args[0]} is refused`).toBeNull()
      return reply
    }
    /** What a process that does not wait would be told. */
    const glance = (mode?: LockMode) =>
      refused('z', { aliveMs: 0, token: 'never', ...(mode === undefined ? {} : { mode }) })

    function release(process: string, token = `${process}1`, mode: LockMode = MODES[lock.kind]): Promise<boolean> {
      return storeOf(process).release({ lock, holder: { token, mode } })
    }
    const leave = (process: string): Promise<boolean> => storeOf(process).release({ lock, process })
    const extend = (token: string, ttlMs: number): Promise<boolean> =>
      stores[0]!.extend(lock, { token, mode: MODES[lock.kind] }, ttlMs)
    const give = (token: string, mode: LockMode = 'exclusive') => ({ giveBack: { token, mode } })

    /** The wake-ups that a process hears from now on. */
    async function hearing(process: string): Promise<{ heard: LockName[]; stop: () => void }> {
      const heard: LockName[] = []
      const listener = { woken: (name: LockName) => void heard.push(name), gap: () => undefined }
      return { heard, stop: await storeOf(process).listen(process, listener) }
    }

    describe('one holder', () => {
      it('holds a free lock; another is refused and told in how long its time is over', async () => {
        const reply = await ask('a', { ttlMs: 20_000 })
        expect(reply).toMatchObject({ gaveBack: false, replicas: null })
        expect(reply.fence).toBeTypeOf('bigint')
        const { retryMs, gaveBack } = await refused('b')
        expect(retryMs).toBeGreaterThan(10_000)
        expect(retryMs).toBeLessThanOrEqual(20_001)
        expect(gaveBack).toBe(false)
      })

      it('asks as often as it likes and holds once: one release frees it', async () => {
        await granted('a')
        await granted('a')
        await granted('a')
        expect(await release('a')).toBe(true)
        await granted('b')
      })

      it('counts from its last question, and never has less time than it had', async () => {
        await granted('a', { ttlMs: 1_000 })
        await granted('a', { ttlMs: 20_000 })
        expect((await glance()).retryMs).toBeGreaterThan(10_000)
        // A copy of the first question that was late.
        await granted('a', { ttlMs: 1_000 })
        expect((await glance()).retryMs).toBeGreaterThan(10_000)
      })

      it('holds no longer than its time', async () => {
        await granted('a', { ttlMs: 50 })
        await backend.server.elapse(51)
        await granted('b')
        expect(await release('a')).toBe(false)
        await refused('c')
      })

      it('gives back what it holds, once; what another holds, or nobody, is left alone', async () => {
        await granted('a')
        expect(await release('b', 'b1')).toBe(false)
        expect(await release('b', 'nobody')).toBe(false)
        await refused('b')
        expect(await release('a')).toBe(true)
        expect(await release('a')).toBe(false)
      })
    })

    describe('the fence', () => {
      it('grows with each grant, whatever ended the one before', async () => {
        const fences = [await granted('a', { ttlMs: 40 })]
        await backend.server.elapse(41)
        fences.push(await granted('b'), await granted('b'))
        await release('b')
        fences.push(await granted('a'), await granted('a', { token: 'a2', ...give('a1') }))
        await storeOf('a').release({ lock, holder: { token: 'a2', mode: 'exclusive' }, forGood: true })
        fences.push(await granted('c'))
        expect(fences).toEqual(fences.toSorted((x, y) => Number(x - y)))
        expect(new Set(fences).size).toBe(fences.length)
      })

      it.each(['mutex', 'semaphore', 'read-write'] as const)('grows for a %s without an end', async (kind) => {
        lock = { kind, key: 'fences' }
        let last = 0n
        for (let turn = 0; turn < 20; turn++) {
          const fence = await granted('a', { token: `a${turn}` })
          expect(fence).toBeGreaterThan(last)
          last = fence
          await release('a', `a${turn}`)
        }
      })

      it('grows over the loss of its counter', async () => {
        const { command } = backend.server
        const before = await granted('a')
        await release('a')
        if (command !== null) {
          const counter = new Keyspace(prefix).lock(lock.key, ['mutex-fence'])[0]!
          expect(await command(counter, 'DEL', counter)).toBe(1)
        }
        expect(await granted('b')).toBeGreaterThan(before)
      })

      it('grows for those who hold together', async () => {
        lock = { kind: 'semaphore', key: `s${tests}` }
        const fences = [await granted('a'), await granted('b'), await granted('c')]
        expect(fences[1]).toBeGreaterThan(fences[0]!)
        expect(fences[2]).toBeGreaterThan(fences[1]!)
      })
    })

    describe('the line', () => {
      it('is first come, first served, over processes', async () => {
        await granted('a')
        for (const process of ['b', 'c', 'd']) await refused(process)
        await release('a')
        for (const [turn, process] of ['b', 'c', 'd'].entries()) {
          for (const later of ['b', 'c', 'd'].slice(turn + 1)) await refused(later)
          expect(await granted(process)).toBeTypeOf('bigint')
          await release(process)
        }
      })

      it('lets nobody past who comes later, waiting or not, though the lock is free', async () => {
        await granted('a')
        await refused('b')
        await release('a')
        await refused('c', { aliveMs: 0 })
        await refused('d')
        expect(await granted('b')).toBeTypeOf('bigint')
      })

      it('has no place for a process that does not wait', async () => {
        await granted('a')
        await refused('b', { aliveMs: 0 })
        await release('a')
        expect(await granted('c')).toBeTypeOf('bigint')
      })

      it('keeps the place of a process that is heard of, also when another of its callers asks', async () => {
        await granted('a')
        await refused('b')
        await refused('c')
        await refused('b')
        await refused('b', { token: 'b2' })
        await release('a')
        await refused('c')
        expect(await granted('b', { token: 'b2' })).toBeTypeOf('bigint')
      })

      it('passes a process that is not heard of, and tells those behind when', async () => {
        await granted('a')
        await refused('b', { aliveMs: 60 })
        await refused('c')
        await release('a')
        const { fence, retryMs } = await ask('c')
        // On a slow day its time is over already.
        if (fence === null) {
          expect(retryMs).toBeLessThanOrEqual(61)
          await backend.server.elapse(61)
          await granted('c')
        }
        await refused('b')
      })

      it('has a process that was passed at its end', async () => {
        await granted('a')
        await refused('b', { aliveMs: 40 })
        await refused('c')
        await backend.server.elapse(41)
        await refused('b')
        await release('a')
        await refused('b')
        expect(await granted('c')).toBeTypeOf('bigint')
      })

      it('is left by a process that gives up, and the next has its turn', async () => {
        await granted('a')
        await refused('b')
        await refused('c')
        expect(await leave('b')).toBe(false)
        await release('a')
        await granted('c')
      })
    })

    describe('handing on within a process', () => {
      it('gives back and grants in one step, past the others, and has a place behind them', async () => {
        await granted('a')
        await refused('b')
        const { fence, gaveBack } = await ask('a', { token: 'a2', ...give('a1'), passOthers: true, next: 'exclusive' })
        expect([fence !== null, gaveBack]).toEqual([true, true])
        await refused('c')
        expect(await release('a')).toBe(false)
        await release('a', 'a2')
        await refused('a', { token: 'a3' })
        await refused('c')
        await granted('b')
        await release('b')
        await refused('c')
        await granted('a', { token: 'a3' })
      })

      it('has the place of its next turn behind those who waited, also when it had one in front of them', async () => {
        await granted('a')
        await refused('b')
        await refused('c')
        await release('a')
        await granted('b', { next: 'exclusive' })
        await release('b')
        await refused('b', { token: 'b2' })
        await granted('c')
        await release('c')
        expect(await granted('b', { token: 'b2' })).toBeTypeOf('bigint')
      })

      it('without the right to pass gives back, and stands behind who waits', async () => {
        const { heard, stop } = await hearing('b')
        await granted('a')
        await refused('b')
        const { fence, gaveBack } = await ask('a', { token: 'a2', ...give('a1') })
        expect([fence, gaveBack]).toEqual([null, true])
        await waitFor('b to be woken', () => heard.length > 0)
        stop()
        await granted('b')
        await release('b')
        await granted('a', { token: 'a2' })
      })

      it('says when there was nothing to give back, and takes nothing from who holds it', async () => {
        await granted('b')
        const { fence, gaveBack } = await ask('a', { token: 'a2', ...give('a1'), passOthers: true })
        expect([fence, gaveBack]).toEqual([null, false])
        expect(await release('b')).toBe(true)
      })
    })

    describe('who may hold beside whom', () => {
      it('readers together, a writer alone', async () => {
        lock = { kind: 'read-write', key: lock.key }
        await granted('a', { mode: 1_000 })
        await granted('b', { mode: 1_000 })
        await refused('c', { aliveMs: 0 })
        await release('a', 'a1', 1_000)
        await refused('c', { aliveMs: 0 })
        await release('b', 'b1', 1_000)
        await granted('c')
        await refused('a', { mode: 1_000, aliveMs: 0 })
        expect(await refused('d', { aliveMs: 0 })).toMatchObject({ fence: null })
      })

      it('a reader behind a writer that waits, waits; so a writer is not kept out for ever', async () => {
        lock = { kind: 'read-write', key: lock.key }
        await granted('a', { mode: 1_000 })
        await refused('b')
        await refused('c', { mode: 1_000 })
        await refused('d', { mode: 1_000 })
        await release('a', 'a1', 1_000)
        await refused('c', { mode: 1_000 })
        await granted('b')
        await release('b')
        await granted('c', { mode: 1_000 })
        expect(await granted('d', { mode: 1_000 })).toBeTypeOf('bigint')
      })

      it('as many as there are permits, by the number that the asking one says', async () => {
        lock = { kind: 'semaphore', key: lock.key }
        await granted('a', { mode: 2 })
        await granted('b', { mode: 2 })
        await refused('c', { mode: 2, aliveMs: 0 })
        await granted('b', { mode: 2 })
        await granted('c', { mode: 3 })
        await release('a', 'a1', 2)
        await refused('d', { mode: 2 })
        await release('b', 'b1', 2)
        expect(await granted('d', { mode: 2 })).toBeTypeOf('bigint')
      })

      it('locks of two kinds or of two names don’t know each other', async () => {
        await granted('a')
        for (const kind of ['semaphore', 'read-write'] as const) {
          lock = { kind, key: lock.key }
          await granted('b')
          expect(await release('b')).toBe(true)
        }
        lock = { kind: 'mutex', key: `${lock.key}:x` }
        await granted('b')
      })
    })

    describe('an extension', () => {
      it('counts from now', async () => {
        await granted('a', { ttlMs: 1_000 })
        expect(await extend('a1', 20_000)).toBe(true)
        expect((await glance()).retryMs).toBeGreaterThan(10_000)
      })

      it('never takes time away: one that is late can’t end what a later one gave', async () => {
        await granted('a', { ttlMs: 1_000 })
        expect(await extend('a1', 20_000)).toBe(true)
        expect(await extend('a1', 50)).toBe(true)
        expect((await glance()).retryMs).toBeGreaterThan(10_000)
      })

      it('is refused to who has lost the lock, gave it back, or never had it, and gets it for nobody', async () => {
        await granted('a', { ttlMs: 40 })
        await backend.server.elapse(41)
        expect(await extend('a1', LONG_MS)).toBe(false)
        await granted('b')
        expect(await extend('a1', LONG_MS)).toBe(false)
        expect(await release('b')).toBe(true)
        expect(await extend('b1', LONG_MS)).toBe(false)
        expect(await extend('nobody', LONG_MS)).toBe(false)
        await granted('c', { aliveMs: 0 })
      })
    })

    describe('giving back for good', () => {
      it('refuses a copy of the call that comes later; who else asks is not disturbed', async () => {
        const never = { lock, holder: { token: 'a1', mode: 'exclusive' }, forGood: true } as const
        expect(await stores[0]!.release(never)).toBe(false)
        await expect(ask('a')).rejects.toThrow(LockUnavailableError)
        await granted('b')
        await expect(ask('a')).rejects.toThrow(LockUnavailableError)
        await release('b')
        await granted('a', { token: 'a2' })
        expect(await stores[0]!.release({ ...never, holder: { token: 'a2', mode: 'exclusive' } })).toBe(true)
        await expect(ask('a', { token: 'a2' })).rejects.toThrow(LockUnavailableError)
        await granted('c')
      })
    })

    describe('wake-ups', () => {
      it('reach the process whose turn it is, when it may come in, and nobody else', async () => {
        const [b, c] = [await hearing('b'), await hearing('c')]
        await granted('a')
        await refused('b')
        await refused('c')
        expect([b.heard, c.heard]).toEqual([[], []])
        await release('a')
        await waitFor('b to be woken', () => b.heard.length > 0)
        await granted('b')
        await release('b')
        await waitFor('c to be woken', () => c.heard.length > 0)
        expect([b.heard, c.heard]).toEqual([[lock], [lock]])
        b.stop()
        c.stop()
      })

      it('don’t come while the one whose turn it is would be refused', async () => {
        lock = { kind: 'semaphore', key: lock.key }
        const { heard, stop } = await hearing('c')
        await granted('a', { mode: 3 })
        await granted('b', { mode: 3 })
        await granted('d', { mode: 3 })
        await refused('c', { mode: 2 })
        await release('a', 'a1', 3)
        await refused('c', { mode: 2 })
        expect(heard).toEqual([])
        await release('b', 'b1', 3)
        await waitFor('c to be woken', () => heard.length > 0)
        expect(heard).toEqual([lock])
        stop()
      })

      it('go on from one who holds with others to the next', async () => {
        lock = { kind: 'read-write', key: lock.key }
        const [b, c] = [await hearing('b'), await hearing('c')]
        await granted('a')
        await refused('b', { mode: 1_000 })
        await refused('c', { mode: 1_000 })
        await release('a')
        await waitFor('b to be woken', () => b.heard.length > 0)
        expect(c.heard).toEqual([])
        await granted('b', { mode: 1_000 })
        await waitFor('c to be woken', () => c.heard.length > 0)
        b.stop()
        c.stop()
      })

      it('come when the one in front leaves the line', async () => {
        const { heard, stop } = await hearing('c')
        await granted('a')
        await refused('b')
        await refused('c')
        await release('a')
        expect(heard).toEqual([])
        await leave('b')
        await waitFor('c to be woken', () => heard.length > 0)
        stop()
      })

      it('stop with the listening', async () => {
        const { heard, stop } = await hearing('b')
        stop()
        const again = await hearing('b')
        await granted('a')
        await refused('b')
        await release('a')
        await waitFor('the second to be woken', () => again.heard.length > 0)
        expect(heard).toEqual([])
        again.stop()
      })
    })

    describe('keys', () => {
      const keys = [...ODD_KEYS, 'x'.repeat(1_024), '🔒'.repeat(256), 'mutex', 'mutex-line', 'a:mutex:b']

      it('of any characters are locks of their own, in every kind, and wake-ups name them', async () => {
        const { heard, stop } = await hearing('b')
        const kinds = ['mutex', 'semaphore', 'read-write'] as const
        const all = keys.flatMap((key) => kinds.map((kind): LockName => ({ kind, key })))
        for (lock of all) await granted('a', { mode: 'exclusive' })
        for (lock of all) await refused('b', { mode: 'exclusive' })
        for (lock of all) expect(await release('a', 'a1', 'exclusive'), lock.key).toBe(true)
        await waitFor('all wake-ups', () => heard.length >= all.length)
        expect(heard).toEqual(expect.arrayContaining(all))
        for (lock of all) await granted('b', { mode: 'exclusive' })
        expect(heard).toHaveLength(all.length)
        stop()
      })
    })
  })
}
