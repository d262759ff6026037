/** What a process has done and seen. Its parent is told again and again, because the process may be killed at any time. */
export class Tally {
  counts = {}

  /** @param {(event: object) => void} tell */
  constructor(tell) {
    this.tell = tell
  }

  /** @param {string} what */
  count(what, by = 1) {
    this.counts[what] = (this.counts[what] ?? 0) + by
  }

  /** @param {string} what @param {number} value */
  max(what, value) {
    const name = `max ${what}`
    this.counts[name] = Math.max(this.counts[name] ?? 0, Math.round(value))
  }

  /** @param {object} details */
  violation(details) {
    this.tell({ event: 'violation', details })
  }

  report() {
    this.tell({ event: 'counts', counts: this.counts })
  }
}
