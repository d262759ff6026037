/**
 * Limits beside their peers: decisions a second with one rule and with three, of callers who may pass and of callers who are over the limit; what
 * a decision costs client and server in CPU time; and what a guard adds to a route. A ratio is our throughput over theirs: above 1 we are faster.
 */
import { Redis } from 'ioredis6'
import { guarded } from './lib/guarded.mjs'
import { limiters, ours, remembering, RULES } from './lib/limiters.mjs'
import { interleave, median, printTable, seeded, timesOf } from './lib/rounds.mjs'
import { startRedis } from '../scripts/lib/redis.mjs'

const CALLERS = 100
const USERS = 10_000
const TENANTS = 50
const ROUTES = 20
/** Over the limit; rate-limiter-flexible goes through all that it remembers at each refusal beyond 999. */
const DENIED = 500
const ROUNDS = Number(process.env.ROUNDS ?? 9)
const only = process.argv[2]

const redis = await startRedis()
const closers = [() => redis.stop()]
const isOurs = ({ name }) => name.startsWith('vextrus')
const byUser = (i) => ({ user: `user-${i}` })
const ofTenant = (i) => ({ user: `user-${i}`, tenant: `tenant-${i % TENANTS}`, route: `route-${i % ROUTES}` })

/** The limiters of a list, each opened, with what asks it for so many requests of these users, and is wrong when the answer is another. */
async function opened(list, options, { users = USERS, idsOf = byUser } = {}) {
  const all = Array.from({ length: users }, (_, i) => idsOf(i))
  const contenders = []
  for (const [name, open] of Object.entries(list)) {
    const limiter = await open(redis.port, options)
    closers.push(() => limiter.close())
    const random = seeded(42)
    const next = () => all[Math.floor(random() * users)]
    contenders.push({ name, limiter, all, run: (callers, wanted) => deciding(name, limiter, callers, next, wanted) })
  }
  return contenders
}

/** As `withCallers`, for so cheap an operation that one more promise would be measured. */
function deciding(name, { ask, passes }, callers, next, wanted) {
  return async (count) => {
    let left = count
    let wrong = 0
    const caller = async () => {
      while (left-- > 0) {
        let answer
        try {
          answer = await ask(next())
        } catch (refusal) {
          answer = refusal
        }
        if (passes(answer) !== wanted) wrong++
      }
    }
    await Promise.all(Array.from({ length: callers }, caller))
    if (wrong > 0) throw new Error(`${name} decided ${wrong} of ${count} times wrongly`)
  }
}

async function oneRule() {
  const contenders = await opened(limiters, { rules: RULES.one })
  for (const callers of [CALLERS, 1]) {
    const rows = await interleave(
      contenders.map(({ name, run }) => ({ name, run: run(callers, true) })),
      { rounds: ROUNDS, operations: callers === 1 ? 3_000 : 20_000 },
    )
    printTable(`One rule, ${USERS.toLocaleString('en')} users, ${title(callers)}`, rows)
    besidePeers(rows, callers === 1 ? undefined : 1.5)
  }
}

async function threeRules() {
  const shapes = [
    {
      rules: RULES.scopes,
      what: `the user's, the tenant's and the route's (${TENANTS} tenants, ${ROUTES} routes)`,
      idsOf: ofTenant,
    },
    { rules: RULES.windows, what: 'a second, a minute and an hour of one user', idsOf: byUser },
  ]
  for (const { rules, what, idsOf } of shapes) {
    const [single] = await opened({ 'vextrus, one rule': limiters.vextrus }, { rules: rules.slice(0, 1) }, { idsOf })
    const contenders = await opened(limiters, { rules }, { idsOf })
    for (const callers of [CALLERS, 1]) {
      const rows = await interleave(
        [single, ...contenders].map(({ name, run }) => ({ name, run: run(callers, true) })),
        { rounds: ROUNDS, operations: callers === 1 ? 2_000 : 10_000 },
      )
      printTable(`Three rules in one request, ${what}, ${title(callers)}`, rows)
      const [one, ...others] = rows
      for (const row of others.filter(isOurs)) target(`${row.name}, beside our one rule`, timesOf(row, one), 0.8)
      besidePeers(others)
    }
  }
}

