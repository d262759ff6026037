import { edit, HELD_LOCK, LOCK_ENGINE, LOCK_LINE, type Mutant } from './mutant.js'

const ENGINE = 'lock/lock-engine.ts'
const HELD = 'lock/held-lock.ts'
const KEEP = 'lock/keep-held.ts'

/** What the holder of a lock knows by itself. */
export const HELD_LOCK_MUTANTS: readonly Mutant[] = [
  {
    name: 'deadline counted from the answer',
    rule: 'LOCK',
    edits: [edit(HELD, `this.ends = endOf(sentAt, ttlMs)`, `this.ends = endOf(momentOf(keeper.clock), ttlMs)`)],
    killer: [LOCK_ENGINE, 'is counted from when the call was sent'],
  },
  {
    name: 'deadline of an extension counted from the answer',
    rule: 'LOCK',
    edits: [
      edit(
        HELD,
        `if (extension === this.extensions) this.endAt(ends)`,
        `if (extension === this.extensions) this.endAt(endOf(momentOf(this.keeper.clock), ms))`,
      ),
    ],
    killer: [HELD_LOCK, 'counts from when it was sent'],
  },
  {
    name: 'deadline on the wall clock alone',
    rule: 'LOCK',
    edits: [edit(HELD, `Math.min(ends.mono - clock.mono(), ends.wall - clock.wall())`, `ends.wall - clock.wall()`)],
    killer: [LOCK_ENGINE, 'one that jumps back prolongs nothing'],
  },
  {
    name: 'deadline on the monotonic clock alone',
    rule: 'LOCK',
    edits: [edit(HELD, `Math.min(ends.mono - clock.mono(), ends.wall - clock.wall())`, `ends.mono - clock.mono()`)],
    killer: [LOCK_ENGINE, 'by a wall clock that jumps forward is lost at once'],
  },
  {
    name: 'no allowance for drift',
    rule: 'LOCK',
    edits: [edit(HELD, `ttlMs - Math.min(DRIFT_MS + ttlMs / 1_000, ttlMs / 2)`, `ttlMs`)],
    killer: [LOCK_ENGINE, 'ends here before it ends in the store'],
  },
  {
    name: 'assertHeld waits for the timer',
    rule: 'LOCK',
    edits: [
      edit(
        HELD,
        `  assertHeld(): void {
    this.look()
    if`,
        `  assertHeld(): void {
    if`,
      ),
    ],
    killer: [HELD_LOCK, 'before any timer fires: assertHeld'],
  },
  {
    name: 'signal waits for the timer',
    rule: 'LOCK',
    edits: [
      edit(
        HELD,
        `    this.look()
    return this.controller.signal`,
        `    return this.controller.signal`,
      ),
    ],
    killer: [HELD_LOCK, 'before any timer fires: signal'],
  },
  {
    name: 'no timer at the deadline',
    rule: 'LOCK',
    edits: [
      edit(
        HELD,
        `    this.ends = endOf(sentAt, ttlMs)
    this.schedule()`,
        `    this.ends = endOf(sentAt, ttlMs)`,
      ),
    ],
    killer: [LOCK_ENGINE, 'fires its signal at the local deadline though the connection hangs'],
  },
  {
    name: 'lost without a signal',
    rule: 'LOCK',
    edits: [edit(HELD, `this.controller.abort(new LockLostError(this.key, reason))`, ``)],
    killer: [LOCK_ENGINE, 'is lost also when the store lost it'],
  },
  {
    name: 'extension that is answered too late counts',
    rule: 'LOCK',
    edits: [
      edit(
        HELD,
        `    this.assertHeld()
    if (extension === this.extensions)`,
        `    if (extension === this.extensions)`,
      ),
    ],
    killer: [LOCK_ENGINE, 'of an extension that is over when it comes does not bring the lock back'],
  },
  {
    name: 'refusal of an extension ignored',
    rule: 'LOCK',
    edits: [edit(HELD, `if (!extended) this.lose('gone')`, ``)],
    killer: [LOCK_ENGINE, 'is lost also when the store lost it'],
  },
  {
    name: 'release without an answer is not asked again',
    rule: 'LOCK',
    edits: [edit(HELD, `if (outcome === 'unknown') this.givenBack = false`, ``)],
    killer: [LOCK_LINE, 'is asked again by a second call when the first had no answer'],
  },
  {
    name: 'longer time cut by keeping held',
    rule: 'LOCK',
    edits: [edit(KEEP, `return schedule(untilDue())`, `void 0`)],
    killer: [HELD_LOCK, 'for longer by its holder keeps that'],
  },
  {
    name: 'kept no longer after one extension without an answer',
    rule: 'LOCK',
    edits: [edit(KEEP, `return schedule(ttlMs / 12)`, `return`)],
    killer: [LOCK_ENGINE, 'extends at each third of the time, and sooner again'],
  },
  {
    name: 'work under a lost lock ends well',
    rule: 'LOCK',
    edits: [edit(ENGINE, `if (lost !== undefined) throw new LockLostError(key, lost)`, ``)],
    killer: [LOCK_LINE, 'is an error of withLock, though the work ended well'],
  },
  {
    name: 'work ends well though the store had lost the lock',
    rule: 'LOCK',
    edits: [edit(ENGINE, `if (held && outcome === 'not-held') throw new LockLostError(key, 'gone')`, ``)],
    killer: [LOCK_ENGINE, 'found out by withLock only at the end'],
  },
]
