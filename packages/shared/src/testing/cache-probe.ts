import { AssertionError, deepStrictEqual } from 'node:assert'
import type { RedisCacheService } from '../cache/cache.js'
import type { Lookup } from '../cache/public-types.js'
import { type Ttl, ttlToMs } from '../kernel/duration.js'
import type { RecordingStore } from './recording-store.js'
import { settle } from './settle.js'

/** What an entry is expected to be. Every field also accepts undefined, which means that it does not matter. */
export interface ExpectedEntry<T = unknown> {
  /** Deeply equal, types included. */
  readonly value?: T | undefined
  /** What is left of its lifetime: seconds or a string such as `'5m'`; up to a second less is fine. */
  readonly ttl?: Ttl | undefined
  /** Exactly these, in any order. */
  readonly tags?: readonly string[] | undefined
}

/**
 * Looks at an application's cache from outside, as another process would, once what is under way has come to rest. Its looks are in no
 * statistics and load nothing.
 *
 * What it finds wrong it throws as an `AssertionError` of Node, which every test framework shows well.
 *
 * @example
 * ```ts
 * const probe = app.get(CacheProbe)
 * await service.getProduct('t1', '42')
 * await probe.expectHit('product:t1:42', { ttl: 300, tags: ['tenant:t1'] })
 * await service.updateProduct(product)
 * await probe.expectEvicted('product:t1:42')
 * ```
 */
export class CacheProbe {
  /** Made by `RedisCacheTestingModule`. @param cache a second one on the same store */
  constructor(
    private readonly cache: RedisCacheService,
    private readonly store: RecordingStore,
  ) {}

  /**
   * The next read of `key` will be a hit; answers the value.
   * @throws AssertionError it would be a miss, or another entry than expected
   */
  async expectHit<T = unknown>(key: string, expected: ExpectedEntry<T> = {}): Promise<T> {
    const found = await this.look<T>(key)
    if (!found.hit) fail(`expected a hit of '${key}', but ${this.whyGone(key)}`, 'hit', 'miss', this.expectHit)
    if (expected.value !== undefined) deepStrictEqual(found.value, expected.value)
    if (expected.ttl !== undefined) this.expectTtl(key, found, expected.ttl)
    if (expected.tags !== undefined) deepStrictEqual([...found.tags].sort(), [...expected.tags].sort())
    return found.value as T
  }

  /** The next read of `key` will be a miss, for whatever reason. @throws AssertionError it would be a hit */
  async expectMiss(key: string): Promise<void> {
    const { hit, ttlMs } = await this.look(key)
    if (hit) fail(`expected a miss of '${key}', but ${left(ttlMs)}`, 'miss', 'hit', this.expectMiss)
  }

  /**
   * `key` was cached, its lifetime is not over, and still the next read will be a miss: somebody deleted, invalidated or cleared it.
   * @throws AssertionError it is there, has expired, or was never cached by this application
   */
  async expectEvicted(key: string): Promise<void> {
    const { hit, ttlMs } = await this.look(key)
    if (hit) fail(`expected '${key}' to be evicted, but ${left(ttlMs)}`, 'evicted', 'hit', this.expectEvicted)
    const endedMsAgo = this.store.endedMsAgo(key)
    if (endedMsAgo === undefined || endedMsAgo >= 0) {
      const actual = endedMsAgo === undefined ? 'never cached' : 'expired'
      fail(`expected '${key}' to be evicted, but ${this.whyGone(key)}`, 'evicted', actual, this.expectEvicted)
    }
  }

  private async look<T>(key: string): Promise<Lookup<T>> {
    await settle()
    return this.cache.lookup<T>(key)
  }

  private expectTtl(key: string, { ttlMs }: Lookup<unknown>, ttl: Ttl): void {
    const wantedMs = ttlToMs(ttl, 'ttl')
    const leftMs = ttlMs ?? 0
    if (leftMs > wantedMs || leftMs <= wantedMs - TOLERANCE_MS) {
      fail(`expected '${key}' to live for ${wantedMs / 1_000} s, but ${left(leftMs)}`, wantedMs, leftMs, this.expectHit)
    }
  }

  private whyGone(key: string): string {
    const endedMsAgo = this.store.endedMsAgo(key)
    if (endedMsAgo === undefined) return 'it was never cached'
    return endedMsAgo < 0 ? 'it was evicted' : `it expired ${endedMsAgo / 1_000} s ago`
  }
}

const TOLERANCE_MS = 1_000

function left(ttlMs: number | null): string {
  return `it is cached, for ${(ttlMs ?? 0) / 1_000} s more`
}

// oxlint-disable-next-line typescript/no-unsafe-function-type -- as node:assert has it
function fail(message: string, expected: unknown, actual: unknown, stackStartFn: Function): never {
  throw new AssertionError({ message, expected, actual, operator: 'probe', stackStartFn })
}
