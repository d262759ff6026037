import { Ages } from './ages.mjs'

/** What a process has done and seen. Its parent is told again and again, because the process may be killed at any time. */
export class Tally {
  counts = {}
  ages = new Ages()
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

  /** @param {{ hits: number, misses: number, l1?: { hits: number }, stale?: number, errors?: number }} statistics */
  report({ hits, misses, l1, stale = 0, errors = 0 }) {
    const ofCache = { hits, misses, l1Hits: l1?.hits ?? 0, graceHits: stale, errors }
    this.tell({ event: 'counts', counts: { ...this.counts, ...this.ages.counts(), ...ofCache } })
  }
}
