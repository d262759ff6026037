import { setTimeout } from 'node:timers/promises'
import { StaleWriter } from './ledger.mjs'

/** An operation that takes longer than this will never end. */
const HANGING_MS = 60_000
/** Short, and longer than a clerk needs when nothing happens to it. */
const TTL_MS = [300, 1_500]
const WAIT_MS = 15_000
const MOST_TAKEN = 5
const DELIVERY = 16

/** One of the concurrent users of a process: takes a lock, writes under it with its fence, and tells what became of it. */
export class Clerk {
  #of
  /** Items that have run out, as this clerk has seen it. */
  #lacking = new Set()

  /**
   * @param {object} surroundings
   * @param {(key: { replicas: number }) => any} surroundings.locksFor the locks under test
   * @param {import('./ledger.mjs').Ledger} surroundings.ledger
   * @param {import('./places.mjs').Places} surroundings.places
   * @param {import('./tally.mjs').Tally} surroundings.tally
   * @param {import('../rig/seeded.mjs').Seeded} surroundings.random
   * @param {Record<string, { key: string, replicas: number }[]>} surroundings.keys of each operation
   * @param {string} surroundings.name for reports
   */
  constructor(surroundings) {
    this.#of = surroundings
  }

  /** One of the operations. False: it has not come to an end in time, and the clerk with it. @param {string[]} operations */
  async round(operations) {
    const { random, tally, name } = this.#of
    const operation = random.pick(operations)
    const patience = new AbortController()
    const over = setTimeout(HANGING_MS, true, { signal: patience.signal }).catch(() => false)
    const hangs = await Promise.race([this.#attempt(operation), over])
    patience.abort()
    if (hangs === true) tally.violation({ operation, saw: `no end after ${HANGING_MS} ms`, actor: name })
    return hangs !== true
  }

  async #attempt(operation) {
    const { tally, name } = this.#of
    try {
      await this[operation]()
    } catch (error) {
      if (error instanceof StaleWriter || error.cause instanceof StaleWriter) return
      const what = OUTCOMES[error?.code]
      if (what === undefined) tally.violation({ operation, saw: String(error?.stack ?? error), actor: name })
      else tally.count(what)
    }
  }

  /** The next invoice number of a tenant. */
  numbers() {
    const { random, ledger, tally, keys } = this.#of
    return this.#under([random.pick(keys.numbers)], async ([held]) => {
      const [number] = await this.#write([held], (client) => ledger.nextNumber(client, held))
      ledger.acknowledged(held, number)
      tally.count('numbers')
      await this.#committed(held)
    })
  }

  /** Takes something out of stock, if there is as much; puts some in where there was not. */
  stock() {
    const { random, ledger, tally, keys } = this.#of
    const item = random.pick(keys.stock)
    return this.#under([item], async ([held]) => {
      const there = await this.#refusable([held], ledger.claim('items', held))
      const delivers = this.#lacking.delete(item)
      const quantity = delivers ? DELIVERY : -(1 + random.int(MOST_TAKEN))
      if (there + quantity < 0) {
        this.#lacking.add(item)
        return tally.count('notEnough')
      }
      await this.#write([held], (client) => ledger.moveStock(client, held, quantity))
      tally.count(delivers ? 'deliveries' : 'deductions')
      await this.#committed(held)
    })
  }

  /** Money from one account to another: two postings, under two locks. */
  postings() {
    const { random, ledger, tally, keys } = this.#of
    const accounts = random.some(keys.accounts, 2).toSorted((a, b) => (a.key < b.key ? -1 : 1))
    const amount = (1 + random.int(9_999)) * (random.chance(0.5) ? 1 : -1)
    return this.#under(accounts, async (held) => {
      const balances = await this.#refusable(held, Promise.all(held.map((each) => ledger.claim('accounts', each))))
      await this.#write(held, (client, each) => {
        const i = held.indexOf(each)
        const change = i === 0 ? amount : -amount
        return ledger.post(client, each, change, balances[i] + change)
      })
      tally.count('postings', 2)
      await this.#committed(held[0])
    })
  }

  /** In one transaction that begins with a look whether the locks are still held. Answers what was written under each. */
  async #write(held, work) {
    const { ledger, places, tally } = this.#of
    const writing = ledger.transaction(async (client) => {
      for (const each of held) each.assertHeld()
      if (await places.at('write', held[0])) held[0].wasStopped = true
      const written = []
      for (const each of held) written.push(await work(client, each))
      await places.at('commit', held[0])
      return written
    })
    const written = await this.#refusable(held, writing)
    // It was held at a time if it is still held when it is looked at later.
    for (const [i, each] of held.entries()) {
      if (each.isHeld()) ledger.held(each, written[i].at)
      else tally.count('committedAfterLoss')
    }
    return written.map(({ value }) => value)
  }

  /** Counts what the database refuses. */
  async #refusable(held, writing) {
    const { ledger, tally } = this.#of
    try {
      return await writing
    } catch (error) {
      if (error instanceof StaleWriter) {
        tally.count('refused')
        if (held.some(({ wasStopped }) => wasStopped)) tally.count('refusedAfterStop')
        const now = await ledger.now()
        // One that believes to hold a lock in which somebody else has written: the judge looks at it.
        for (const each of held) if (each.isHeld()) ledger.held(each, now)
      }
      throw error
    }
  }

  async #committed(held) {
    await this.#of.places.at('release', held)
  }

  /** Runs `work` under all of these locks, taken one after the other. */
  async #under(keys, work, held = []) {
    const [next, ...others] = keys
    if (next === undefined) return work(held)
    const { locksFor, ledger, places, tally, random } = this.#of
    const { key, replicas } = next
    const locks = locksFor(next)
    const ttlMs = TTL_MS[0] + random.int(TTL_MS[1] - TTL_MS[0])
    const asked = performance.now()
    const go = async (lock) => {
      tally.count('grants')
      tally.max('wait', performance.now() - asked)
      const holding = new Holding(lock, tally)
      await places.at('holding', holding)
      holding.begins = await ledger.granted(key, lock.fence)
      return this.#under(others, work, [...held, holding])
    }
    places.waits()
    // Half of them are extended while they are held, the others end when their time is over.
    if (random.chance(0.5)) return locks.withLock(key, { ttlMs, waitMs: WAIT_MS, replicas }, go)
    const lock = await locks.acquire(key, ttlMs, WAIT_MS, { replicas })
    try {
      return await go(lock)
    } finally {
      await lock.release()
    }
  }
}

/** A lock that is held. */
class Holding {
  wasStopped = false
  /** The time of the database when it was held already, µs. */
  begins = '0'
  #lock
  #tally

  constructor(lock, tally) {
    this.#lock = lock
    this.#tally = tally
  }

  get key() {
    return this.#lock.key
  }

  get fence() {
    return this.#lock.fence
  }

  /** @throws what the lock throws */
  assertHeld() {
    try {
      this.#lock.assertHeld()
    } catch (error) {
      this.#tally.count('noticed')
      if (!this.#lock.signal.aborted)
        this.#tally.violation({ operation: 'assertHeld', key: this.key, saw: 'a lost lock whose signal has not fired' })
      throw error
    }
  }

  isHeld() {
    try {
      this.#lock.assertHeld()
      return true
    } catch (error) {
      if (error?.code === 'LOCK_LOST') return false
      throw error
    }
  }
}

/** Answers that a caller must expect, by their codes. */
const OUTCOMES = { LOCK_TIMEOUT: 'timeouts', LOCK_UNAVAILABLE: 'unavailable', LOCK_LOST: 'lost' }
