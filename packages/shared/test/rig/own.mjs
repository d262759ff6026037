import { setTimeout } from 'node:timers/promises'
import { machineMs } from './machine-ms.mjs'

const LOOK_MS = 10
/** Longer than any outage of the race. */
const PATIENCE_MS = 30_000

/**
 * What a process has invalidated itself, and must therefore never be answered any more, not even from its own memory (R17).
 *
 * An invalidation that was rejected as pending (R24) counts: it holds for the process's own reads from then on, and for everybody's once
 * nothing is pending any more.
 */
export class Own {
  /** The newest such version of each key, and since when, in machine ms. @type {Map<string, { version: number, from: number }>} */
  #newest = new Map()

  /** @param {any} cache */
  constructor(cache) {
    this.cache = cache
  }

  /** @param {readonly string[]} keys @param {readonly number[]} versions @param {number} from machine ms at which it was called */
  add(keys, versions, from) {
    keys.forEach((key, i) => {
      if (versions[i] > (this.#newest.get(key)?.version ?? 0)) this.#newest.set(key, { version: versions[i], from })
    })
  }

  /** What a read of this process that begins now has to show of the key. @param {string} key */
  of(key) {
    return this.#newest.get(key)
  }

  /** Resolves when nothing is pending; false: that took too long. */
  async paid() {
    const until = machineMs() + PATIENCE_MS
    while (this.cache.getStatistics().pending > 0) {
      if (machineMs() > until) return false
      await setTimeout(LOOK_MS)
    }
    return true
  }
}
