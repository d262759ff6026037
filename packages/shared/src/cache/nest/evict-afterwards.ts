import { CacheUnavailableError } from '../errors.js'

/**
 * Evicts after a method has succeeded.
 *
 * The method's work is committed, so its caller has its result even when Redis is away: the eviction is then pending – it is in the replay log,
 * and this process makes it before it reads from Redis again (R24), which the cache says once an outage, and counts. Whatever else goes wrong
 * rejects: an eviction that nobody repeats is never swallowed.
 *
 * All of `evictions` have come to something before this answers.
 *
 * @param onUnavailable `'throw'`: a pending eviction rejects too
 * @throws CacheUnavailableError and whatever else the evictions reject with
 */
export async function evictAfterwards(
  evictions: readonly (() => Promise<unknown>)[],
  onUnavailable: 'throw' | undefined,
): Promise<void> {
  for (const outcome of await Promise.allSettled(evictions.map((evict) => evict()))) {
    if (outcome.status === 'fulfilled') continue
    if (onUnavailable === 'throw' || !isPending(outcome.reason)) throw outcome.reason
  }
}

function isPending(error: unknown): boolean {
  return error instanceof CacheUnavailableError && error.pending
}
