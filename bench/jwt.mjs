/**
 * Checks whether tokens are revoked, beside a raw `GET` by ioredis for each: from memory, where every revocation is heard, and by round trip.
 * A ratio is our throughput over theirs: above 1 we are faster.
 */
import { fork } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { Redis } from 'ioredis6'
import { openBlacklistOn } from './lib/ours.mjs'
import { interleave, printTable, seeded, timesOf } from './lib/rounds.mjs'
import { runParts, target, title } from './lib/targets.mjs'
import { startRedis } from '../scripts/lib/redis.mjs'

const CALLERS = 100
const TOKENS = 2_000
/** One in so many is revoked. */
const REVOKED = 50
const PROCESSES = 4
const REVOCATIONS = 500
const WARM_UP = 20
const ROUNDS = Number(process.env.ROUNDS ?? 9)

const redis = await startRedis()
const closers = [() => redis.stop()]
const where = { host: '127.0.0.1', port: redis.port }
const exp = Math.floor(Date.now() / 1_000) + 86_400
const tokens = Array.from({ length: TOKENS }, (_, i) => tokenOf(i))
const isRevoked = (i) => i % REVOKED === 0

/** The claims of an access token, those that ours asks least and most about, and its text. */
function tokenOf(i) {
  const simple = { jti: `jti-${i}`, sub: `user-${i}`, iat: exp - 86_400, exp }
  const full = { ...simple, tenantId: `tenant-${i % 50}`, fam: `family-${i}` }
  const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url')
  // Nobody looks at the signature here.
  const text = Buffer.from(
    `${part({ alg: 'ES256', typ: 'JWT' })}.${part(full)}.${randomBytes(64).toString('base64url')}`,
  )
  return { simple, full, text }
}

async function blacklist(options) {
  const opened = await openBlacklistOn(where, 'vextrus:', options)
  closers.push(opened.close)
  return opened
}

async function raw(options) {
  const client = new Redis({ ...where, lazyConnect: true, ...options })
  await client.connect()
  closers.push(() => client.disconnect())
  return client
}

/** What is asked about a token; the text is another one for each request, as it is when it comes from the network. */
const asked = {
  'jti and user': ({ simple }) => [simple],
  'jti, user, tenant, family': ({ full }) => [full],
  'and the token itself': ({ full, text }) => [full, text.latin1Slice()],
}

/** As `withCallers`, for so cheap an operation that one more promise would be measured; every answer is checked. */
function checking(name, blacklist, argumentsOf, callers) {
  const random = seeded(42)
  return async (count) => {
    let left = count
    let wrong = 0
    const caller = async () => {
      while (left-- > 0) {
        const i = Math.floor(random() * TOKENS)
        if ((await blacklist.isRevoked(...argumentsOf(tokens[i]))) !== isRevoked(i)) wrong++
      }
    }
    await Promise.all(Array.from({ length: callers }, caller))
    if (wrong > 0) throw new Error(`${name} was wrong of ${wrong} tokens of ${count}`)
  }
}

function getting(client, callers, keys) {
  const random = seeded(42)
  return async (count) => {
    let left = count
    const caller = async () => {
      while (left-- > 0) {
        const i = Math.floor(random() * TOKENS)
        const [value] = await Promise.all(keys.map((key) => client.get(`${key}-${i}`)))
        if ((value !== null) !== isRevoked(i)) throw new Error('GET answered another value')
      }
    }
    await Promise.all(Array.from({ length: callers }, caller))
  }
}

const clients = {}
async function prepare() {
  clients.plain = await raw({})
  clients.pipelining = await raw({ enableAutoPipelining: true })
  const { blacklist: any } = await blacklist({ near: false })
  for (let i = 0; i < TOKENS; i += REVOKED) {
    await any.revoke(tokens[i].simple)
    await clients.plain.set(`jti-${i}`, '1')
  }
}

