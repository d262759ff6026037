import { globMatcher } from '../../kernel/glob.js'
import { RedisReplyError, RedisUnavailableError } from '../../redis/errors.js'
import type { Keyspace } from '../../redis/keyspace.js'
import { command, scriptCommand } from '../../redis/script.js'
import { SCRIPTS } from '../../redis/scripts.gen.js'
import { scan, ScanWalk } from '../../redis/scan.js'
import type { Layout, Shard, Unit } from '../../redis/topology.js'
import { CacheUnavailableError } from '../errors.js'
import type { RedisUnits } from './redis-units.js'

/** Keys that a server looks at for one SCAN: two to four milliseconds. */
const SCAN_COUNT = 2_500
/** Keys of one UNLINK, and of one script that reads their headers. */
const UNLINK_LIMIT = 500
const RECLAIM_LIMIT = 100
/** How often a pattern is gone through while slots move, before it is given up as unavailable. */
const MOST_ROUNDS = 20

/** What needs a look at every key: deletion by pattern, and giving back what a `clear` has voided. */
export class RedisScans {
  constructor(
    private readonly units: RedisUnits,
    private readonly keyspace: Keyspace,
  ) {}

  /**
   * R12: first the leases, all answered, then the entries; so what is being loaded for a key is refused before the key is looked for. A key
   * that moves between masters while they are scanned may be missed by both scans: then all is done again.
   * @returns how many entries went, and the keys whose load was refused
   * @throws CacheUnavailableError
   */
  async deletePattern(glob: string): Promise<{ readonly removed: number; readonly leased: readonly string[] }> {
    const leased = new Set<string>()
    const matches = globMatcher(glob)
    let removed = 0
    for (let round = 0; round < MOST_ROUNDS; round++) {
      const before = await this.layout()
      await this.eachBatch(this.keyspace.leasesLike(glob), async (found) => {
        const keyOf = (lease: string): string => this.keyspace.keyOfLease(lease) ?? ''
        const leases = found.filter((lease) => matches(keyOf(lease)))
        await this.remove('DEL', leases)
        for (const lease of leases) leased.add(keyOf(lease))
      })
      const gone = await unavailable(
        Promise.all(this.units.topology.shards().map((shard) => this.removeEntries(shard, glob))),
      )
      removed += gone.reduce((sum, count) => sum + count, 0)
      const after = await this.layout()
      if (!before.migrating && !after.migrating && before.slots === after.slots) return { removed, leased: [...leased] }
    }
    throw new CacheUnavailableError(
      `slots kept moving during ${MOST_ROUNDS} scans; delete the pattern again when they rest`,
    )
  }

  /** Entries of earlier generations, and foreign values. A key that is missed lives until its TTL. @throws CacheUnavailableError */
  async reclaim(generation: string): Promise<number> {
    let gone = 0
    const limit = this.units.topology.sharded ? 1 : RECLAIM_LIMIT
    await this.eachBatch(this.keyspace.entriesLike('*'), async (entries) => {
      const answered = await this.units.all(
        chunks(entries, limit).map((keys) => ({
          key: keys[0]!,
          commands: [scriptCommand(SCRIPTS.cacheReclaim, keys, [generation])],
        })),
      )
      for (const { replies } of answered) gone += Number(replies[0])
    })
    return gone
  }

  /** The second pass on one master: each batch goes beside the question for the next one. */
  private async removeEntries(shard: Shard, glob: string): Promise<number> {
    const walk = new ScanWalk(shard, this.keyspace.entriesLike(glob), { count: SCAN_COUNT })
    const limit = this.units.topology.sharded ? 1 : UNLINK_LIMIT
    let removed = 0
    let batch: string[][] = []
    while (!walk.done || batch.length > 0) {
      const unlinks = batch.map((keys) => command('UNLINK', keys))
      const step = walk.done ? { keys: [], ...(await shard.exec(unlinks)) } : await walk.next(unlinks)
      // What was refused, for its slot has moved, goes the way of all keys.
      const refused = batch.filter((_, i) => step.replies[i] instanceof RedisReplyError)
      for (const reply of step.replies) if (typeof reply === 'number') removed += reply
      const later = refused.length > 0 ? await this.remove('UNLINK', refused.flat()) : 0
      removed += later
      batch = chunks(step.keys, limit)
    }
    return removed
  }

  /** Removes stored keys, and answers how many were there. */
  private async remove(name: 'DEL' | 'UNLINK', keys: readonly string[]): Promise<number> {
    const limit = this.units.topology.sharded ? 1 : UNLINK_LIMIT
    const units: Unit[] = chunks(keys, limit).map((some) => ({ key: some[0]!, commands: [command(name, some)] }))
    let removed = 0
    for (const { replies } of await this.units.all(units)) removed += Number(replies[0])
    return removed
  }

  private async eachBatch(glob: string, work: (keys: readonly string[]) => Promise<void>): Promise<void> {
    const walk = async (shard: Shard): Promise<void> => {
      for await (const keys of scan(shard, glob, { count: SCAN_COUNT })) await work(keys)
    }
    await unavailable(Promise.all(this.units.topology.shards().map(walk)))
  }

  private layout(): Promise<Layout> {
    return unavailable(this.units.topology.layout())
  }
}

async function unavailable<T>(work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    if (!(error instanceof RedisUnavailableError || error instanceof RedisReplyError)) throw error
    throw new CacheUnavailableError(error.message, { cause: error })
  }
}

function chunks<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, i) => items.slice(i * size, (i + 1) * size))
}
