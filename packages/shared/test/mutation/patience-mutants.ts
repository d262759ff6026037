import { edit, type Mutant, PATIENCE_NEAR_RULES, PATIENCE_RULES, REFRESH_PAUSES, STALE_RULES } from './mutant.js'

/** Of time-outs, signals, fail-safe and pauses: R7 and R15, and what the API says of loads. */
export const PATIENCE_MUTANTS: readonly Mutant[] = [
  {
    name: 'load without an end',
    rule: 'R7',
    edits: [edit('cache/loader.ts', `load.timer = this.clock.timer(ms, () => load.stop.stop(leader.timedOut()))`, ``)],
    killer: [PATIENCE_RULES, 'rejects all who wait, on time'],
  },
  {
    name: 'time of a load begins anew each round',
    rule: 'R7',
    edits: [edit('cache/caller.ts', `if (this.hardAt !== null) return\n`, `\n`)],
    killer: [PATIENCE_RULES, 'counts all rounds of one call together'],
  },
  {
    name: 'reads between two rounds not timed',
    rule: 'R7',
    edits: [edit('cache/read-through.ts', `first ? reading : caller.within(reading)`, `reading`)],
    killer: [PATIENCE_RULES, 'counts what is read between two rounds'],
  },
  {
    name: 'wait for another process not timed',
    rule: 'R7',
    edits: [edit('cache/loader.ts', `await load.stop.race(wait.atMost(`, `await (wait.atMost(`)],
    killer: [PATIENCE_RULES, 'counts the wait for another process'],
  },
  {
    name: 'lease kept by a load that has ended',
    rule: 'R7',
    edits: [
      edit('cache/loader.ts', `if (grant !== null) this.upkeep.release(grant.lease)\n      throw error`, `throw error`),
    ],
    killer: [PATIENCE_RULES, 'gives back the lease, and what the loader answers later'],
  },
  {
    name: 'lease kept that was granted to a load that had ended',
    rule: 'R7',
    edits: [edit('cache/loader.ts', `if (lease !== null) this.upkeep.release(lease)`, ``)],
    killer: [PATIENCE_RULES, 'takes the end of a claim that was granted too late'],
  },
  {
    name: 'loader not told that its time is over',
    rule: 'API',
    edits: [edit('cache/load-stop.ts', `this.controller?.abort(reason)`, ``)],
    killer: [PATIENCE_RULES, 'rejects all who wait, on time'],
  },
  {
    name: 'loader called after its time',
    rule: 'API',
    edits: [edit('cache/loader-calls.ts', `load.stop.throwIfStopped()\n`, `\n`)],
    killer: [PATIENCE_RULES, 'counts the wait for a turn while the store is away'],
  },
  {
    name: 'turn kept by a loader that hangs',
    rule: 'API',
    edits: [
      edit(
        'cache/loader-calls.ts',
        `context.stop.race(plan.load(context) as PromiseLike<unknown>)`,
        `plan.load(context) as PromiseLike<unknown>`,
      ),
    ],
    killer: [PATIENCE_RULES, 'gives the turn of a loader that hangs to the next one'],
  },
  {
    name: 'patience of all callers cut to the leader’s',
    rule: 'API',
    edits: [edit('cache/loader.ts', `caller.plan.timeouts.hardMs > leader.plan.timeouts.hardMs`, `false`)],
    killer: [PATIENCE_RULES, 'is each caller’s own'],
  },
  {
    name: 'soft time-out not waited for',
    rule: 'R15',
    edits: [edit('cache/read-through.ts', `return plan.timeouts.softMs !== null && `, `return false && `)],
    killer: [PATIENCE_RULES, 'answers the new value, when that comes in time'],
  },
  {
    name: 'soft time-out over a pause',
    rule: 'R15',
    edits: [edit('cache/read-through.ts', ` && !this.loads.isPaused(key, entry)`, ``)],
    killer: [STALE_RULES, 'longer each time, in their sight'],
  },
  {
    name: 'load ended by the soft time-out',
    rule: 'R15',
    edits: [
      edit('cache/loader.ts', `if (!joined.caller.hasAborted) load.kept = true`, ``),
      edit('cache/loader.ts', `joined.caller.plan.signal!.reason`, `joined.caller.timedOut()`),
    ],
    killer: [PATIENCE_RULES, 'answers the stale value on time, while the load goes on'],
  },
  {
    name: 'stale value kept that a later read has not found',
    rule: 'R9',
    edits: [edit('cache/read-through.ts', `if (!found.away) caller.stale = caller.fallback = null`, ``)],
    killer: [PATIENCE_RULES, 'has nothing to go with once a later read'],
  },
  {
    name: 'error for who has a stale value',
    rule: 'R15',
    edits: [
      edit(
        'cache/loader.ts',
        `if (caller.fallback !== null) resolve(caller.fallback)
      else if (isTimeout`,
        `if (isTimeout`,
      ),
    ],
    killer: [STALE_RULES, 'answers that one at once, to all who have found it'],
  },
  {
    name: 'no pause after a failed refresh',
    rule: 'R15',
    edits: [edit('cache/loader.ts', `if (leader.stale !== null) this.pauses.failed(key, leader.stale)`, ``)],
    killer: [STALE_RULES, 'longer each time, behind the callers’ backs'],
  },
  {
    name: 'no pause for refreshes behind hits of L1',
    rule: 'R15',
    edits: [edit('cache/loader.ts', ` || (caller.stale !== null && this.isPaused(key, caller.stale))`, ``)],
    killer: [PATIENCE_NEAR_RULES, 'shows the loader a copy of the value, and waits for a pause'],
  },
  {
    name: 'payload of an unpacked entry shown to the loader',
    rule: 'R15',
    edits: [edit('cache/loader-calls.ts', `entry instanceof NearEntry && entry.unpacked`, `false`)],
    killer: [PATIENCE_NEAR_RULES, 'shows the loader a copy of the value, and waits for a pause'],
  },
  {
    name: 'pause of an entry that was replaced',
    rule: 'R15',
    edits: [edit('cache/refresh-pauses.ts', `return one.softAt === other.softAt && `, `return true || `)],
    killer: [REFRESH_PAUSES, 'is about one entry'],
  },
  {
    name: 'pauses without bound',
    rule: 'R15',
    edits: [edit('cache/refresh-pauses.ts', `this.pauses.size > this.mostKeys`, `false`)],
    killer: [REFRESH_PAUSES, 'is remembered for so many keys and no more'],
  },
  {
    name: 'load goes on for nobody',
    rule: 'API',
    edits: [edit('cache/loader.ts', `if (load.kept || load.joined.size > 0 || !load.joinable) return`, `return`)],
    killer: [PATIENCE_RULES, 'when all who waited have aborted theirs'],
  },
  {
    name: 'load aborted although others wait',
    rule: 'API',
    edits: [
      edit(
        'cache/loader.ts',
        `if (load.kept || load.joined.size > 0 || !load.joinable) return`,
        `if (load.kept || !load.joinable) return`,
      ),
    ],
    killer: [PATIENCE_RULES, 'rejects its caller at once, and the load goes on'],
  },
  {
    name: 'listener left on a caller’s signal',
    rule: 'API',
    edits: [edit('cache/caller.ts', `this.stopListening?.()`, ``)],
    killer: [PATIENCE_RULES, 'has no listener while it is a hit'],
  },
  {
    name: 'close waits for no load',
    rule: 'API',
    edits: [edit('cache/loader.ts', `this.clock.timer(LAST_LOADS_MS, resolve)`, `this.clock.timer(0, resolve)`)],
    killer: [PATIENCE_RULES, 'get a second to finish'],
  },
  {
    name: 'close leaves loaders running',
    rule: 'API',
    edits: [edit('cache/loader.ts', `load.stop.stop(new CacheClosedError())`, ``)],
    killer: [PATIENCE_RULES, 'are aborted then'],
  },
]
