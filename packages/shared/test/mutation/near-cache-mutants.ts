import {
  COHERENT_MAP,
  edit,
  LOAD_SCOPE,
  type Mutant,
  NEAR_RULES,
  TAG_CLOCK,
  TRACKING,
  TRACKING_BARRIER,
} from './mutant.js'

const NEAR = 'cache/near-cache.ts'
const MAP = 'kernel/coherent-map.ts'
const READER = 'cache/entry-reader.ts'
const REPLAYING = 'cache/replaying-store.ts'
const CLOCK = 'cache/tag-clock.ts'

/** Where the replaying store calls `written`, and what leaves out one half of it. */
const AN_INVALIDATION = `(owed, async () => {\n      try {\n        return await send()`
const A_SET = `(owed, async () => {\n      try {\n        const reply = await this.inner.set(`
const TOLD_AT_ITS_ANSWER = `((what, send) => send().finally(() => this.tellNear(what)))`
const TOLD_AT_ITS_CALL = `((what, send) => (this.tellNear(what), send()))`

/** R17 to R22, as the near cache keeps them. */
export const NEAR_CACHE_MUTANTS: readonly Mutant[] = [
  {
    name: 'ticket after the reply',
    rule: 'R17',
    edits: [
      edit(
        READER,
        `    const tickets = this.near === null ? NO_TICKETS : firsts.map((first) => ticketFor(this.near!, first))\n`,
        `    let tickets: readonly (Ticket | null)[] = NO_TICKETS\n`,
      ),
      edit(
        READER,
        `      const reply = await this.store.read(keys, since === null ? null : since.s)\n`,
        `      const reply = await this.store.read(keys, since === null ? null : since.s)
      if (this.near !== null) tickets = firsts.map((first) => ticketFor(this.near!, first))\n`,
      ),
    ],
    killer: [NEAR_RULES, 'keeps a reply that comes late out of L1'],
  },
  {
    name: 'push leaves tickets clean',
    rule: 'R17',
    edits: [edit(MAP, `    open.dirty = true\n    this.open.delete(key)`, `    this.open.delete(key)`)],
    killer: [COHERENT_MAP, 'does not fill after a push of its key'],
  },
  {
    name: 'tickets while nobody tells',
    rule: 'R17',
    edits: [edit(MAP, `if (this.closed || !this.source.live)`, `if (this.closed)`)],
    killer: [NEAR_RULES, 'is none between TRACKING and SUBSCRIBE'],
  },
  {
    name: 'tickets left open',
    rule: 'R17',
    edits: [edit(READER, `for (const ticket of tickets) ticket?.close()`, ``)],
    killer: [NEAR_RULES, 'is closed whatever becomes of its read'],
  },
  {
    name: 'own invalidation unseen at its call',
    rule: 'R17',
    edits: [edit(REPLAYING, `this.written${AN_INVALIDATION}`, `${TOLD_AT_ITS_ANSWER}${AN_INVALIDATION}`)],
    killer: [NEAR_RULES, 'takes its key out of L1 at the call: delete'],
  },
  {
    name: 'own invalidation unseen at its answer',
    rule: 'R17',
    edits: [edit(REPLAYING, `this.written${AN_INVALIDATION}`, `${TOLD_AT_ITS_CALL}${AN_INVALIDATION}`)],
    killer: [NEAR_RULES, 'between its call and its answer of no use: delete'],
  },
  {
    name: 'own set unseen at its call',
    rule: 'R17',
    edits: [edit(REPLAYING, `this.written${A_SET}`, `${TOLD_AT_ITS_ANSWER}${A_SET}`)],
    killer: [NEAR_RULES, 'takes its key out of L1 at the call: setMany'],
  },
  {
    name: 'own set unseen at its answer',
    rule: 'R17',
    edits: [edit(REPLAYING, `this.written${A_SET}`, `${TOLD_AT_ITS_CALL}${A_SET}`)],
    killer: [NEAR_RULES, 'between its call and its answer of no use: set'],
  },
  {
    name: 'own clear takes only the tags',
    rule: 'R17',
    edits: [edit(REPLAYING, `return near.wroteAll()`, `return near.wroteClock()`)],
    killer: [NEAR_RULES, 'between its call and its answer of no use: clear'],
  },
  {
    name: 'own tag unseen',
    rule: 'R17',
    edits: [edit(REPLAYING, `        return near.wroteClock()\n`, `        return\n`)],
    killer: [NEAR_RULES, 'is seen at once, before its push comes: invalidateByTag'],
  },
  {
    name: 'own pattern unseen',
    rule: 'R17',
    edits: [edit(REPLAYING, `return near.wroteWhere(globMatcher(owed.glob))`, `return`)],
    killer: [NEAR_RULES, 'is seen at once, before its push comes: deleteByPattern'],
  },
  {
    name: 'own hold unseen',
    rule: 'R17',
    edits: [edit(REPLAYING, `near.wrote(owed.hold.keys)`, ``)],
    killer: [NEAR_RULES, 'is seen at once, before its push comes: invalidateAround of a key'],
  },
  {
    name: 'value unpacked and not looked up again',
    rule: 'R17',
    edits: [edit(NEAR, ` || this.map.get(key) !== entry) return null`, `) return null`)],
    killer: [NEAR_RULES, 'for its value to be unpacked is none when its entry is written meanwhile'],
  },
  {
    name: 'life from the reply on',
    rule: 'R17',
    edits: [edit(MAP, `expiresAt: ticket.takenAt + ttlMs`, `expiresAt: this.clock.mono() + ttlMs`)],
    killer: [COHERENT_MAP, 'whose reply came late has used up its time to live'],
  },
  {
    name: 'lease by the youngest session',
    rule: 'R18',
    edits: [
      edit('redis/tracking.ts', `let oldest = Infinity`, `let oldest = -Infinity`),
      edit('redis/tracking.ts', `Math.min(oldest, session.validFrom)`, `Math.max(oldest, session.validFrom)`),
    ],
    killer: [TRACKING, 'leaves everything as fresh as the session with the oldest proof'],
  },
  {
    name: 'clock push unheard',
    rule: 'R19',
    edits: [edit(NEAR, `clockMoved: () => tagClock.moved(),`, ``)],
    killer: [NEAR_RULES, 'of a hit wait for a delta that was sent after the clock was written'],
  },
  {
    name: 'no tag wait on the quick path',
    rule: 'R19',
    edits: [edit(NEAR, `return entry.tags.length === 0 || (tagClock.caughtUp && !this.store.owes)`, `return true`)],
    killer: [NEAR_RULES, 'of a hit wait for a delta that was sent after the clock was written'],
  },
  {
    name: 'no tag wait',
    rule: 'R19',
    edits: [edit(NEAR, `if (!this.tagClock.hasPassed(pushed)) {`, `if (this.tagClock.since === null) {`)],
    killer: [NEAR_RULES, 'of a hit wait for a delta that was sent after the clock was written'],
  },
  {
    name: 'tag wait cleared by an older delta',
    rule: 'R19',
    edits: [
      edit(
        CLOCK,
        `if (reading.tagsKnown && sentAt > this.takenIn) this.takenIn = sentAt`,
        `if (reading.tagsKnown) this.takenIn = ++this.moment`,
      ),
    ],
    killer: [NEAR_RULES, 'are not cleared by the late answer of an older delta'],
  },
  {
    name: 'delta dated by its answer',
    rule: 'R19',
    edits: [
      edit(
        READER,
        `return clock.apply(reply.clock, since, sentAt)`,
        `return clock.apply(reply.clock, since, clock.sending())`,
      ),
    ],
    killer: [NEAR_RULES, 'of a hit that begins while a delta is under way wait for the next one'],
  },
  {
    name: 'hits starved by clock pushes',
    rule: 'R19',
    edits: [
      edit(NEAR, `if (!this.tagClock.hasPassed(pushed)) return null`, `if (!this.tagClock.caughtUp) return null`),
    ],
    killer: [NEAR_RULES, 'wait once, however often the clock is written'],
  },
  {
    name: 'generation not compared in L1',
    rule: 'R2',
    edits: [
      edit(
        CLOCK,
        `    if (entry.g !== this.g) return 'invalid'\n    if (entry.tags.length === 0) return 'valid'\n    const { held }`,
        `    if (entry.tags.length === 0) return 'valid'\n    const { held }`,
      ),
    ],
    killer: [NEAR_RULES, 'of an entry must be the clock’s'],
  },
  {
    name: 'holds do not count for L1',
    rule: 'R19',
    edits: [edit(CLOCK, `if (held !== null && isAnyHeld(held, entry.tags)) return 'unknown'`, ``)],
    killer: [NEAR_RULES, 'under a hold are no hit while it stands'],
  },
  {
    name: 'new hold leaves what was judged',
    rule: 'R19',
    edits: [edit(CLOCK, `if (held !== null || this.held !== null) this.changes++`, ``)],
    killer: [NEAR_RULES, 'under a hold are no hit while it stands'],
  },
  {
    name: 'holds of an older delta',
    rule: 'R19',
    edits: [edit(CLOCK, `if (sentAt > this.heldFrom) {`, `{`)],
    killer: [TAG_CLOCK, 'holds are those of the delta that was sent last'],
  },
  {
    name: 'unknown tag is a hit',
    rule: 'R19',
    edits: [
      edit(NEAR, `return verdict === 'valid'`, `return verdict !== 'invalid'`),
      edit(NEAR, `judgeKept(entry) !== 'valid') return false`, `judgeKept(entry) === 'invalid') return false`),
    ],
    killer: [NEAR_RULES, 'that the table has forgotten are no hit'],
  },
  {
    name: 'judged once for all',
    rule: 'R19',
    edits: [edit(NEAR, `if (entry.judgedAt !== tagClock.stamp) {`, `if (entry.judgedAt === 0) {`)],
    killer: [NEAR_RULES, 'are judged anew when the clock has moved on'],
  },
  {
    name: 'new mark leaves what was judged',
    rule: 'R19',
    edits: [edit(CLOCK, `    this.changes++\n    // The oldest goes first`, `    // The oldest goes first`)],
    killer: [NEAR_RULES, 'are judged anew when the clock has moved on'],
  },
  {
    name: 'new floor leaves what was judged',
    rule: 'R19',
    edits: [edit(CLOCK, `    this.changes++\n    this.f = f\n  }`, `    this.f = f\n  }`)],
    killer: [TAG_CLOCK, 'is another one after a floor'],
  },
  {
    name: 'reset keeps entries',
    rule: 'R20',
    edits: [edit(MAP, `    this.items.clear()\n`, ``)],
    killer: [NEAR_RULES, 'empties L1: what was written while nobody told'],
  },
  {
    name: 'reset keeps tickets',
    rule: 'R20',
    edits: [edit(MAP, `for (const open of this.open.values()) open.dirty = true`, ``)],
    killer: [COHERENT_MAP, 'makes the open tickets dirty'],
  },
  {
    name: 'redirected replies fill',
    rule: 'R20',
    edits: [edit(READER, ` && source.redirected !== true`, ``)],
    killer: [NEAR_RULES, 'is what a redirected answer counts as'],
  },
  {
    name: 'strict is quick',
    rule: 'R21',
    edits: [
      edit(NEAR, `if (this.options.strict || isInsideLoad()) return NOT_NEAR`, `if (isInsideLoad()) return NOT_NEAR`),
    ],
    killer: [NEAR_RULES, 'looks the entry up after everything written before the read was heard of'],
  },
  {
    name: 'strict looked up before the PONG',
    rule: 'R21',
    edits: [
      edit(
        NEAR,
        `    if (this.options.strict && !(await this.pushes.barrier())) return null
    let entry = this.map.get(key)\n`,
        `    let entry = this.map.get(key)
    if (this.options.strict && !(await this.pushes.barrier())) return null\n`,
      ),
      edit(NEAR, ` || this.map.get(key) !== entry) return null`, `) return null`),
    ],
    killer: [NEAR_RULES, 'looks the entry up after everything written before the read was heard of'],
  },
  {
    name: 'strict without a PONG',
    rule: 'R21',
    edits: [
      edit(
        NEAR,
        `if (this.options.strict && !(await this.pushes.barrier())) return null`,
        `if (this.options.strict) await this.pushes.barrier()`,
      ),
    ],
    killer: [NEAR_RULES, 'goes to the store when no PONG comes in time'],
  },
  {
    name: 'barrier joined after it was sent',
    rule: 'R21',
    edits: [
      edit(
        'redis/tracking.ts',
        `return new Promise((resolve) => this.barriers.add(resolve))`,
        `const self = this as unknown as { shared?: Promise<boolean> | undefined }
    return (self.shared ??= new Promise<boolean>((resolve) => this.barriers.add(resolve)).finally(() => (self.shared = undefined)))`,
      ),
    ],
    killer: [TRACKING_BARRIER, 'is not shared once it was sent'],
  },
  {
    name: 'barrier across epochs',
    rule: 'R21',
    edits: [
      edit('redis/tracking.ts', `resolve(proven && this.epoch === epoch)`, `resolve(proven)`),
      edit(
        'redis/heartbeat.ts',
        `if (!pong || this.stopped || round !== this.round) return false`,
        `if (!pong) return false`,
      ),
    ],
    killer: [TRACKING_BARRIER, 'is told of nothing when its epoch ends meanwhile'],
  },
  {
    name: 'barrier of some sessions',
    rule: 'R21',
    edits: [edit('redis/tracking.ts', `(await Promise.all(proofs)).every(Boolean)`, `(await Promise.race(proofs))`)],
    killer: [TRACKING_BARRIER, 'is told when every session has answered'],
  },
  {
    name: 'nested reads from L1',
    rule: 'R22',
    edits: [
      edit(
        NEAR,
        `if (this.options.strict || isInsideLoad()) return NOT_NEAR`,
        `if (this.options.strict) return NOT_NEAR`,
      ),
      edit(NEAR, `    if (isInsideLoad()) return null\n`, ``),
    ],
    killer: [NEAR_RULES, 'nothing is read from L1: what is stale in it would be stored'],
  },
  {
    name: 'nested lookups from L1',
    rule: 'R22',
    edits: [edit(NEAR, `    if (isInsideLoad()) return null\n`, ``)],
    killer: [NEAR_RULES, 'nothing is, by whatever operation: lookup'],
  },
  {
    name: 'only the innermost load counts',
    rule: 'R22',
    edits: [
      edit(
        'cache/load-scope.ts',
        `for (let frame = frames.getStore(); frame !== undefined; frame = frame.outer) if (!frame.over) return true`,
        `if (frames.getStore()?.over === false) return true`,
      ),
    ],
    killer: [LOAD_SCOPE, 'is yes for what an inner load left running'],
  },
  {
    name: 'owed tags believed',
    rule: 'R24',
    edits: [
      edit(NEAR, `(tagClock.caughtUp && !this.store.owes)`, `tagClock.caughtUp`),
      edit(NEAR, ` && (entry.tags.length === 0 || !this.store.owes)`, ``),
    ],
    killer: [NEAR_RULES, 'no tagged entry is answered, though a delta beside a set has come since'],
  },
  {
    name: 'repeated tags wait for their push',
    rule: 'R24',
    edits: [
      edit(
        'cache/replaying-store.ts',
        `      this.repeated += size\n      this.tellNear(owed)\n`,
        `      this.repeated += size\n`,
      ),
    ],
    killer: [NEAR_RULES, 'what was repeated acts on L1 at its answer'],
  },
]
