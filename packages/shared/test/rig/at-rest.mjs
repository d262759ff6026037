import { PAGE_OF_QUIET, sourcesOf, tagsOf, VERSIONED } from './catalogue.mjs'
import { machineMs } from './machine-ms.mjs'
import { TTL_S } from './origin.mjs'
import { READABLE } from './reader.mjs'

/** At rest: finishes for its writer what a killed one has begun, so that every version is an acknowledged one. */
export async function settle({ cache, database }) {
  const versions = await database.versions(VERSIONED)
  const { versions: acknowledged } = await database.acknowledged(VERSIONED)
  const isOpen = (_, i) => acknowledged[i] < versions[i]
  const open = VERSIONED.filter(isOpen)
  if (open.length === 0) return 0
  const from = machineMs()
  await cache.delete(open)
  await cache.delete(PAGE_OF_QUIET)
  const tags = [...new Set(open.flatMap(tagsOf))]
  if (tags.length > 0) await cache.invalidateByTag(tags)
  await database.acknowledge(open, versions.filter(isOpen), from)
  return open.length
}

/** At rest: every way of reading answers what the database holds, or nothing. */
export async function verify({ cache, database, tally, name }) {
  const versions = new Map((await database.versions(VERSIONED)).map((version, i) => [VERSIONED[i], version]))
  const current = (key) => Object.fromEntries(sourcesOf(key).map((source) => [source, versions.get(source)]))
  const many = await cache.getMany(READABLE)
  for (const [i, key] of READABLE.entries()) {
    const load = () => ({ key, versions: current(key) })
    const answers = {
      getMany: many[i],
      get: await cache.get(key),
      getOrSet: await cache.getOrSet(key, load, { ttl: TTL_S, tags: tagsOf(key) }),
      afterwards: await cache.get(key),
    }
    for (const [operation, value] of Object.entries(answers)) {
      tally.count('atRest')
      const expected = current(key)
      const missing = value === null && operation !== 'getOrSet'
      const stale = sourcesOf(key).filter((source) => value?.versions[source] !== expected[source])
      if (missing || stale.length === 0) continue
      const spans = (source) => database.acknowledgements(source, value?.versions[source] ?? 0, expected[source])
      tally.violation({
        operation: `at rest: ${operation}`,
        key,
        saw: JSON.stringify(value?.versions ?? null),
        demanded: JSON.stringify(expected),
        actor: name,
        acknowledged: await Promise.all(stale.map(spans)),
      })
    }
  }
}
