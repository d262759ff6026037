import { setImmediate } from 'node:timers/promises'
import { median, quantile } from './rounds.mjs'

/** How long a lock is held: about as long as a short transaction takes. */
export const HOLD_MS = 0.3

/** Milliseconds of the machine's monotonic clock, which is one for all its processes. */
export const now = () => Number(process.hrtime.bigint()) / 1e6

/**
 * Contenders of one process for one key. With `burst` each wants the lock once, as 32 requests do that arrive together; with `loop` each
 * asks again as soon as it has released, for so many milliseconds.
 *
 * @param locker one of `lockers.mjs` @param first number of the first contender, so that those of several processes have names of their own
 * @returns `{ from, to, held, refused }`: when it began and ended, one `[contender, acquired, released, asked]` for each lock held – `released` is when
 *   release was called –, and how often the library gave up
 */
export async function contend(locker, { key, contenders, first = 0, loop }) {
  const held = []
  let refused = 0
  const from = now()
  const end = loop === undefined ? from : from + loop
  const contender = async (name) => {
    do {
      const asked = now()
      let lock
      try {
        lock = await locker.acquire(key)
      } catch {
        refused++
        continue
      }
      const acquired = now()
      await work()
      const released = now()
      held.push([name, acquired, released, asked])
      await locker.release(lock)
    } while (now() < end)
  }
  await Promise.all(Array.from({ length: contenders }, (_, i) => contender(first + i)))
  return { from, to: now(), held, refused }
}

/** Goes round the event loop meanwhile, so that answers for the others are read as with work that waits for a database. */
async function work() {
  const until = now() + HOLD_MS
  while (now() < until) await setImmediate()
}

/**
 * What the processes of one run saw, put together.
 *
 * @param runs answers of {@link contend} @param loop as given to it
 * @returns `locks` held within `ms`; `gaps`, the milliseconds from each call of release to the next holder's return of acquire, where that is
 *   another contender; `stayed`, how often it was the same one; `refused`; `waits`
 * @throws if two held the lock at the same time
 */
export function timelineOf(runs, loop) {
  const from = Math.min(...runs.map((run) => run.from))
  const to = loop === undefined ? Math.max(...runs.map((run) => run.to)) : from + loop
  // What comes after the end of a loop are the last waiters of a queue that nobody joins any more.
  const held = runs
    .flatMap((run) => run.held)
    .filter(([, acquired]) => acquired <= to)
    .sort((a, b) => a[1] - b[1])
  const gaps = []
  let stayed = 0
  for (let i = 1; i < held.length; i++) {
    const gap = held[i][1] - held[i - 1][2]
    if (gap < 0) throw new Error('two contenders held the lock at the same time')
    if (held[i][0] === held[i - 1][0]) stayed++
    else gaps.push(gap)
  }
  const refused = runs.reduce((sum, run) => sum + run.refused, 0)
  return {
    locks: held.length,
    ms: to - from,
    gaps,
    stayed,
    refused,
    waits: held.map(([, acquired, , asked]) => acquired - asked),
  }
}

/**
 * Interleaved turns as in `rounds.mjs`, but bounded in time instead of in operations, because some contenders crawl.
 *
 * @param contenders `{ name, run }`: `run()` answers one timeline; it is called again until `turnMs` have passed
 * @returns a row a contender; `ratio` is the first contender's throughput over this one's within a round
 */
export async function interleaveTurns(contenders, { rounds, turnMs }) {
  for (const { run } of contenders) {
    const until = now() + turnMs
    do await run()
    while (now() < until)
  }
  const seen = contenders.map(() => ({
    rates: [],
    handOvers: [],
    gaps: [],
    waits: [],
    locks: 0,
    stayed: 0,
    refused: 0,
  }))
  for (let round = 0; round < rounds; round++) {
    for (let turn = 0; turn < contenders.length; turn++) {
      const i = (round + turn) % contenders.length
      const sums = { locks: 0, ms: 0, handOvers: 0 }
      const until = now() + turnMs
      do {
        const timeline = await contenders[i].run()
        sums.locks += timeline.locks
        sums.ms += timeline.ms
        sums.handOvers += timeline.gaps.length
        for (const gap of timeline.gaps) seen[i].gaps.push(gap)
        for (const wait of timeline.waits) seen[i].waits.push(wait)
        seen[i].stayed += timeline.stayed
        seen[i].refused += timeline.refused
      } while (now() < until)
      seen[i].locks += sums.locks
      seen[i].rates.push((sums.locks / sums.ms) * 1_000)
      seen[i].handOvers.push((sums.handOvers / sums.ms) * 1_000)
    }
    process.stderr.write('.')
  }
  process.stderr.write('\n')
  return contenders.map(({ name }, i) => {
    const { rates, handOvers, gaps, waits, locks, stayed, refused } = seen[i]
    const ratios = rates.map((rate, round) => seen[0].rates[round] / rate)
    const passed = handOvers.map((rate, round) => seen[0].handOvers[round] / rate)
    return {
      name,
      perSecond: median(rates),
      ratio: median(ratios),
      low: Math.min(...ratios),
      high: Math.max(...ratios),
      handOvers: median(handOvers),
      handOverRatio: median(passed),
      p50: quantile(gaps, 0.5),
      p99: quantile(gaps, 0.99),
      longestWait: Math.max(...waits),
      stayed: stayed / Math.max(1, stayed + gaps.length),
      refused: refused / (refused + locks),
    }
  })
}
