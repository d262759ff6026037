import type { RedisCacheService } from '../cache/cache.js'
import { idFault, runGlobal, type Tenancy } from '../cache/tenancy.js'

/**
 * Clears what was cached for a user whose sessions have ended: `forUser`, and `forTenant(…).forUser` of each tenant of the sessions, and of the one
 * whose turn it is.
 *
 * Always, also where this process has never cached a thing: another one may have. The cache is that of the `forRoot` whose service was called,
 * wherever the sessions live.
 *
 * @param cache undefined: a test has put something in its place, which is let be
 * @param tenants of the sessions; undefined among them: the user has none there, or was logged out of all
 * @throws CacheUnavailableError it is done later
 */
export async function clearUserCaches(
  cache: RedisCacheService | undefined,
  tenancy: Tenancy,
  userId: string,
  tenants: ReadonlySet<string | undefined>,
): Promise<void> {
  // An id that no scope can have is in no key.
  if (cache === undefined || idFault(userId) !== null) return
  const scopes = new Set(tenants)
  if (scopes.has(undefined)) scopes.add(tenancy.current())
  const clears = [...scopes].filter((tenant) => tenant === undefined || idFault(tenant) === null)
  const clear = (tenant: string | undefined): Promise<void> =>
    (tenant === undefined ? cache : cache.forTenant(tenant)).forUser(userId).clear()
  // Who may end the sessions may clear what they have left, also while it is no tenant's turn, or another's.
  await runGlobal(() => Promise.all(clears.map(clear)))
}
