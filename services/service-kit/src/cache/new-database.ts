import { runGlobal } from '@vextrus/shared/cache'
import type { CacheWrites } from './cache-writes.js'

/** The start on a database that has just been filled. */
export class NewDatabase {
  /** @param ownKeys patterns of everything that the service caches (`ServiceDefinition.ownKeys`) */
  constructor(
    private readonly cacheWrites: CacheWrites,
    private readonly ownKeys: readonly string[],
  ) {}

  /**
   * Redis may still hold rows of a database that is no more: an embedded one, or one that was set up anew. By pattern and not by tag, since
   * nobody knows the tenants of that database; above the tenants, since they are all meant. It reads the names of all keys, once in the life of
   * a database.
   */
  async forgetOldRows(): Promise<void> {
    await runGlobal(() => this.cacheWrites.invalidatePatterns(this.ownKeys))
  }
}
