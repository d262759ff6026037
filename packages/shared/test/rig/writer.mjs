import { setTimeout } from 'node:timers/promises'
import { FAMILIES, PAGE_OF_QUIET, partsOf, PATTERNS, tagged, tagsOf } from './catalogue.mjs'
import { machineMs } from './machine-ms.mjs'
import { TTL_S } from './origin.mjs'

/** An invalidation that was refused may not have happened: its writer calls again, for this long at most. */
const PATIENCE_MS = 10_000
const ATTEMPT_MS = 25

/**
 * Writes in every way: it commits versions, invalidates, and raises the acknowledged versions once its call has *resolved*.
 *
 * A version that was committed under a hold counts as acknowledged from its commit on, so that its writer may be killed right after it.
 */
export class Writer {
  /** @param {any} surroundings those of an actor, and its `origin` */
  constructor({ cache, database, random, tally, own, origin }) {
    Object.assign(this, { cache, database, random, tally, own, origin })
  }

  async round() {
    const operation = this.random.weighted(WRITES)
    await this[operation]()
    this.tally.count(operation)
  }

  async deletePlain() {
    const keys = this.random.some(FAMILIES.plain, 1 + this.random.int(2))
    await this.#commitThen(keys, () => this.cache.delete(keys.length === 1 ? keys[0] : keys))
  }

