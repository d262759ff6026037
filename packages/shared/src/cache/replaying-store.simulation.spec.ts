import { describe, expect, it } from 'vitest'
import { SeededRandom } from '../../test/support/seeded-random.js'
import { FakeClock } from '../testing/fake-clock.js'
import type { CacheStore, HeldLease, NewEntry } from './cache-store.js'
import { CacheUnavailableError } from './errors.js'
import { ReplayingStore } from './replaying-store.js'
import { MemoryHub } from '../kernel/memory-hub.js'
import { MemoryCacheStore } from './stores/memory.js'

/**
 * R24 by chance: a process whose store comes and goes, beside another whose store never does, on one memory server. The values are versions
 * of a database that only grow. Whatever the process has invalidated – acknowledged or not – it never reads again from the store itself; what
 * was acknowledged, or has been repeated, nobody reads again.
 */
const KEYS = ['a', 'b', 'c']
const STEPS = 400

/** Fails while `isAway`, by turns before and after the operation has happened. */
function unreliable(inner: CacheStore, random: SeededRandom, isAway: () => boolean): CacheStore {
  return new Proxy(inner, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name)
      if (typeof member !== 'function') return member
      return async (...args: unknown[]): Promise<unknown> => {
        const lost = isAway()
        if (lost && random.chance(0.5)) throw new CacheUnavailableError('away: not sent')
        const answer: unknown = await Reflect.apply(member, target, args)
        if (lost) throw new CacheUnavailableError('away: answer lost')
        return answer
      }
    },
  })
}

interface Load extends HeldLease {
  readonly through: CacheStore
  readonly version: number
  readonly g: string
  readonly s: number
}

async function run(seed: number): Promise<{ staleOwn: number; staleOthers: number; hits: number; owed: number }> {
  const random = new SeededRandom(seed)
  const clock = new FakeClock()
  const hub = new MemoryHub({ clock, random: new SeededRandom(seed + 1) })
  const server = new MemoryCacheStore(hub)
  let away = false
  const own = new ReplayingStore(
    unreliable(server, random, () => away),
    { clock, random, logger: { warn: () => undefined } },
    { limit: random.chance(0.2) ? 2 : 10_000 },
  )
  const database = new Map(KEYS.map((key) => [key, 1]))
  /** Oldest version that the process itself, and that everybody, may still read. */
  const ownFloor = new Map<string, number>()
  const everybodysFloor = new Map<string, number>()
  const loads: Load[] = []
  const seen = { staleOwn: 0, staleOthers: 0, hits: 0, owed: 0 }
  const tried = <T>(call: Promise<T>): Promise<T | null> =>
    call.catch((error: unknown) => {
      if (error instanceof CacheUnavailableError) return null
      throw error
    })
  /** Once nothing is owed any more, all that the process ever invalidated is in effect for everybody. */
  const settleFloors = (): void => {
    if (own.pending > 0) return
    for (const [key, version] of ownFloor) everybodysFloor.set(key, version)
  }
  const read = async (store: CacheStore, key: string): Promise<number | null> => {
    const reply = await tried(store.read([key], null))
    const marks = await tried(server.tags([key]))
    const entry = reply?.entries[0] ?? null
    // R5, as the engine judges: the generation, and the tag of the key's own name.
    if (entry === null || entry.g !== reply!.clock.g || (marks!.seqs[0] ?? 0) > entry.s) return null
    seen.hits++
    return Number(entry.payload)
  }
  const entryOf = (key: string, version: number, g: string, s: number): NewEntry => ({
    key,
    g,
    s,
    ttlMs: 600_000,
    graceMs: 0,
    deltaMs: 0,
    codec: 'j',
    tags: [key],
    version: null,
    payload: String(version),
  })

  for (let step = 0; step < STEPS; step++) {
    const key = random.pick(KEYS)
    const through = random.chance(0.5) ? own : server
    switch (random.int(12)) {
      case 0:
        away = random.chance(0.5)
        break
      case 1:
        await clock.advance(1 + random.int(300))
        settleFloors()
        break
      case 2: {
        const version = database.get(key)! + 1
        database.set(key, version)
        const how = random.int(4)
        const done = await tried<unknown>(
          how === 0 ? own.bumpTags([key], 100) : how === 1 ? own.deletePattern(key) : own.delete([key]),
        )
        if (done === null) seen.owed++
        ownFloor.set(key, version)
        if (done !== null) everybodysFloor.set(key, version)
        settleFloors()
        break
      }
      case 3:
      case 4: {
        const clockNow = await server.createClock()
        const grant = await tried(through.acquire([{ key, token: random.token(), ttlMs: 1_000 }], null))
        settleFloors()
        const lease = grant?.leases[0]
        if (lease?.granted !== true) break
        const { g, s } = through === own ? { g: grant!.clock.g!, s: grant!.clock.s! } : { ...clockNow, g: clockNow.g! }
        loads.push({ key, value: lease.value, through, version: database.get(key)!, g, s })
        break
      }
      case 5:
      case 6: {
        const load = loads.splice(random.int(Math.max(1, loads.length)), 1)[0]
        if (load === undefined) break
        const entry = entryOf(load.key, load.version, load.g, load.s)
        await tried(load.through.fill([{ key: load.key, value: load.value, entry, e: 'inmemory' }], []))
        settleFloors()
        break
      }
      default: {
        const version = await read(through, key)
        settleFloors()
        if (version === null) break
        if (through === own && version < (ownFloor.get(key) ?? 0)) seen.staleOwn++
        if (version < (everybodysFloor.get(key) ?? 0)) seen.staleOthers++
      }
    }
  }
  return seen
}

describe('ReplayingStore under a store that comes and goes (R24)', () => {
  it('never reads again what it has invalidated, and nobody does once that was repeated', async () => {
    const total = { staleOwn: 0, staleOthers: 0, hits: 0, owed: 0 }
    for (let seed = 1; seed <= 60; seed++) {
      const seen = await run(seed)
      expect(seen, `seed ${seed}`).toMatchObject({ staleOwn: 0, staleOthers: 0 })
      total.hits += seen.hits
      total.owed += seen.owed
    }
    // It says something only while entries are found and invalidations fail.
    expect(total.hits).toBeGreaterThan(1_000)
    expect(total.owed).toBeGreaterThan(500)
  })
})
