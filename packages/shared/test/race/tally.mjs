/** What a process has done and seen. Its parent is told again and again, because the process may be killed at any time. */
export class Tally {
  counts = {}
  /** Set to die in the next load. */
  dying = false

  /** @param {(event: object) => void} tell */
  constructor(tell) {
    this.tell = tell
  }

  /** @param {string} what */
  count(what) {
    this.counts[what] = (this.counts[what] ?? 0) + 1
  }

  /** A load begins. */
  loading() {
    this.count('loads')
    if (this.dying) process.kill(process.pid, 'SIGKILL')
  }

  /** @param {object} details */
  violation(details) {
    this.count('violations')
    this.tell({ event: 'violation', details })
  }

  /** @param {object} statistics */
  report(statistics) {
    this.tell({ event: 'counts', counts: { ...this.counts, hits: statistics.hits, misses: statistics.misses } })
  }
}
