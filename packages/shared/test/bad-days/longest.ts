import { LEASE_MS } from '../../src/cache/lease-upkeep.js'
import { COMMAND_TIMEOUT_MS } from './fleet.js'

/** How long a read waits for the invalidations that go before it: `patienceMs` of the replaying store. */
const PATIENCE_MS = 500
/** The loader's own time, timers that fire late, and the way of the answers: nothing that grows with an outage. */
const OWN_MS = 150

const commands = (most: number): number => most * COMMAND_TIMEOUT_MS + OWN_MS

/**
 * The longest that each operation may take, ms: the deadlines that it can meet one after the other when no answer comes, and what it waits
 * for by design. In an outage the circuit opens after three of them, so nearly always it is one.
 */
export const LONGEST = {
  // The repeated invalidations; the clock's move to another master, the entry, its tags.
  get: PATIENCE_MS + commands(3),
  getMany: PATIENCE_MS + commands(3),
  // The leases of two other processes, each to its end when its release was lost (R10), and a read.
  getOrSet: 2 * LEASE_MS + PATIENCE_MS + commands(3),
  getOrSetMany: 2 * LEASE_MS + PATIENCE_MS + commands(3),
  // Lease and entry in one; the signal for waiters.
  delete: commands(2),
  invalidateByTag: commands(1),
  // Two scans, each a SCAN and what it removes; the signal.
  deleteByPattern: commands(5),
  // The generation, twice where the script was unknown; the marker.
  clear: commands(3),
  // To place: the members, twice where there was no clock, the keys and their signal, the tags. To end: the keys and their signal, the tags.
  invalidateAround: commands(8),
  // The clock, moved and made; the write, and once more.
  set: commands(4),
} as const satisfies Record<string, number>
