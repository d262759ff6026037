/**
 * Sessions beside connect-redis and express-session: what a request costs that reads its session, one that changes it, and logging in and out.
 * A ratio is our throughput over theirs: above 1 we are faster.
 */
import { interleave, printTable, seeded, timesOf, withCallers } from './lib/rounds.mjs'
import { sessionStores } from './lib/session-stores.mjs'
import { runParts, target, title } from './lib/targets.mjs'
import { startRedis } from '../scripts/lib/redis.mjs'

const CALLERS = 100
const SESSIONS = 2_000
const ROUNDS = Number(process.env.ROUNDS ?? 9)

const redis = await startRedis()
const closers = [() => redis.stop()]
const contenders = []

async function prepare() {
  for (const [name, open] of Object.entries(sessionStores)) {
    const store = await open(redis.port)
    closers.push(() => store.close())
    const ids = await Promise.all(Array.from({ length: SESSIONS }, (_, i) => store.log(i)))
    contenders.push({ name, store, ids })
  }
}

async function race(what, operationOf, { operations, aim, among = contenders }) {
  for (const callers of [CALLERS, 1]) {
    const rows = await interleave(
      among.map((contender) => ({ name: contender.name, run: withCallers(callers, operationOf(contender)) })),
      { rounds: ROUNDS, operations: callers === 1 ? operations / 8 : operations },
    )
    printTable(`${what}, ${title(callers)}`, rows)
    const peer = rows.at(-1)
    for (const row of rows.slice(0, -1)) target(`${row.name}, beside ${peer.name}`, timesOf(row, peer), aim)
  }
}

/** A request that changes nothing: ours reads the session and begins its idle time anew in one call, the peer in two. */
const read = () =>
  race(
    `A request reads its session, of ${SESSIONS.toLocaleString('en')}`,
    ({ name, store, ids }) => {
      const random = seeded(42)
      return async () => {
        const i = Math.floor(random() * SESSIONS)
        const { user } = await store.read(ids[i])
        if (user.id !== `user-${i}`) throw new Error(`${name} has read another session`)
      }
    },
    { operations: 16_000, aim: 0.9 },
  )

/** The peer replaces what is there, and so loses one of two changes at once. */
const update = () =>
  race(
    'A request changes its session',
    ({ store, ids }) => {
      const random = seeded(42)
      return () => store.change(ids[Math.floor(random() * SESSIONS)])
    },
    { operations: 8_000 },
  )

const life = () =>
  race(
    'Log-in and log-out',
    ({ store }) => {
      let next = SESSIONS
      return async () => store.end(await store.log(next++))
    },
    { operations: 8_000 },
  )

await runParts({ read, update, life }, { only: process.argv[2], rounds: ROUNDS, closers, prepare })
