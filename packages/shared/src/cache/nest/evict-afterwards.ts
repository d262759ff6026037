import { Logger } from '@nestjs/common'
import type { RedisCacheService } from '../cache.js'
import { CacheUnavailableError } from '../errors.js'

/**
 * Evicts after a method has succeeded.
 *
 * The method's work is committed, so its caller has its result even when Redis is away: the eviction is then pending – it is in the replay log,
 * and this process makes it before it reads from Redis again (R24) – and that is said once an outage. Whatever else goes wrong rejects: an
 * eviction that nobody repeats is never swallowed.
 *
 * All of `evictions` have come to something before this answers.
 *
 * @param decorator its name for the log @param onUnavailable `'throw'`: a pending eviction rejects too
 * @throws CacheUnavailableError and whatever else the evictions reject with
 */
export async function evictAfterwards(
  cache: RedisCacheService,
  decorator: string,
  evictions: readonly (() => Promise<unknown>)[],
  onUnavailable: 'throw' | undefined,
): Promise<void> {
  const errors = await failuresOf(evictions)
  const unforgiven = errors.find((error) => onUnavailable === 'throw' || !isPending(error))
  if (unforgiven !== undefined) throw unforgiven.error
  if (errors.length > 0) sayOnce(cache, decorator)
  else if (evictions.length > 0) outages.delete(cache)
}

interface Failure {
  readonly error: unknown
}

async function failuresOf(evictions: readonly (() => Promise<unknown>)[]): Promise<Failure[]> {
  const outcomes = await Promise.allSettled(evictions.map((evict) => evict()))
  return outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [{ error: outcome.reason as unknown }] : []))
}

function isPending({ error }: Failure): boolean {
  return error instanceof CacheUnavailableError && error.pending
}

/** Caches whose last eviction is pending. */
const outages = new WeakSet<RedisCacheService>()

function sayOnce(cache: RedisCacheService, decorator: string): void {
  if (outages.has(cache)) return
  outages.add(cache)
  new Logger('RedisCacheModule').warn(
    `Redis is away: evictions of ${decorator} are pending and are made when it answers; until then other processes may read what should be gone`,
  )
}
