import { setImmediate, setTimeout } from 'node:timers/promises'
import { FAMILIES, PAGE_OF_QUIET, sourcesOf, tagsOf } from './catalogue.mjs'
import { machineMs } from './machine-ms.mjs'
import { LoadFailed } from './origin.mjs'
import { READABLE } from './reader.mjs'

const MOST_READS = 1_000
const MOST_MS = 200
const PAUSE_MS = 60
/** So many in one go; then the event loop, and with it what other processes push, has its turn. */
const SLICE = 25
/** Whoever acknowledges needs a moment to say so: then the history is looked at. */
const SETTLING_MS = 20
/** Of one burst, key and kind of read: one wrong entry makes a thousand wrong reads. */
const MOST_ACCUSED = 5

/**
 * Reads the same few keys again and again, as fast as the cache answers from memory, and judges all of it afterwards by the history of
 * acknowledgements: so a read costs no look at the referee, and millions of them can be judged.
 *
 * It also says how old each of them was.
 */
export class Burst {
  /** @param {any} surroundings those of an actor, and its `origin` and `judge` */
  constructor({ cache, database, random, tally, own, near, origin, judge }) {
    Object.assign(this, { cache, database, random, tally, own, near, origin, judge })
  }

  async round() {
    await this.#burst(this.random.weighted(HOW))
  }

  /** Without loads, which wait for other processes now and then: whoever only looks goes on looking, whatever has befallen the process. */
  async watch() {
    await this.#burst(this.random.weighted(HOW_TO_WATCH))
    await setTimeout(this.random.int(PAUSE_MS))
  }

