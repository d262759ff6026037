import type { CacheStore, ClockReply, PushSource } from '../../src/cache/cache-store.js'
import { RedisCacheService } from '../../src/cache/cache.js'
import type { CacheOptions } from '../../src/cache/options.js'
import { type MemorySpace, spaceOf } from '../../src/cache/stores/memory-space.js'
import { MemoryHub } from '../../src/kernel/memory-hub.js'
import { MemoryCacheStore } from '../../src/cache/stores/memory.js'
import { FakeClock } from '../../src/testing/fake-clock.js'
import { HeldStore } from './delivery-store.js'
import { settled } from './manual-clock.js'
import { SeededRandom } from './seeded-random.js'

/** Several processes over one memory server, for tests that put messages into an order by hand. */
export class MemoryWorld {
  readonly clock = new FakeClock()
  readonly random = new SeededRandom(1)
  readonly hub = new MemoryHub({ clock: this.clock, random: this.random })
  readonly space: MemorySpace = spaceOf(this.hub, 'vextrus:')

  process({ pushes, ...options }: CacheOptions & { pushes?: PushSource } = {}): TestProcess {
    const store = new HeldStore(new ToldAsOnRedis(this.hub), pushes)
    const cache = new RedisCacheService(
      store,
      { jitter: 0, l1: false, ...options },
      { clock: this.clock, random: this.random },
    )
    return { cache, store }
  }

  /** A process that knows these tags: it has judged an entry that carries them. */
  async knowing(...tags: string[]): Promise<TestProcess> {
    const process = this.process()
    await process.cache.set('known', 1, { tags })
    await process.cache.get('known')
    await idle()
    process.store.sent.length = 0
    return process
  }

  /** Stores an entry as another process would. */
  async stored(key: string, value: unknown, ...tags: string[]): Promise<void> {
    const { cache } = this.process()
    await cache.getOrSet(key, () => value, { tags })
    await cache.close()
  }
}

export interface TestProcess {
  readonly cache: RedisCacheService
  readonly store: HeldStore
}

/** A loader that has been called and answers when the test says so. */
export class HeldLoad<T> {
  calls = 0
  private readonly answers: { resolve(value: T): void; reject(error: unknown): void }[] = []

  readonly load = (): Promise<T> => {
    this.calls++
    return new Promise((resolve, reject) => this.answers.push({ resolve, reject }))
  }

  /** The oldest call that has no answer yet gets this one. */
  answer(value: T): void {
    this.first().resolve(value)
  }

  fail(error: unknown): void {
    this.first().reject(error)
  }

  private first(): { resolve(value: T): void; reject(error: unknown): void } {
    const first = this.answers.shift()
    if (first === undefined) throw new Error('the loader has not been called')
    return first
  }
}

/** Everything that can go on without time and without the test has gone on. */
export async function idle(): Promise<void> {
  for (let round = 0; round < 24; round++) await settled()
}

/** What a promise has come to once everything else is at rest. */
export async function stateOf<T>(promise: Promise<T>): Promise<{ value: T } | { error: unknown } | 'pending'> {
  let state: { value: T } | { error: unknown } | 'pending' = 'pending'
  promise.then(
    (value) => (state = { value }),
    (error: unknown) => (state = { error }),
  )
  await idle()
  return state
}

/** What a promise is rejected with, listened for from now on; undefined when it is not. */
export function rejection(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => undefined,
    (error: unknown) => error,
  )
}

/** The memory store, whose deltas name `#f` only when it lies in the range asked for, as those of Redis do. */
class ToldAsOnRedis extends MemoryCacheStore {
  override async read(...args: Parameters<CacheStore['read']>): ReturnType<CacheStore['read']> {
    const reply = await super.read(...args)
    return { ...reply, clock: inRange(reply.clock, args[1]) }
  }
}

function inRange(clock: ClockReply, since: number | null): ClockReply {
  return since === null || clock.f === null || clock.f >= since ? clock : { ...clock, f: null }
}