async function denied() {
  const options = { rules: [{ name: 'denied', seconds: 3_600, by: 'user' }], limit: 1 }
  const peers = Object.fromEntries(Object.entries(limiters).filter(([name]) => !isOurs({ name })))
  const asking = await opened({ 'vextrus, no deny cache': ours('token-bucket', false), ...peers }, options, {
    users: DENIED,
  })
  const knowing = await opened(remembering, options, { users: DENIED })
  for (const { all, limiter } of [...asking, ...knowing]) {
    // Once to spend it; once to be refused, and remembered by those that remember.
    for (const ids of [...all, ...all]) await limiter.ask(ids).catch(() => undefined)
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

/** What the main threads of client and server used while each decided, in turns. */
async function cpu() {
  const contenders = await opened(limiters, { rules: RULES.one })
  const costs = await costsOf(
    contenders.map(({ name, run }) => ({ name, run: run(CALLERS, true) })),
    20_000,
  )
  console.log(`\nCPU a decision, one rule, ${title(CALLERS)}`)
  printCosts(costs)
}

/** A route of Nest on Fastify that does nothing, without a guard and behind one; the requests are made by another process. */
async function guard() {
  const { servers, stop } = await guarded(redis.port, { connections: 50, users: USERS })
  closers.push(...servers.map(({ close }) => close), stop)
  const rows = await interleave(servers, { rounds: ROUNDS, operations: 5_000 })
  printTable('A route on Fastify, 50 connections, requests', rows)
  const costs = await costsOf(servers, 5_000)
  console.log('\nCPU a request')
  printCosts(costs)
  for (const { name, client } of costs.slice(1)) {
    console.log(`  → ${name} adds ${(client - costs[0].client).toFixed(1)} µs to ${costs[0].client.toFixed(1)} µs`)
  }
}

/** CPU in µs of an operation of each contender, in this process and in the server's main thread: medians of rounds, in turns. */
async function costsOf(contenders, operations) {
  const server = new Redis({ host: '127.0.0.1', port: redis.port })
  closers.push(() => server.disconnect())
  const spent = contenders.map(() => ({ client: [], server: [] }))
  // The first round warms up.
  for (let round = 0; round <= ROUNDS; round++) {
    for (let turn = 0; turn < contenders.length; turn++) {
      const i = (round + turn) % contenders.length
      const before = await used(server)
      await contenders[i].run(operations)
      const after = await used(server)
      if (round === 0) continue
      for (const side of ['client', 'server']) spent[i][side].push((after[side] - before[side]) / operations)
    }
    process.stderr.write('.')
  }
  process.stderr.write('\n')
  return contenders.map(({ name }, i) => ({ name, client: median(spent[i].client), server: median(spent[i].server) }))
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

function printCosts(costs) {
  const width = Math.max(...costs.map(({ name }) => name.length))
  for (const { name, ...sides } of costs) {
    const [client, server] = [sides.client, sides.server].map((us) => `${us.toFixed(1).padStart(6)} µs`)
    console.log(`  ${name.padEnd(width)} this process ${client}   Redis ${server}`)
  }
}

const title = (callers) => (callers === 1 ? 'one after the other' : `${callers} callers`)

/** Ours, each beside the fastest peer, without and with auto-pipelining; without an aim it is only told. */
function besidePeers(rows, aim) {
  const peers = rows.filter((row) => !isOurs(row))
  const helped = ({ name }) => name.endsWith(', auto-pipelining')
  for (const group of [peers.filter((row) => !helped(row)), peers.filter(helped)]) {
    const fastest = group.reduce((best, row) => (timesOf(row, best) > 1 ? row : best))
    for (const row of rows.filter(isOurs)) {
      if (!row.name.endsWith('no deny cache')) target(`${row.name}, beside ${fastest.name}`, timesOf(row, fastest), aim)
    }
  }
}

function target(what, value, aim) {
  const verdict = aim === undefined ? '' : ` (at least ${aim}) ${value >= aim ? '✓' : '✗'}`
  console.log(`  → ${what}: ${value.toFixed(2)} ×${verdict}`)
}

const parts = { one: oneRule, three: threeRules, denied, cpu, guard }

try {
  if (only !== undefined && !Object.hasOwn(parts, only)) throw new Error(`name one of ${Object.keys(parts).join(', ')}`)
  console.log(
    `Node ${process.version}; ratio = our throughput / theirs, medians of ${ROUNDS} interleaved rounds (lowest–highest)`,
  )
  for (const [name, run] of Object.entries(parts)) if (only === undefined || only === name) await run()
} finally {
  for (const close of closers.reverse()) await close()
}
