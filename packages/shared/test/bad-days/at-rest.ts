import { KEYS, type Row, TTL_S, tagsOf } from './catalogue.js'
import type { Fleet } from './fleet.js'
import type { ModelDatabase } from './model.js'

/** Where a cache answers anything but what the database holds, or nothing, by whichever way of reading; nobody may be writing. */
export async function differences({ members }: Fleet, database: ModelDatabase): Promise<string[]> {
  const found: string[] = []
  for (const { name, cache } of members) {
    const many = await cache.getMany<Row>(KEYS)
    for (const [i, key] of KEYS.entries()) {
      const version = database.version(key)
      const answers = {
        getMany: many[i]!,
        get: await cache.get<Row>(key),
        getOrSet: await cache.getOrSet(key, () => ({ key, version }), { ttl: TTL_S, tags: tagsOf(key) }),
        afterwards: await cache.get<Row>(key),
      }
      for (const [operation, row] of Object.entries(answers)) {
        if (row?.version === version || (row === null && operation !== 'getOrSet')) continue
        found.push(`at rest: ${name} ${operation} ${key}: ${row?.version}, the database holds ${version}`)
      }
    }
  }
  return found
}
