import { setTimeout } from 'node:timers/promises'
import { machineMs } from './machine-ms.mjs'

/** In one go, so that a process is most often stopped in the middle of one: its next reads then come before anything that it could hear. */
const SLICE = 200
const PAUSE_MS = 10

/**
 * Reads one key all the time, until {@link Follower.stop}, and tells what it saw.
 *
 * @typedef {object} Run reads in a row that saw the same
 * @property {'l1' | 'l2'} level
 * @property {number | null} version null: a miss
 * @property {number} reads
 * @property {number} last when the last one began, machine ms
 */
export class Follower {
  /** @type {Run[]} */
  #runs = []
  #stopped = false
  #blockMs = 0

  /** @param {any} cache @param {string} key */
  constructor(cache, key) {
    this.cache = cache
    this.key = key
  }

  /** @returns {Promise<Run[]>} */
  async follow() {
    while (!this.#stopped) {
      for (let i = 0; i < SLICE; i++) await this.#look()
      if (this.#blockMs > 0) await this.#block()
      await setTimeout(PAUSE_MS)
    }
    return this.#runs
  }

  /** Its event loop does nothing else for so long, and reads at once. @param {number} ms */
  block(ms) {
    this.#blockMs = ms
  }

  /** The last reads in a row that were answered from memory. */
  get lastFromMemory() {
    return this.#runs.findLast(({ level, version }) => level === 'l1' && version !== null)
  }

  stop() {
    this.#stopped = true
  }

  async #block() {
    const until = performance.now() + this.#blockMs
    this.#blockMs = 0
    while (performance.now() < until);
    await Promise.all(Array.from({ length: SLICE }, () => this.#look()))
  }

  async #look() {
    const at = machineMs()
    const { value, level } = await this.cache.lookup(this.key)
    const version = value?.version ?? null
    const run = this.#runs.at(-1)
    if (run?.level !== level || run.version !== version) this.#runs.push({ level, version, reads: 1, last: at })
    else {
      run.reads++
      run.last = at
    }
  }
}
