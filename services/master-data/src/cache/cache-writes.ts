import { Injectable, Logger, type OnModuleDestroy } from '@nestjs/common'
import { CacheUnavailableError, RedisCacheService } from '@vextrus/shared/cache'

/** What is to be forgotten. */
export interface CacheTargets {
  readonly keys?: readonly string[]
  readonly tags?: readonly string[]
  /** All that is cached, of every service that shares the key prefix. */
  readonly everything?: boolean
}

const RETRY_MS = 250

/**
 * What a write does to the cache after its transaction has committed.
 *
 * A committed write is answered as done, whatever the cache says: an invalidation that Redis did not acknowledge is kept and sent again until
 * it is. Until then reads mostly come from the database, because the cache that could not be told can't be asked either; a reader whose
 * connection comes back first may see the old entry for one retry interval. What is kept is lost with the process; the entry's TTL ends it then.
 */
@Injectable()
export class CacheWrites implements OnModuleDestroy {
  private readonly logger = new Logger(CacheWrites.name)
  private readonly pendingKeys = new Set<string>()
  private readonly pendingTags = new Set<string>()
  private everythingPending = false
  private timer: NodeJS.Timeout | undefined
  /** Whether it has been said that invalidations are pending. */
  private warned = false

  constructor(private readonly cache: RedisCacheService) {}

  /** Resolves when nobody can read the old entries any more, or when the invalidation is pending. */
  async invalidate({ keys = [], tags = [], everything = false }: CacheTargets): Promise<void> {
    const sent = await Promise.allSettled([
      keys.length === 0 ? undefined : this.cache.delete([...keys]),
      tags.length === 0 ? undefined : this.cache.invalidateByTag([...tags]),
      everything ? this.cache.clear() : undefined,
    ])
    const [deleted, invalidated, cleared] = sent
    for (const outcome of sent) {
      if (outcome.status === 'rejected' && !(outcome.reason instanceof CacheUnavailableError)) throw outcome.reason
    }
    if (deleted.status === 'rejected') keys.forEach((key) => this.pendingKeys.add(key))
    if (invalidated.status === 'rejected') tags.forEach((tag) => this.pendingTags.add(tag))
    if (cleared.status === 'rejected') this.everythingPending = true
    if (sent.some(({ status }) => status === 'rejected')) this.retryLater()
  }

  /**
   * The second half of a write-through: forgets `key` unless it holds the row as the database has it now.
   *
   * Two writers of one row may store in another order than they committed in, and a store that fails is not heard of. Whoever stored the older
   * row comes here afterwards, sees the newer version in the database (it was committed before the other one stored it) and deletes the key. In
   * the milliseconds between, the older row can be read.
   * @param currentVersion reads the row's version from the database; undefined when there is no such row
   */
  async confirm(key: string, currentVersion: () => Promise<number | undefined>): Promise<void> {
    const cached = await this.cache.get<{ version: number }>(key)
    if (cached?.version !== (await currentVersion())) await this.invalidate({ keys: [key] })
  }

  onModuleDestroy(): void {
    clearTimeout(this.timer)
  }

  private retryLater(): void {
    if (this.timer !== undefined) return
    if (!this.warned) this.logger.warn('The cache gave no answer to an invalidation; it is sent again until it does')
    this.warned = true
    this.timer = setTimeout(() => void this.retry(), RETRY_MS)
    this.timer.unref()
  }

  private async retry(): Promise<void> {
    this.timer = undefined
    const pending = { keys: [...this.pendingKeys], tags: [...this.pendingTags], everything: this.everythingPending }
    this.pendingKeys.clear()
    this.pendingTags.clear()
    this.everythingPending = false
    await this.invalidate(pending)
    if (this.timer === undefined) this.warned = false
  }
}
