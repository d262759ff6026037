/**
 * When versions of one key were acknowledged, for a stretch of time (machine ms).
 *
 * All that is asked of it is when a version was *overtaken*: a read at `t` that shows `version` is `t - overtakenAt(version)` old, and holds
 * promise P2 when that is less than the `staleness` of its process. The times are true whenever they are read, so a read can be judged after
 * it, against what was acknowledged while nobody could ask: while its process was stopped, or its event loop blocked.
 */
export class History {
  #versions = []
  #times = []
  #last = { version: -1, at: Infinity }

  /** @param {readonly string[]} flat versions and times in turn, by time */
  constructor(flat) {
    let newest = -1
    for (let i = 0; i < flat.length; i += 2) {
      const version = Number(flat[i])
      if (version <= newest) continue
      newest = version
      this.#versions.push(version)
      this.#times.push(Number(flat[i + 1]))
    }
  }

  /** The newest version that was acknowledged. */
  get newest() {
    return this.#versions.at(-1) ?? 0
  }

  /** When a newer version than this was first acknowledged; Infinity: never. @param {number} version */
  overtakenAt(version) {
    // Readers ask for the same version many times in a row.
    if (this.#last.version !== version) {
      const i = this.#versions.findIndex((newer) => newer > version)
      this.#last = { version, at: this.#times[i] ?? Infinity }
    }
    return this.#last.at
  }
}
