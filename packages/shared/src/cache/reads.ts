import type { StoredEntry } from './cache-store.js'
import type { EntryReader, Found } from './entry-reader.js'
import type { NearCache } from './near-cache.js'
import type { Statistics } from './statistics.js'
import { UNREADABLE, type Values } from './values.js'

/** What a read came to. */
export interface Read {
  /** {@link UNREADABLE}: there is nothing that this process can read. */
  readonly value: unknown
  readonly found: Found
  /** The valid entry at the key, also when this process can't read it. */
  readonly entry: StoredEntry | null
}

/** Reads through both levels: this process's memory, then the store. */
export class Reads {
  constructor(
    private readonly near: NearCache | null,
    private readonly reader: EntryReader,
    private readonly values: Values,
    private readonly statistics: Statistics,
  ) {}

  /**
   * What is valid at a stored key. What this process can't read is not there, for none of the operations (R5).
   * @param nearMs 0: not by way of L1, nor into it; else for how long L1 keeps what the store has, undefined: as long as others
   * @param counts false: L1 counts neither hit nor miss
   */
  async read(key: string, nearMs: number | undefined, counts = true): Promise<Read> {
    const near = nearMs === 0 ? null : this.near
    if (near !== null) {
      const found = near.has(key) ? await near.find(key, counts) : null
      if (found !== null) return { value: found.near!.value, found, entry: found.entry }
      if (counts) this.statistics.nearMissed()
    }
    const found = await this.reader.read(key, nearMs)
    const { entry } = found
    // Most values are read without a promise, and an await would cost each hit a turn of the queue.
    let value = entry === null ? UNREADABLE : this.values.read(key, entry)
    if (value instanceof Promise) value = (await value) as unknown
    return { value, found: value === UNREADABLE && entry !== null ? { ...found, entry: null } : found, entry }
  }
}
