import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { SeededRandom } from '../../test/support/seeded-random.js'
import type { VextrusError } from '../kernel/errors.js'
import { MemoryHub } from '../kernel/memory-hub.js'
import { FakeClock } from '../testing/fake-clock.js'
import { LockLostError, LockTimeoutError, LockUnavailableError } from './errors.js'
import { LockEngine } from './lock-engine.js'
import type { AcquireRequest, LockStore } from './lock-store.js'
import { RedisLockService } from './lock.js'
import { MemoryLockStore } from './stores/memory.js'

const KEY = 'lock:invoice-number:t1'

class World {
  readonly clock = new FakeClock()
  readonly store: LockStore
  readonly engine: LockEngine
  readonly locks: RedisLockService

  constructor(faults: Partial<LockStore> = {}) {
    const memory = new MemoryLockStore(new MemoryHub({ clock: this.clock }), 'vextrus:')
    this.store = {
      acquire: (request) => memory.acquire(request),
      extend: (lock, holder, ttlMs) => memory.extend(lock, holder, ttlMs),
      release: (request) => memory.release(request),
      listen: (process, listener) => memory.listen(process, listener),
      ...faults,
    }
    this.engine = new LockEngine(this.store, {}, { clock: this.clock, random: new SeededRandom(1) })
    this.locks = new RedisLockService(this.engine)
  }

  /** What the call is rejected with, once this time has passed. */
  async failure(call: Promise<unknown>, afterMs = 1): Promise<unknown> {
    const error = call.then(
      () => undefined,
      (reason: unknown) => reason,
    )
    await this.clock.advance(afterMs)
    return error
  }
}

const away = async (): Promise<never> => {
  throw new LockUnavailableError('redis-7.internal:6379 gave no answer', { cause: new Error('connection lost') })
}

interface Provoked {
  readonly how: string
  provoke(world: World): Promise<unknown>
  readonly type: abstract new (...args: never[]) => VextrusError
  readonly fields: object
  readonly message: RegExp
}

/** Each way in which docs/errors.md says that an error comes about. */
const PROVOKED: readonly Provoked[] = [
  {
    how: 'a wait that is over',
    async provoke(world) {
      await world.locks.acquire(KEY, 60_000)
      return world.failure(world.locks.acquire(KEY, 1_000, 3_000), 3_000)
    },
    type: LockTimeoutError,
    fields: { code: 'LOCK_TIMEOUT', waitedMs: 3_000 },
    message: /3000 ms; raise maxWaitMs/,
  },
  {
    how: 'a lock that is asked for once, and held',
    async provoke(world) {
      await world.locks.acquire(KEY, 60_000)
      return world.failure(world.locks.acquire(KEY, 1_000, 0))
    },
    type: LockTimeoutError,
    fields: { code: 'LOCK_TIMEOUT', waitedMs: 0 },
    message: /tryAcquire/,
  },
  {
    how: 'a lock whose time is over',
    async provoke(world) {
      const lock = await world.locks.acquire(KEY, 1_000)
      await world.clock.advance(1_000)
      expect(lock.signal.reason).toBeInstanceOf(LockLostError)
      return world.failure(lock.extend())
    },
    type: LockLostError,
    fields: { code: 'LOCK_LOST', reason: 'expired' },
    message: /longer ttlMs, or use withLock/,
  },
  {
    how: 'a lock that the store has lost',
    async provoke(world) {
      const lock = await world.locks.acquire(KEY, 60_000)
      Object.assign(world.store, { extend: async () => false })
      return world.failure(lock.extend())
    },
    type: LockLostError,
    fields: { code: 'LOCK_LOST', reason: 'gone' },
    message: /no longer has it/,
  },
  {
    how: 'a lock that was given back',
    async provoke(world) {
      const lock = await world.locks.acquire(KEY)
      await lock.release()
      return world.failure(Promise.resolve().then(() => lock.assertHeld()))
    },
    type: LockLostError,
    fields: { code: 'LOCK_LOST', reason: 'released' },
    message: /do the work before releasing/,
  },
  {
    how: 'work that took longer than its lock was held',
    async provoke(world) {
      Object.assign(world.store, { extend: away })
      const work = world.locks.withLock(KEY, { ttlMs: 1_000 }, async (lock) => {
        await new Promise((resolve) => lock.signal.addEventListener('abort', resolve))
        throw new Error('half done')
      })
      return world.failure(work, 1_000)
    },
    type: LockLostError,
    fields: { code: 'LOCK_LOST', reason: 'expired', cause: new Error('half done') },
    message: /was lost/,
  },
  {
    how: 'a store that is away',
    async provoke(world) {
      Object.assign(world.store, { acquire: away })
      return world.failure(world.locks.acquire(KEY, 1_000, 2_000), 2_000)
    },
    type: LockUnavailableError,
    fields: { code: 'LOCK_UNAVAILABLE', cause: new Error('connection lost') },
    message: /no answer/,
  },
  {
    how: 'too few replicas',
    async provoke(world) {
      const { acquire } = world.store
      Object.assign(world.store, {
        acquire: async (request: AcquireRequest) => ({ ...(await acquire(request)), replicas: 0 }),
      })
      return world.failure(world.locks.acquire(KEY, 1_000, 0, { replicas: 2 }))
    },
    type: LockUnavailableError,
    fields: { code: 'LOCK_UNAVAILABLE' },
    message: /reached 0 of 2 replicas.*lower `replicas`/,
  },
  {
    how: 'locks that were closed',
    async provoke(world) {
      await world.engine.close()
      return world.failure(world.locks.acquire(KEY))
    },
    type: LockUnavailableError,
    fields: { code: 'LOCK_UNAVAILABLE' },
    message: /were closed; .*stop serving requests/,
  },
]

describe('the errors of locks', () => {
  it.each(PROVOKED)('tell of $how, and of what mends it', async ({ provoke, type, fields, message }) => {
    const error = (await provoke(new World())) as VextrusError
    expect(error).toBeInstanceOf(type)
    expect(error).toMatchObject(fields)
    expect(error.message).toMatch(message)
    expect(error.name).toBe(type.name)
  })

  it('have a row each in the table of errors, with their code', () => {
    const table = readFileSync(new URL('../../../../docs/errors.md', import.meta.url), 'utf8')
    const errors = [new LockTimeoutError('a', 0), new LockLostError('a', 'gone'), new LockUnavailableError('away')]
    for (const { name, code } of errors)
      expect(table).toMatch(new RegExp(`^\\| \`${name}\` +\\| \`${code}\` +\\|`, 'm'))
  })
})
