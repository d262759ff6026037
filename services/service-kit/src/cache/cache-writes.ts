import { Injectable } from '@nestjs/common'
import { CacheUnavailableError, RedisCacheService } from '@vextrus/shared/cache'

/** What is to be forgotten. */
export interface CacheTargets {
  readonly keys?: readonly string[]
  readonly tags?: readonly string[]
}

/**
 * A write takes milliseconds, and a process that lives renews it. Short, because a Redis that hung may place a hold after its writer has given
 * up on it: until it ends, what it holds is not cached.
 */
const HOLD = '5s'

/**
 * What a write to the database does to the cache.
 *
 * A committed write is answered as done, whatever the cache says, and a write is not refused because the cache is away. The toolkit rejects in
 * both cases, since other programs want to know; here is what this service makes of it.
 */
@Injectable()
export class CacheWrites {
  constructor(private readonly cache: RedisCacheService) {}

  /**
   * Runs a write with its invalidation around it: a process that dies after the commit leaves misses and no old values.
   *
   * When no hold can be placed – Redis is away, or too many are held – the write goes on with the invalidation after it. What is cached may then
   * outlive the write by its TTL if the process dies before the toolkit could repeat that.
   * @param work is called once
   */
  async around<T>(targets: CacheTargets, work: () => Promise<T>): Promise<T> {
    let begun = false
    try {
      const held = () => {
        begun = true
        return work()
      }
      return await this.cache.invalidateAround(targets, held, { hold: HOLD })
    } catch (error) {
      if (begun || !(error instanceof CacheUnavailableError)) throw error
    }
    try {
      return await work()
    } finally {
      // Also when it throws: a connection that is lost at the commit does not say whether there was one.
      await this.invalidate(targets)
    }
  }

  /** Resolves when nobody can read the old entries any more, or when the toolkit will see to it (`pending`). */
  async invalidate({ keys = [], tags = [] }: CacheTargets): Promise<void> {
    await this.acknowledged([this.cache.delete(keys), this.cache.invalidateByTag(tags)])
  }

  /** {@link invalidate} of the keys that match, where there is no tag to name them by. It reads the names of all keys in Redis. */
  async invalidatePatterns(globs: readonly string[]): Promise<void> {
    await this.acknowledged(globs.map((glob) => this.cache.deleteByPattern(glob)))
  }

  /**
   * The second half of a write-through: forgets `key` unless `stored` is still the version of the row.
   *
   * Versions keep the older of two rows from replacing the newer one that is there. They can't help where nothing is there: the row was deleted,
   * or changed by a statement that invalidates a tag, between this writer's commit and its store; or the end of this writer's own hold has taken
   * away what a later one had stored already. Whoever stored too late comes here afterwards and finds another version in the database, or none. In the milliseconds between, the older row can be read.
   * @param current reads the row's version from the database; undefined when there is no such row
   */
  async confirm(key: string, stored: number, current: () => Promise<number | undefined>): Promise<void> {
    if ((await current()) !== stored) await this.invalidate({ keys: [key] })
  }

  /** Waits for all of them, so that none is left alone when another one fails. */
  private async acknowledged(sent: readonly Promise<unknown>[]): Promise<void> {
    for (const outcome of await Promise.allSettled(sent)) {
      if (outcome.status === 'fulfilled') continue
      if (!(outcome.reason instanceof CacheUnavailableError && outcome.reason.pending)) throw outcome.reason
    }
  }
}