  async deleteQuiet() {
    const key = this.random.pick(FAMILIES.quiet)
    const versions = await this.database.commit([key])
    const from = machineMs()
    // In this order, as everybody has to: a page that is loaded in between shows the new part already. And each until it is done: what is
    // pending of the one says nothing of the other.
    for (const each of partsOf(PAGE_OF_QUIET).includes(key) ? [key, PAGE_OF_QUIET] : [key]) {
      if ((await this.#persistently(() => this.cache.delete(each))) === undefined) return
    }
    await this.#acknowledge([key], versions, from)
  }

  async deleteTagged() {
    const key = this.random.pick(FAMILIES.tagged)
    await this.#commitThen([key], () => this.cache.delete(key))
  }

  async deletePattern() {
    const { glob, keys } = this.random.pick(PATTERNS)
    await this.#commitThen(keys, () => this.cache.deleteByPattern(glob))
  }

  /** One of several tags: the others of the entry have not moved. */
  async invalidateOne() {
    const key = this.random.pick([...FAMILIES.tagged, ...FAMILIES.part])
    await this.#commitThen([key], () => this.cache.invalidateByTag(this.random.pick(tagsOf(key))))
  }

  /** All keys that carry the tag are written, then the tag is invalidated once. */
  async invalidateBulk() {
    const { tag, keys } = this.random.pick(tagged(this.random.pick(['tagged', 'part'])))
    const another = this.random.chance(0.3) ? ['nobody:carries-this'] : []
    await this.#commitThen(keys, () => this.cache.invalidateByTag([...another, tag]))
  }

  async clear() {
    const keys = [...FAMILIES.plain, ...FAMILIES.tagged, ...FAMILIES.part]
    await this.database.clearing(async () => {
      await this.#commitThen(keys, () => this.cache.clear())
      // One that was given up may still be repeated.
      await this.own.paid()
    })
  }

  /** By keys, by a tag, or by both. */
  async invalidateAround() {
    const { random } = this
    const byTag = random.chance(0.6) ? random.pick(tagged(random.pick(['tagged', 'part']))) : undefined
    const named = byTag !== undefined && random.chance(0.7) ? [] : random.some(HELD_BY_KEY, 1 + random.int(2))
    const keys = [...new Set([...named, ...(byTag?.keys ?? [])])]
    const targets = { keys: named, tags: byTag === undefined ? [] : [byTag.tag] }
    const until = performance.now() + PATIENCE_MS
    do {
      if (await this.#around(targets, keys)) return
      await setTimeout(ATTEMPT_MS)
    } while (performance.now() < until)
    this.tally.count('abandoned')
  }

  /** Write-through, one writer of the key at a time: without a version two of them would be last-one-wins. */
  async writeThrough() {
    const key = this.random.pick(FAMILIES.through)
    const tags = tagsOf(key)
    const ran = await this.database.alone(key, async () => {
      const [version] = await this.database.commit([key])
      await this.origin.latency()
      const value = this.origin.value(key, { [key]: version })
      const options = { ttl: TTL_S, tags, onUnavailable: 'throw' }
      const how = this.random.weighted([
        [2, () => this.cache.set(key, value, options)],
        [2, () => this.cache.set(key, value, { ...options, version })],
        [2, () => this.cache.setMany([{ key, value, tags }], { ttl: TTL_S, onUnavailable: 'throw' })],
        [2, () => this.cache.delete(key)],
        [2, () => this.cache.invalidateByTag(`through:${key.split(':')[1]}`)],
      ])
      const from = machineMs()
      if ((await this.#tried(how)) || (await this.#persistently(() => this.cache.delete(key))) !== undefined) {
        await this.#acknowledge([key], [version], from)
      }
    })
    if (!ran) this.tally.count('lockedOut')
  }

  /**
   * Two `set`s with versions, in any order: the newer one wins while there is an entry to compare with. Where a clear or a hazard has taken
   * that away meanwhile, the older one may have won, and the key is deleted before anything is acknowledged.
   */
  async duel() {
    const key = this.random.pick(FAMILIES.duel)
    const ran = await this.database.alone(key, async () => {
      const [older] = await this.database.commit([key])
      const [newer] = await this.database.commit([key])
      const before = await this.database.hazards()
      const from = machineMs()
      const write = async (version) => {
        await this.origin.latency()
        const value = this.origin.value(key, { [key]: version })
        return this.#tried(() => this.cache.set(key, value, { ttl: TTL_S, version, onUnavailable: 'throw' }))
      }
      const [one, other] = await Promise.all([write(newer), write(older)])
      const after = await this.database.hazards()
      const calm =
        before.open + before.taking + before.clearing === 0 &&
        before.begun === after.begun &&
        before.taken === after.taken &&
        before.clears === after.clears
      if (!(one && other && calm)) {
        this.tally.count('duelsUndecided')
        const deleted = await this.#persistently(() => this.cache.delete(key))
        // A write that failed is deleted once more by the process itself: that must not take the entry from under the next two.
        await this.own.paid()
        if (deleted === undefined) return
      }
      await this.#acknowledge([key], [newer], from)
    })
    if (!ran) this.tally.count('lockedOut')
  }

  /** False: the hold was not placed, and nothing happened. */
  async #around(targets, keys) {
    const { cache, database, random, tally, origin } = this
    const holdMs = random.pick([1_500, 4_000])
    const hazards = await database.hazards()
    const placedAt = machineMs()
    const endsAt = Date.now() + holdMs
    let commit
    const work = async (signal) => {
      await origin.latency()
      if (signal.aborted) throw new GaveUp()
      commit = await database.commitHeld(keys, { hazards, placedAt, endsAt })
      if (commit.held) tally.at('hold')
      await origin.latency()
      if (random.chance(0.05)) throw new GaveUp()
    }
    const options = { hold: holdMs, ...(random.chance(0.1) ? { replicaLag: 20 } : {}) }
    try {
      await cache.invalidateAround(targets, work, options)
    } catch (error) {
      if (commit === undefined && isUnavailable(error)) {
        tally.count('refused')
        return false
      }
      if (!(error instanceof GaveUp)) throw error
    }
    if (commit === undefined) return true
    tally.count(commit.held ? 'committedUnderHold' : 'committedInDoubt')
    if (commit.held) this.own.add(keys, commit.versions, placedAt)
    // Its last step may be owed, under a hold that a hazard may have taken away.
    if (!commit.held && (await this.own.paid())) await this.#acknowledge(keys, commit.versions, placedAt)
    return true
  }

  /** It has resolved: from now on this process reads what it wrote, from its own memory too (R17), and then so do all others. */
  async #acknowledge(keys, versions, from) {
    this.own.add(keys, versions, from)
    await this.database.acknowledge(keys, versions, from)
  }

  async #commitThen(keys, invalidate) {
    const versions = await this.database.commit(keys)
    if (this.random.chance(0.3)) await this.origin.latency()
    const acknowledged = await this.#persistently(invalidate, (from) => this.own.add(keys, versions, from))
    if (acknowledged !== undefined) await this.#acknowledge(keys, versions, acknowledged)
  }

  /**
   * Calls until it resolves, or until what was rejected as pending has been repeated by the process itself (R24).
   * @param {() => Promise<unknown>} call
   * @param {(from: number) => void} [pending] told of a rejection that says so
   * @returns {Promise<number | undefined>} machine ms at which the call was made that counts; undefined: none did
   */
  async #persistently(call, pending = () => undefined) {
    const until = performance.now() + PATIENCE_MS
    do {
      const from = machineMs()
      try {
        await call()
        return from
      } catch (error) {
        if (!isUnavailable(error)) throw error
        this.tally.count('refused')
        if (error.pending) {
          pending(from)
          if (this.random.chance(0.5) && (await this.own.paid())) {
            this.tally.count('replayed')
            return from
          }
        }
        await setTimeout(ATTEMPT_MS)
      }
    } while (performance.now() < until)
    this.tally.count('abandoned')
    return undefined
  }

  /** False: it may have happened or not. */
  async #tried(write) {
    try {
      await write()
      return true
    } catch (error) {
      if (!isUnavailable(error)) throw error
      this.tally.count('refused')
      return false
    }
  }
}

/** What the work under a hold throws. */
class GaveUp extends Error {}

const isUnavailable = (error) => error?.code === 'CACHE_UNAVAILABLE'

const HELD_BY_KEY = [...FAMILIES.plain, ...FAMILIES.tagged]

const WRITES = /** @type {const} */ ([
  [22, 'deletePlain'],
  [13, 'deleteTagged'],
  [5, 'deletePattern'],
  [20, 'invalidateOne'],
  [10, 'invalidateBulk'],
  [15, 'invalidateAround'],
  [22, 'writeThrough'],
  [8, 'duel'],
  [6, 'deleteQuiet'],
  // It empties every memory: more of them, and nothing would ever be old there.
  [0.5, 'clear'],
])
