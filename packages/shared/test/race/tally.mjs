/** What a process has done and seen. Its parent is told again and again, because the process may be killed at any time. */
export class Tally {
  counts = {}
  /** Set to die: in the next load, or after the next commit under a hold. @type {'' | 'load' | 'hold'} */
  dying = ''

  /** @param {(event: object) => void} tell */
  constructor(tell) {
    this.tell = tell
  }

  /** @param {string} what */
  count(what) {
    this.counts[what] = (this.counts[what] ?? 0) + 1
  }

  /** Here it dies, if that was asked of it. @param {'load' | 'hold'} place */
  at(place) {
    if (this.dying === place) process.kill(process.pid, 'SIGKILL')
  }

  /** @param {object} details */
  violation(details) {
    this.tell({ event: 'violation', details })
  }

  /** @param {{ hits: number, misses: number, stale?: number, errors?: number }} statistics */
  report({ hits, misses, stale = 0, errors = 0 }) {
    this.tell({ event: 'counts', counts: { ...this.counts, hits, misses, graceHits: stale, errors } })
  }
}
