import { Injectable } from '@nestjs/common'
import { runGlobal } from '@vextrus/shared/cache'
import { CacheWrites } from './cache-writes.js'

/**
 * What this service caches, of all tenants: every pattern begins with a first segment of its own keys, so that no other service which shares the
 * key prefix loses anything.
 */
const OWN_KEYS = [
  'product:*',
  'product-summary:*',
  'products:*',
  'customer:*',
  'customers:*',
  'categories:*',
  'suppliers:*',
  'report:stock-value:*',
  'countries:*',
  'country:*',
  'currencies:*',
  'tax-codes:*',
]

/** The start on a database that has just been filled. */
@Injectable()
export class NewDatabase {
  constructor(private readonly cacheWrites: CacheWrites) {}

  /**
   * Redis may still hold rows of a database that is no more: an embedded one, or one that was set up anew. By pattern and not by tag, since
   * nobody knows the tenants of that database; above the tenants, since they are all meant. It reads the names of all keys, once in the life of
   * a database.
   */
  async forgetOldRows(): Promise<void> {
    await runGlobal(() => this.cacheWrites.invalidatePatterns(OWN_KEYS))
  }
}
