/**
 * The places of an operation at which a process may be made to kill or stop itself: from outside none of them can be hit for certain.
 *
 * - `waiting`: it stands in the line of a lock
 * - `holding`: it has just got one
 * - `write`: it holds the lock, has looked that it does, and is about to write
 * - `commit`: it has written and is about to commit
 * - `release`: it has committed and is about to give the lock back
 */
export class Places {
  /** @type {{ what: 'kill' | 'stop', place: string } | undefined} */
  #armed

  /** At the next operation that comes there. @param {{ what: 'kill' | 'stop', place: string }} deed */
  arm(deed) {
    this.#armed = deed
  }

  /** Answers whether it was stopped here. @param {string} place @param {{ key: string, fence: bigint }} held */
  async at(place, { key, fence }) {
    const deed = this.#armed
    if (deed?.place !== place) return false
    this.#armed = undefined
    if (deed.what === 'kill') process.kill(process.pid, 'SIGKILL')
    // The parent lets it go on: so it must know before.
    await new Promise((sent) =>
      process.send({ event: 'stopping', where: { place, key, fence: String(fence) } }, () => sent(undefined)),
    )
    process.kill(process.pid, 'SIGSTOP')
    return true
  }

  /** About to stand in a line. */
  waits() {
    if (this.#armed?.place === 'waiting') setTimeout(() => process.kill(process.pid, 'SIGKILL'), WAITING_MS)
  }
}

/** The place in the line is taken by then, and nobody lets go so soon that it is always over. */
const WAITING_MS = 15