/** Ours knows all the answers; the `GET`s of the peer can't. */
async function near() {
  // One for each: a service asks about a token in one way.
  const ours = {}
  for (const what of Object.keys(asked)) ours[what] = await blacklist({})
  const asks = () => Object.values(ours).reduce((sum, { asked: count }) => sum + count(), 0)
  for (const callers of [CALLERS, 1]) {
    const all = Object.entries(asked).map(([what, argumentsOf]) => ({
      name: `vextrus, ${what}`,
      run: checking(what, ours[what].blacklist, argumentsOf, callers),
      operations: 100_000,
    }))
    for (const [what, argumentsOf] of Object.entries(asked)) {
      for (const token of tokens) await ours[what].blacklist.isRevoked(...argumentsOf(token))
    }
    const before = asks()
    const rows = await interleave(
      [
        ...all,
        { name: 'a GET', run: getting(clients.plain, callers, ['jti']) },
        { name: 'a GET, auto-pipelining', run: getting(clients.pipelining, callers, ['jti']) },
      ],
      { rounds: ROUNDS, operations: callers === 1 ? 4_000 : 20_000 },
    )
    printTable(`A check from memory, of ${TOKENS.toLocaleString('en')} tokens, ${title(callers)}`, rows)
    // A revoked token whose id is known to be is not asked about further; none of all was a question to Redis.
    if (asks() !== before)
      console.log(`  (${asks() - before} questions went to Redis: the machine was too busy to prove freshness)`)
    const gets = rows.slice(all.length)
    for (const row of rows.slice(0, all.length)) {
      for (const get of gets) target(`${row.name}, beside ${get.name}`, timesOf(row, get), 20)
    }
  }
}

/** Where nothing is kept in memory: a round trip a check, which all callers of a tick share. */
async function far() {
  const { blacklist: ours } = await blacklist({ near: false })
  for (const callers of [CALLERS, 1]) {
    const rows = await interleave(
      [
        ...Object.entries(asked).map(([what, argumentsOf]) => ({
          name: `vextrus, ${what}`,
          run: checking(what, ours, argumentsOf, callers),
        })),
        { name: 'two GETs', run: getting(clients.plain, callers, ['jti', 'user']) },
        { name: 'two GETs, auto-pipelining', run: getting(clients.pipelining, callers, ['jti', 'user']) },
      ],
      { rounds: ROUNDS, operations: callers === 1 ? 3_000 : 10_000 },
    )
    printTable(`A check by round trip, ${title(callers)}`, rows)
  }
}

/** From the answer to a revocation until each of four other processes refuses the token, which all had been told is valid. */
async function push() {
  const { blacklist: ours } = await blacklist({})
  const workers = Array.from({ length: PROCESSES }, () =>
    fork(new URL('lib/revocation-worker.mjs', import.meta.url)).setMaxListeners(0),
  )
  closers.push(() => Promise.all(workers.map((worker) => worker.exitCode === null && end(worker))))
  const answers = () => Promise.all(workers.map(async (worker) => (await once(worker, 'message'))[0]))
  const tell = (message) => {
    for (const worker of workers) worker.send(message)
    return answers()
  }
  const late = []
  for (let i = 0; i < REVOCATIONS + WARM_UP; i++) {
    const claims = { jti: `pushed-${i}`, sub: `user-${i}`, iat: exp - 86_400, exp }
    await tell({ port: redis.port, claims })
    const refusing = answers()
    await ours.revoke(claims)
    const acknowledged = performance.timeOrigin + performance.now()
    for (const { refusedAt } of await refusing) if (i >= WARM_UP) late.push(Math.max(0, refusedAt - acknowledged))
  }
  late.sort((one, other) => one - other)
  const quantile = (share) => late[Math.ceil(share * late.length) - 1].toFixed(1)
  console.log(
    `\n${REVOCATIONS} revocations, ms until each of ${PROCESSES} other processes refuses, which ask each ms\n` +
      `  p50 ${quantile(0.5)}, p99 ${quantile(0.99)}, the last ${quantile(1)} (p99 at most 50)`,
  )
}

async function end(worker) {
  worker.send({})
  await once(worker, 'exit')
}

await runParts({ near, far, push }, { only: process.argv[2], rounds: ROUNDS, closers, prepare })
