/**
 * A process that limits, for races of several. It runs what is built, does what its parent asks over IPC, answers each question by number, and
 * ends when the parent is gone. Its one argument is the JSON of `{ url, keyPrefix, dist }`.
 */
import { setTimeout } from 'node:timers/promises'
import { machineMs } from '../rig/machine-ms.mjs'

const { url, keyPrefix, dist } = JSON.parse(process.argv[2])
const from = (file) => import(new URL(file, dist).href)
const { RateLimiterService } = await from('rate-limit/rate-limiter.js')
const { compile } = await from('rate-limit/rules.js')
const { RedisRateLimitStore } = await from('rate-limit/stores/redis.js')
const { RedisConnection } = await from('redis/connection.js')
const { Keyspace } = await from('redis/keyspace.js')

/** Longer than a busy machine takes: a decision that is made without Redis would spoil the count. */
const PATIENCE_MS = 20_000
const silent = { warn() {}, log() {}, debug() {} }
const connection = new RedisConnection({ url, commandTimeout: 2 * PATIENCE_MS }, { logger: silent })
await connection.ready()
const store = new RedisRateLimitStore(connection, connection.door, new Keyspace(keyPrefix), {
  timeoutMs: PATIENCE_MS,
  warn() {},
})
const limiters = {
  'with a deny cache': new RateLimiterService(() => store, { instances: 4, timeout: PATIENCE_MS }),
  'without a deny cache': new RateLimiterService(() => store, { instances: 4, timeout: PATIENCE_MS, denyCache: false }),
}

/** Refusals are remembered from when news are heard on. */
const never = [{ limit: 0, window: '1h', by: 'ip' }]
const remembers = async () =>
  (await limiters['with a deny cache'].consume(never, { ip: `of ${process.pid}` })).source === 'deny-cache'
for (const until = machineMs() + PATIENCE_MS; !(await remembers()); await setTimeout(5)) {
  if (machineMs() > until) throw new Error('no refusal is remembered')
}

const tasks = {
  /** So many at once, each on its own in the store: how many of them passed. */
  async take({ rules, ids, cost, requests, startAt }) {
    const demand = compile(rules).map(({ spec, counter }) => ({ ...counter(ids), spec, cost, most: cost }))
    await setTimeout(Math.max(0, startAt - machineMs()))
    const replies = await Promise.all(Array.from({ length: requests }, () => store.take(demand)))
    return { passed: replies.filter((reply) => reply.every(({ granted }) => granted > 0)).length, sources: ['redis'] }
  },
  /** The same through a limiter, in waves, so that a later one meets what is remembered of the ones before. */
  async consume({ limiter, rules, ids, cost, requests, waves, startAt }) {
    await setTimeout(Math.max(0, startAt - machineMs()))
    const results = []
    for (let wave = 0; wave < waves; wave++) {
      const asked = Array.from({ length: requests / waves }, () => limiters[limiter].consume(rules, ids, cost))
      results.push(...(await Promise.all(asked)))
    }
    const sources = [...new Set(results.map(({ source }) => source))]
    return { passed: results.filter(({ allowed }) => allowed).length, sources }
  },
  async close() {
    for (const limiter of Object.values(limiters)) await limiter.close()
    store.close()
    await connection.close()
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
process.send({ event: 'ready' })
