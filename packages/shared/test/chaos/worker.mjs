/**
 * A process of the chaos: its own locks on the shared Redis, put together as the Nest module does, and its own connections to Postgres. It does
 * what its parent asks over IPC, answers each question by number, and ends when the parent is gone.
 *
 * Its one argument is the JSON of a `ProcessOptions` of lane.ts.
 */
import { Seeded } from '../rig/seeded.mjs'
import { Clerk } from './clerk.mjs'
import { Ledger } from './ledger.mjs'
import { Places } from './places.mjs'
import { Tally } from './tally.mjs'

const REPORT_MS = 200

const options = JSON.parse(process.argv[2])
const tell = (event) => process.connected && process.send(event)
const tally = new Tally(tell)
const places = new Places()
const ledger = new Ledger(options)
const opened = await Promise.all([openLocks(), openLocks()])
const [plain, replicated] = opened.map(({ locks }) => locks)
/** Where locks wait for replicas the connection waits with them: so those have one of their own, as their option demands. */
const locksFor = ({ replicas }) => (replicas > 0 ? replicated : plain)
/** What there is to do; see {@link Clerk}. @type {string[]} */
let wanted = []

const tasks = {
  /** Clerks at work, until nothing is wanted any more. */
  async work({ clerks, seed, path, keys, operations }) {
    wanted = operations
    const reporting = setInterval(() => void report(), REPORT_MS)
    const run = async (number) => {
      const random = new Seeded(Seeded.seedOf(seed, ...path, number))
      const name = `${options.name}/${number}`
      const clerk = new Clerk({ locksFor, ledger, places, tally, random, keys, name })
      while (wanted.length > 0) if (!(await clerk.round(wanted))) return
    }
    await Promise.all(Array.from({ length: clerks }, (_, number) => run(number)))
    clearInterval(reporting)
    await report()
  },
  async want({ operations }) {
    wanted = operations
  },
  async arm(deed) {
    places.arm(deed)
  },
  /** Whether it is free, or soon is: nobody is at work any more. */
  async rest({ keys }) {
    const stuck = []
    for (const each of keys) {
      const lock = await locksFor(each)
        .acquire(each.key, 1_000, 10_000)
        .catch(() => undefined)
      if (lock === undefined) stuck.push(each.key)
      await lock?.release()
    }
    return stuck
  },
  async close() {
    await Promise.all(opened.map(({ close }) => close()))
    await ledger.close()
    setImmediate(() => process.disconnect())
  },
}

process.on('message', async ({ id, task, input }) => {
  try {
    process.send({ id, output: await tasks[task](input) })
  } catch (error) {
    process.send({ id, error: String(error?.stack ?? error) })
  }
})
process.on('disconnect', () => process.exit())
// A rejection that nobody handles is a defect of the toolkit or of the rig: it must not pass as silence.
process.on('unhandledRejection', (reason) =>
  tally.violation({ operation: 'unhandled rejection', saw: String(reason?.stack ?? reason) }),
)
process.send({ event: 'ready' })

async function report() {
  tally.report()
  await ledger.flush()
}

async function openLocks() {
  const toolkit = (file) => import(new URL(file, options.toolkit).href)
  const [{ RedisConnection }, { Keyspace }, { RedisLockStore }, { LockEngine }, { RedisLockService }] =
    await Promise.all(
      [
        ...['redis/connection.js', 'redis/keyspace.js', 'lock/stores/redis.js'],
        ...['lock/lock-engine.js', 'lock/lock.js'],
      ].map(toolkit),
    )
  const connection = new RedisConnection(options.redis)
  await connection.ready().catch(() => undefined)
  const store = new RedisLockStore(connection, connection.door, new Keyspace(), {
    deadlineMs: connection.commandTimeoutMs,
    warn: console.warn,
  })
  const engine = new LockEngine(store)
  const close = async () => {
    await engine.close()
    store.close()
    await connection.close()
  }
  return { locks: new RedisLockService(engine), close }
}
