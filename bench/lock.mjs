/**
 * The lock beside its peers: acquire and release without a rival; 32 contenders of one key, in one process and in four; and the commands that
 * a lock costs the server. A ratio is our throughput over theirs: above 1 we are faster.
 *
 * Contention comes in two shapes. In a burst, 32 callers want the lock once, as requests do that arrive together; throughput counts until the
 * last has had it. In a loop, each asks again as soon as it has released: libraries without a queue then give the lock to whoever just had it,
 * and the throughput of one caller is told as that of 32 – so there the hand-overs to *another* contender are told too.
 */
import { contend, HOLD_MS, interleaveTurns, timelineOf } from './lib/contention.mjs'
import { startFleet } from './lib/lock-fleet.mjs'
import { lockers, openFloor } from './lib/lockers.mjs'
import { counting } from './lib/monitor.mjs'
import { interleave, printTable, withCallers } from './lib/rounds.mjs'
import { startRedis } from '../scripts/lib/redis.mjs'

const CONTENDERS = 32
const PROCESSES = 4
const ROUNDS = Number(process.env.ROUNDS ?? 9)
const KEY = 'invoice-number:tenant-1'
const keys = Array.from({ length: 1_024 }, (_, i) => `invoice-number:tenant-${i}`)
const only = process.argv[2]

const redis = await startRedis()
const closers = [() => redis.stop()]
const opened = []
for (const [name, open] of Object.entries(lockers)) {
  const locker = await open(redis.port)
  closers.push(() => locker.close())
  opened.push({ name, locker })
}
const isRedlock = (name) => /^redlock [45]/.test(name)

async function uncontended() {
  const floor = await openFloor(redis.port)
  closers.push(() => floor.close())
  const contenders = [...opened, { name: 'SET NX and a script, bare', locker: floor }]
  for (const callers of [1, CONTENDERS]) {
    const rows = await interleave(
      contenders.map(({ name, locker }) => {
        let next = 0
        const operation = async () => {
          // So many keys that one is free again long before its next turn.
          const lock = await locker.acquire(keys[next++ % keys.length])
          await locker.release(lock)
        }
        return { name, run: withCallers(callers, operation) }
      }),
      { rounds: ROUNDS, operations: callers === 1 ? 2_000 : 8_000 },
    )
    const title = callers === 1 ? 'one after the other' : `${callers} different keys at once`
    printTable(`Acquire and release without a rival, ${title}`, rows)
    const peers = rows.slice(1, -1)
    const nearest = peers.reduce((least, row) => (row.ratio < least.ratio ? row : least))
    target(`beside the fastest, ${nearest.name}`, nearest.ratio, 0.9, '×')
  }
}

/** @param runs answers what the processes of one burst or loop saw: `(name, locker, options)` */
async function contended(title, runs) {
  for (const loop of [undefined, 400]) {
    const rows = await interleaveTurns(
      opened.map(({ name, locker }) => ({
        name,
        run: async () => timelineOf(await runs({ name, locker }, { key: KEY, loop }), loop),
      })),
      { rounds: ROUNDS, turnMs: loop ?? 500 },
    )
    printContention(`${title}, ${loop === undefined ? 'each once' : 'each again and again'}`, rows)
    const [ours, ...peers] = rows
    target('hand-over, p50', ours.p50, 3, 'ms', 'at most')
    target('hand-over, p99', ours.p99, 20, 'ms', 'at most')
    for (const row of peers.filter(({ name }) => isRedlock(name))) {
      if (loop === undefined) target(`locks a second beside ${row.name}`, row.ratio, 10, '×')
      else target(`hand-overs a second beside ${row.name}`, row.handOverRatio, 10, '×')
    }
  }
}

const inOneProcess = async ({ locker }, options) => [await contend(locker, { contenders: CONTENDERS, ...options })]

function inProcesses(fleet) {
  return ({ name }, options) => fleet.contend(name, { contenders: CONTENDERS / PROCESSES, ...options })
}

/** One contender after the other, each with a server of its own that nobody else sends anything to. MONITOR slows all; a count does not mind. */
async function commands() {
  const BURSTS = 10
  console.log(`\nCommands that clients send for a lock, ${CONTENDERS} contenders, each once, ${BURSTS} bursts`)
  for (const [name, open] of Object.entries(lockers)) {
    const server = await startRedis()
    const locker = await open(server.port)
    const fleet = startFleet(PROCESSES, server.port)
    const shapes = { 'one process': inOneProcess, [`${PROCESSES} processes`]: inProcesses(fleet) }
    for (const [title, runs] of Object.entries(shapes)) {
      const burst = async () => timelineOf(await runs({ name, locker }, { key: KEY })).locks
      await burst()
      const { result, sent, scripted } = await counting(server.port, async () => {
        let locks = 0
        for (let i = 0; i < BURSTS; i++) locks += await burst()
        return locks
      })
      const names = [...sent].map(([command, count]) => `${command} ${(count / result).toFixed(2)}`).join(', ')
      const inScripts = (sum(scripted) / result).toFixed(1)
      console.log(
        `  ${name.padEnd(WIDTH)} ${title.padEnd(11)} ${(sum(sent) / result).toFixed(2)}: ${names}; scripts call ${inScripts}`,
      )
      if (name === 'vextrus') target(`commands a hand-over, ${title}`, sum(sent) / result, 3, '', 'at most')
    }
    await fleet.stop()
    await locker.close()
    await server.stop()
  }
}

const sum = (counts) => [...counts.values()].reduce((total, count) => total + count, 0)
const WIDTH = Math.max(...opened.map(({ name }) => name.length))

function printContention(title, rows) {
  console.log(`\n${title}`)
  for (const { name, perSecond, ratio, low, high, handOvers, p50, p99, longestWait, refused } of rows) {
    const rate = `${perSecond.toFixed(0).padStart(6)} locks/s ${`${ratio.toFixed(1)} ×`.padStart(7)} (${low.toFixed(1)}–${high.toFixed(1)})`
    const gaps = `hand-overs ${handOvers.toFixed(0).padStart(5)}/s, p50 ${p50?.toFixed(2) ?? '–'} ms, p99 ${p99?.toFixed(1) ?? '–'} ms`
    console.log(
      `  ${name.padEnd(WIDTH)} ${rate}; ${gaps}; longest wait ${longestWait.toFixed(0)} ms; gave up ${percent(refused)}`,
    )
  }
}

const percent = (share) => `${(share * 100).toFixed(1)} %`

function target(what, value, aim, unit, bound = 'at least') {
  const reached = bound === 'at least' ? value >= aim : value <= aim
  console.log(`  → ${what}: ${value.toFixed(2)} ${unit} (${bound} ${aim}) ${reached ? 'reached' : 'MISSED'}`)
}

try {
  console.log(
    `Node ${process.version}; ratio = our throughput / theirs, medians of ${ROUNDS} interleaved rounds (lowest–highest); a lock is held for ${HOLD_MS} ms`,
  )
  if (only === undefined || only === 'uncontended') await uncontended()
  if (only === undefined || only === 'process') await contended(`${CONTENDERS} contenders in one process`, inOneProcess)
  if (only === undefined || only === 'processes') {
    const fleet = startFleet(PROCESSES, redis.port)
    closers.push(() => fleet.stop())
    await contended(`${CONTENDERS} contenders in ${PROCESSES} processes`, inProcesses(fleet))
  }
  if (only === undefined || only === 'commands') await commands()
} finally {
  for (const close of closers.reverse()) await close()
}
