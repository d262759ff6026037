import type { MemorySpace } from '../../src/cache/stores/memory-space.js'
import type { SeededRandom } from './seeded-random.js'

/** What a memory server keeps to itself and a real one may lose. */
interface Insides {
  readonly tagClock: { g: number | null; onMoved(): void }
  readonly entries: { keys(): Iterable<string>; delete(key: string): boolean }
  readonly leases: Map<string, unknown>
  changed(key: string): void
}

const insides = (space: MemorySpace): Insides => space as unknown as Insides

/** The tag clock's key is gone, as after an eviction, and with it the holds; whoever listens hears of it. */
export function loseClock(space: MemorySpace): void {
  const { tagClock } = insides(space)
  tagClock.g = null
  tagClock.onMoved()
}

/** One entry is evicted, and Redis tells of it: a later invalidation of the key finds nothing and pushes nothing. */
export function dropEntry(space: MemorySpace, random: SeededRandom): void {
  const inside = insides(space)
  const keys = [...inside.entries.keys()]
  if (keys.length === 0) return
  const key = random.pick(keys)
  inside.entries.delete(key)
  inside.changed(key)
}

/** One lease is evicted. */
export function dropLease(space: MemorySpace, random: SeededRandom): void {
  const { leases } = insides(space)
  if (leases.size > 0) leases.delete(random.pick([...leases.keys()]))
}
