import { edit, LETTING_GO, LOCK_ENGINE, LOCK_ERRORS, LOCK_LINE, type Mutant } from './mutant.js'

const ENGINE = 'lock/lock-engine.ts'
const LINE = 'lock/lock-line.ts'

/** The callers of a lock in a process, and what is under way when they come and go. */
export const LOCK_MUTANTS: readonly Mutant[] = [
  {
    name: 'lock handed out whose time is over',
    rule: 'LOCK',
    edits: [edit(LINE, `if (!caller.gone && !isOver && isSafe) {`, `if (!caller.gone && isSafe) {`)],
    killer: [LOCK_ENGINE, 'is never a lock: what is over when it comes is given back'],
  },
  {
    name: 'lock handed out to a caller that went',
    rule: 'LOCK',
    edits: [edit(LINE, `if (!caller.gone && !isOver && isSafe) {`, `if (!isOver && isSafe) {`)],
    killer: [LOCK_ENGINE, 'has nothing: it is given back (time)'],
  },
  {
    name: 'lock handed out with too few replicas',
    rule: 'LOCK',
    edits: [edit(LINE, `if (!caller.gone && !isOver && isSafe) {`, `if (!caller.gone && !isOver) {`)],
    killer: [LOCK_ERRORS, "tell of 'too few replicas'"],
  },
  {
    name: 'same token after a grant that came late',
    rule: 'LOCK',
    edits: [edit(LINE, `caller.holder = { ...caller.holder, token: this.environment.random.token() }`, ``)],
    killer: [LOCK_ENGINE, 'is never a lock: what is over when it comes is given back'],
  },
  {
    name: 'other callers pass the line without an end',
    rule: 'LOCK',
    edits: [edit(LINE, `returned !== undefined && returned.turns < localTurns`, `returned !== undefined`)],
    killer: [LOCK_ENGINE, 'a lock goes on so often, then a process that waits has its turn'],
  },
  {
    name: 'turns counted anew by each line',
    rule: 'LOCK',
    edits: [
      edit(
        LINE,
        `    this.running = true\n`,
        `    this.running = true\n    let turns = 0\n    this.countTurn = () => turns++\n`,
      ),
      edit(LINE, `this.returned = { holder, turns, `, `this.returned = { holder, turns: this.countTurn(), `),
    ],
    killer: [LOCK_ENGINE, 'two callers that take turns don’t keep another process out'],
  },
  {
    name: 'hand-over to who leaves in the same moment is dropped',
    rule: 'LOCK',
    edits: [
      edit(
        LINE,
        `if (returned !== undefined || placed) this.environment.lettingGo(this.letGo(returned, placed))`,
        `if (placed) this.environment.lettingGo(this.letGo(undefined, placed))`,
      ),
    ],
    killer: [LETTING_GO, 'is given back when the one who waited for it leaves at the same moment'],
  },
  {
    name: 'doubtful lock handed on',
    rule: 'LOCK',
    edits: [edit(ENGINE, `doubtful ? undefined : line?.handOn(`, `line?.handOn(`)],
    killer: [LOCK_LINE, 'takes nothing after its lock was handed on'],
  },
  {
    name: 'doubtful lock not given back for good',
    rule: 'LOCK',
    edits: [
      edit(
        ENGINE,
        `this.store.release({ lock: name, holder, forGood: doubtful })`,
        `this.store.release({ lock: name, holder })`,
      ),
    ],
    killer: [LOCK_ENGINE, 'that lands after its lock was given back takes nothing'],
  },
  {
    name: 'doubtful token not given up by who leaves',
    rule: 'LOCK',
    edits: [edit(LINE, `if (!this.asking) `, `if (false) `)],
    killer: [LOCK_ENGINE, 'that lands after its caller went away takes nothing'],
  },
  {
    name: 'given back once, whatever the answer',
    rule: 'LOCK',
    edits: [edit(ENGINE, `      if (this.closed) return\n`, `      return\n`)],
    killer: [LOCK_ENGINE, 'the outcome is unknown, it is repeated, and the lock is free'],
  },
  {
    name: 'forgotten before the store has it back',
    rule: 'LOCK',
    edits: [
      edit(
        ENGINE,
        `    const outcome = await (handedOn ?? this.giveBack(lock))`,
        `    this.forgetHeld(lock)
    const outcome = await (handedOn ?? this.giveBack(lock))`,
      ),
    ],
    killer: [LOCK_LINE, 'is seen to before all is closed'],
  },
  {
    name: 'time of a caller counted from its turn',
    rule: 'LOCK',
    edits: [
      edit(
        LINE,
        `        const timer: Timer = clock.timer(waitMs, () => this.leave(caller, this.reasonFor(caller)))
        caller.stop.push(() => timer.cancel())`,
        `        caller.begin = () => {
          caller.begin = undefined
          const timer: Timer = clock.timer(waitMs, () => this.leave(caller, this.reasonFor(caller)))
          caller.stop.push(() => timer.cancel())
        }`,
      ),
      edit(
        LINE,
        `    const { call, holder } = caller\n`,
        `    const { call, holder } = caller\n    caller.begin?.()\n`,
      ),
    ],
    killer: [LOCK_ENGINE, 'time out each by its own time, also behind others of their process'],
  },
  {
    name: 'tryAcquire waits',
    rule: 'LOCK',
    edits: [edit(ENGINE, `{ ...options, wait: undefined, waitMs: 0 }`, `{ ...options }`)],
    killer: [LOCK_ENGINE, 'is asked for once where the caller asks once'],
  },
  {
    name: 'who asks once waits behind who rests',
    rule: 'LOCK',
    edits: [
      edit(
        LINE,
        `    if (call.waitMs === 0 && this.resting !== undefined) return Promise.reject(this.reasonFor({ call }))\n`,
        ``,
      ),
    ],
    killer: [LOCK_LINE, 'is answered at once behind one that waits'],
  },
  {
    name: 'next asks beside the holder',
    rule: 'LOCK',
    edits: [
      edit(LINE, `this.placed && grant.holder.mode === 'exclusive' ? Math.min(grant.ttlMs, this.patienceMs) : 0`, `0`),
    ],
    killer: [LOCK_ENGINE, 'a lock goes from caller to caller in one call to the store each'],
  },
  {
    name: 'end of a short lock slept over',
    rule: 'LOCK',
    edits: [edit(LINE, `Math.min(grant.ttlMs, this.patienceMs)`, `this.patienceMs`)],
    killer: [LETTING_GO, 'comes at its end to the next when its holder does not give it back'],
  },
  {
    name: 'who asks once leaves a dead place to the next',
    rule: 'LOCK',
    edits: [edit(LINE, `aliveMs > 0 && second !== undefined && `, `second !== undefined && `)],
    killer: [LETTING_GO, 'takes no place from the one who waits behind it'],
  },
  {
    name: 'heartbeat too slow',
    rule: 'LOCK',
    edits: [edit(LINE, `HEARTBEAT_MS = 600`, `HEARTBEAT_MS = 1_900`)],
    killer: [LOCK_ENGINE, 'lose a heartbeat at most by a wake-up that is lost'],
  },
  {
    name: 'dead for long before it is passed',
    rule: 'LOCK',
    edits: [edit(LINE, `ALIVE_MS = 2_000`, `ALIVE_MS = 4_000`)],
    killer: [LOCK_ENGINE, 'are not kept by a waiter that died for more than 2.5 s'],
  },
  {
    name: 'deaf and patient',
    rule: 'LOCK',
    edits: [
      edit(
        LINE,
        `this.environment.listening() ? HEARTBEAT_MS : DEAF_MS`,
        `(this.environment.listening(), HEARTBEAT_MS)`,
      ),
    ],
    killer: [LOCK_ENGINE, 'ask now and then while wake-ups can’t be heard'],
  },
  {
    name: 'gap not told to the lines',
    rule: 'LOCK',
    edits: [edit(ENGINE, `gap: () => this.wakeAll(),`, `gap: () => undefined,`)],
    killer: [LOCK_ENGINE, 'ask at once when wake-ups may have been missed'],
  },
  {
    name: 'listening not tried again',
    rule: 'LOCK',
    edits: [edit(ENGINE, `if (this.hearing !== 'yes') this.hearing = 'no'`, ``)],
    killer: [LOCK_LINE, 'are listened for by who waits later'],
  },
  {
    name: 'close leaves those who wait',
    rule: 'LOCK',
    edits: [edit(ENGINE, `for (const line of [...this.lines.values()]) line.close(this.closedError())`, ``)],
    killer: [LOCK_LINE, 'rejects those who wait'],
  },
  {
    name: 'closed while a grant to nobody is under way',
    rule: 'LOCK',
    edits: [
      edit(ENGINE, `if (!this.isIdle && this.lastWorkMs > 0) {`, `if (this.held.size > 0 && this.lastWorkMs > 0) {`),
    ],
    killer: [LETTING_GO, 'waits for what is under way'],
  },
  {
    name: 'locks handed out after the end',
    rule: 'LOCK',
    edits: [edit(ENGINE, `if (this.closed) throw this.closedError(key)`, ``)],
    killer: [LOCK_ERRORS, "tell of 'locks that were closed'"],
  },
  {
    name: 'place kept when nobody waits',
    rule: 'LOCK',
    edits: [edit(LINE, `process: placed ? process : undefined`, `process: undefined`)],
    killer: [LOCK_ENGINE, 'leave no place behind when who asks once comes last'],
  },
  {
    name: 'line kept when nobody waits',
    rule: 'LOCK',
    edits: [edit(ENGINE, `this.lines.delete(line.id)`, `void line`)],
    killer: [LOCK_ENGINE, 'nothing is left: no timer, no line, no lock, no place'],
  },
]
