/**
 * Limits beside their peers: decisions a second with one rule and with three, of callers who may pass and of callers who are over the limit,
 * and what a decision costs client and server in CPU time. A ratio is our throughput over theirs: above 1 we are faster.
 */
import { Redis } from 'ioredis6'
import { limiters, ours, remembering } from './lib/limiters.mjs'
import { interleave, median, printTable, seeded, timesOf } from './lib/rounds.mjs'
import { startRedis } from '../scripts/lib/redis.mjs'

const CALLERS = 100
const USERS = 10_000
/** Over the limit; rate-limiter-flexible goes through all that it remembers at each refusal beyond 999. */
const DENIED = 500
const ROUNDS = Number(process.env.ROUNDS ?? 9)
const only = process.argv[2]

const redis = await startRedis()
const closers = [() => redis.stop()]
const isOurs = ({ name }) => name.startsWith('vextrus')

/** The limiters of a list, each opened, with what asks for the next of so many users and is wrong when the answer is another. */
async function opened(list, options, users = USERS) {
  const names = Array.from({ length: users }, (_, i) => `user-${i}`)
  const contenders = []
  for (const [name, open] of Object.entries(list)) {
    const limiter = await open(redis.port, options)
    closers.push(() => limiter.close())
    const random = seeded(42)
    const next = () => limiter.decide(names[Math.floor(random() * users)])
    contenders.push({ name, decide: limiter.decide, run: (callers, wanted) => deciding(name, callers, next, wanted) })
  }
  return contenders
}

/** As `withCallers`, for so cheap an operation that a promise more would be measured. */
function deciding(name, callers, next, wanted) {
  return async (count) => {
    let left = count
    let wrong = 0
    const caller = async () => {
      while (left-- > 0) if ((await next()) !== wanted) wrong++
    }
    await Promise.all(Array.from({ length: callers }, caller))
    if (wrong > 0) throw new Error(`${name} decided ${wrong} of ${count} times wrongly`)
  }
}

async function oneRule() {
  const contenders = await opened(limiters, { rules: 1 })
  for (const callers of [CALLERS, 1]) {
    const rows = await interleave(
      contenders.map(({ name, run }) => ({ name, run: run(callers, true) })),
      { rounds: ROUNDS, operations: callers === 1 ? 3_000 : 20_000 },
    )
    printTable(`One rule, ${USERS.toLocaleString('en')} users, ${title(callers)}`, rows)
    if (callers === CALLERS) besidePeers(rows, 1.5)
  }
}

async function threeRules() {
  const [single] = await opened({ vextrus: limiters.vextrus }, { rules: 1 })
  const contenders = await opened(limiters, { rules: 3 })
  const rows = await interleave(
    [{ ...single, name: 'vextrus, one rule' }, ...contenders].map(({ name, run }) => ({
      name,
      run: run(CALLERS, true),
    })),
    { rounds: ROUNDS, operations: 10_000 },
  )
  printTable(`Three rules in one request, ${title(CALLERS)}`, rows)
  const [one, ...others] = rows
  for (const row of others.filter(isOurs)) target(`${row.name}, beside our one rule`, timesOf(row, one), 0.8)
  besidePeers(others)
}

async function denied() {
  const limit = 1
  const options = { rules: 1, limit, seconds: 3_600 }
  const askRedis = { 'vextrus, no deny cache': ours('token-bucket', false), ...without(limiters, /^vextrus/) }
  const asking = await opened(askRedis, options, DENIED)
  const knowing = await opened(remembering, options, DENIED)
  for (const { decide } of [...asking, ...knowing]) {
    // Twice: once to spend it, once to be refused, and remembered by those that remember.
    for (let i = 0; i < 2 * DENIED; i++) await decide(`user-${i % DENIED}`)
  }
  const rows = await interleave(
    [...knowing, ...asking].map((contender) => ({
      name: contender.name,
      run: contender.run(CALLERS, false),
      operations: knowing.includes(contender) ? 200_000 : 10_000,
    })),
    { rounds: ROUNDS, operations: 10_000 },
  )
  printTable(`${DENIED} users over their limit, ${title(CALLERS)}`, rows)
  const [own, block, ...others] = rows
  target(`beside ${block.name}`, timesOf(own, block), 1)
  besidePeers([own, ...others], 20)
}

/** What the main threads used while each decided, in turns; ours and theirs alike without what the other contenders' clients do. */
async function cpu() {
  const contenders = await opened(limiters, { rules: 1 })
  const server = new Redis({ host: '127.0.0.1', port: redis.port })
  closers.push(() => server.disconnect())
  const operations = 20_000
  const spent = contenders.map(() => ({ client: [], server: [] }))
  for (let round = 0; round <= ROUNDS; round++) {
    for (let turn = 0; turn < contenders.length; turn++) {
      const i = (round + turn) % contenders.length
      const before = await used(server)
      await contenders[i].run(CALLERS, true)(operations)
      const after = await used(server)
      // The first round warms up.
      if (round > 0)
        for (const side of ['client', 'server']) spent[i][side].push((after[side] - before[side]) / operations)
    }
    process.stderr.write('.')
  }
  console.log(`\n\nCPU a decision, one rule, ${title(CALLERS)}, µs`)
  const width = Math.max(...contenders.map(({ name }) => name.length))
  contenders.forEach(({ name }, i) => {
    const [client, at] = [median(spent[i].client), median(spent[i].server)].map((us) => us.toFixed(1).padStart(6))
    console.log(`  ${name.padEnd(width)} client ${client}   server ${at}`)
  })
}

/** CPU time in µs of this process and of the server's main thread. */
async function used(server) {
  const info = await server.info('cpu')
  const seconds = (name) => Number(new RegExp(`^${name}:([\\d.]+)`, 'm').exec(info)[1])
  const { user, system } = process.cpuUsage()
  return {
    client: user + system,
    server: (seconds('used_cpu_user_main_thread') + seconds('used_cpu_sys_main_thread')) * 1e6,
  }
}

const title = (callers) => (callers === 1 ? 'one after the other' : `${callers} callers`)

function without(list, pattern) {
  return Object.fromEntries(Object.entries(list).filter(([name]) => !pattern.test(name)))
}

/** Ours, each beside the fastest peer, with and without auto-pipelining; without an aim it is only told. */
function besidePeers(rows, aim) {
  const peers = rows.filter((row) => !isOurs(row))
  const helped = ({ name }) => name.endsWith(', auto-pipelining')
  for (const group of [peers.filter((row) => !helped(row)), peers.filter(helped)]) {
    const fastest = group.reduce((best, row) => (timesOf(row, best) > 1 ? row : best))
    for (const row of rows.filter(isOurs)) {
      if (row.name.endsWith('no deny cache')) continue
      target(`${row.name}, beside ${fastest.name}`, timesOf(row, fastest), aim)
    }
  }
}

function target(what, value, aim) {
  const verdict = aim === undefined ? '' : ` (at least ${aim}) ${value >= aim ? '✓' : '✗'}`
  console.log(`  → ${what}: ${value.toFixed(2)} ×${verdict}`)
}

const parts = { one: oneRule, three: threeRules, denied, cpu }

try {
  console.log(
    `Node ${process.version}; ratio = our throughput / theirs, medians of ${ROUNDS} interleaved rounds (lowest–highest)`,
  )
  for (const [name, run] of Object.entries(parts)) if (only === undefined || only === name) await run()
} finally {
  for (const close of closers.reverse()) await close()
}