  async #burst(how) {
    const keys = this.random.some(
      this.random.chance(0.4) ? QUIET : READABLE,
      how === 'getMany' ? 2 + this.random.int(3) : 1 + this.random.int(2),
    )
    const notes = new Notes(how)
    const until = performance.now() + MOST_MS
    for (let i = 0; i < MOST_READS && performance.now() < until; i += SLICE) {
      const before = notes.answers
      for (let j = 0; j < SLICE; j++) await this.#read(notes, how, keys)
      // The cache is away: to be told so again and again keeps the machine busy for nothing.
      if (notes.answers === before) break
      await (this.random.chance(0.2) ? setTimeout(this.random.int(5)) : setImmediate())
    }
    await this.#judge(notes)
    this.tally.count('bursts')
  }

  /**
   * What a long calculation does to a process: nothing is heard for so long, and the very next thing that it does is to read. All reads of
   * that moment are made before a single push can be processed.
   * @param {number} ms
   */
  async afterBlocking(ms) {
    for (const key of READABLE) await this.#read(new Notes('warming'), 'getOrSet', [key])
    const notes = new Notes('blocked')
    const until = performance.now() + ms
    while (performance.now() < until);
    await Promise.all(READABLE.map((key) => this.#read(notes, 'lookup', [key])))
    for (const key of READABLE) await this.#read(notes, 'getOrSet', [key])
    await this.#judge(notes)
  }

  /** One read, noted. */
  async #read(notes, how, keys) {
    const key = keys.length === 1 ? keys[0] : this.random.pick(keys)
    const list = how === 'getMany' ? keys : [key]
    const owns = list.map((each) => sourcesOf(each).map((source) => this.own.of(source)?.version ?? 0))
    const at = machineMs()
    let values
    let level = 'any'
    try {
      if (how === 'getMany') values = await this.cache.getMany(keys)
      else if (how === 'get') values = [await this.cache.get(key)]
      else if (how === 'lookup') {
        const { value, level: from } = await this.cache.lookup(key)
        values = [value]
        level = from ?? 'l2'
      } else {
        const options = { ...this.origin.lifetime(key), tags: tagsOf(key) }
        if (how === 'getOrSet past L1') options.l1 = false
        values = [await this.cache.getOrSet(key, () => this.origin.load(key), options)]
        if (options.l1 === false) level = 'l2'
      }
    } catch (error) {
      if (error instanceof LoadFailed) return this.tally.count('loadErrors')
      throw error
    }
    list.forEach((each, i) => this.#note(notes, each, at, values[i], level, owns[i]))
    if (level === 'l1' && values[0] !== null) this.#handle(values[0])
  }

  #note(notes, key, at, value, level, owns) {
    if (value === null) return
    if (value.key !== key || value.changed === true) {
      const saw = value.changed === true ? 'what another reader did to its copy' : `the value of ${value.key}`
      return this.tally.violation({ operation: `burst: ${notes.how}`, key, saw, actor: this.judge.name })
    }
    sourcesOf(key).forEach((source, i) => {
      const version = value.versions[source]
      notes.add(key, source, level, at, version)
      if (version >= owns[i]) return
      const { version: demanded, from } = this.own.of(source)
      this.judge.report({
        operation: `burst: ${notes.how}, ${level}`,
        key,
        from: at,
        until: machineMs(),
        saw: `${source}@${version}`,
        demanded: `${source}@${demanded} (own)`,
        acknowledged: [[[from, machineMs()]]],
      })
    })
  }

  /** What a user may do with an answer from memory: anything to a copy, nothing to a frozen value. */
  #handle(value) {
    if (this.near.values === 'copy' && this.random.chance(0.02)) value.changed = true
    if (this.near.values !== 'frozen' || (Object.isFrozen(value) && Object.isFrozen(value.versions))) return
    this.tally.violation({
      operation: 'burst',
      key: value.key,
      saw: 'a value that is not frozen',
      actor: this.judge.name,
    })
  }

  /** P1 and P2: an answer is as old as the first acknowledgement that it lacks. */
  async #judge(notes) {
    if (notes.lists.size === 0) return
    await setTimeout(SETTLING_MS)
    const lists = [...notes.lists.values()]
    const sources = [...new Set(lists.map(({ source }) => source))]
    const { stalenessMs } = this.near
    const histories = await this.database.histories(sources, notes.began - stalenessMs - MOST_MS)
    for (const { key, source, level, times, versions } of lists) {
      const allowanceMs = level === 'l2' ? 0 : stalenessMs
      const history = histories.get(source)
      let accused = 0
      for (let i = 0; i < times.length; i++) {
        const age = times[i] - history.overtakenAt(versions[i])
        this.tally.ages.add(level, age)
        if (age < allowanceMs || ++accused > MOST_ACCUSED) continue
        const acknowledged = await this.database.acknowledgements(source, versions[i], history.newest)
        this.judge.report({
          operation: `burst: ${notes.how}, ${level}`,
          key,
          allowanceMs,
          from: times[i],
          until: times[i + 1] ?? machineMs(),
          saw: `${source}@${versions[i]}`,
          demanded: `more: overtaken ${age.toFixed(3)} ms before`,
          acknowledged: [acknowledged.filter(([, until]) => until <= times[i] - allowanceMs)],
        })
      }
      this.tally.counts['answers'] = (this.tally.counts['answers'] ?? 0) + times.length
      if (notes.how === 'blocked') this.tally.count('judgedAfterBlocking')
    }
  }
}

/** What a burst has read: for each key, source and level the times and the versions seen. */
class Notes {
  lists = new Map()
  answers = 0
  began = machineMs()

  /** @param {string} how */
  constructor(how) {
    this.how = how
  }

  add(key, source, level, at, version) {
    const name = `${key} ${source} ${level}`
    let list = this.lists.get(name)
    if (list === undefined) this.lists.set(name, (list = { key, source, level, times: [], versions: [] }))
    this.answers++
    list.times.push(at)
    list.versions.push(version)
  }
}

/** Old for long when a process has not heard. */
const QUIET = [...FAMILIES.quiet, PAGE_OF_QUIET]

const HOW = /** @type {const} */ ([
  [45, 'lookup'],
  [30, 'getOrSet'],
  [5, 'getOrSet past L1'],
  [10, 'get'],
  [10, 'getMany'],
])

const HOW_TO_WATCH = /** @type {const} */ ([
  [70, 'lookup'],
  [15, 'get'],
  [15, 'getMany'],
])
