// `npm run load -w @vextrus/rules-engine`, after `npm run build`: how many evaluations a second one process answers. With REDIS_URL on that Redis,
// else on the memory driver; the rule sets come from the memory of the process either way.
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { setImmediate } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Client, startService } from '@vextrus/service-kit'
import { RedisCacheService, runAsTenant } from '@vextrus/shared/cache'
import { Evaluator } from '../dist/evaluations/evaluator.js'
import { rulesEngine } from '../dist/service.js'

const TENANT = 'aurora-hardware'
const SECONDS = 4
const CONNECTIONS = 16
const BATCH = 100

const evaluation = (at) => ({
  subject: ['invoice.approval', 'order.discount', 'customer.credit'][at % 3],
  facts: { invoice: { total: (at * 37) % 90_000 }, customer: { creditLimit: 10_000 }, order: { quantity: at % 200 } },
})

console.log(`inside the process        ${await insideTheProcess()} evaluations a second`)
const service = spawn(process.execPath, [fileURLToPath(new URL('../dist/main.js', import.meta.url))], {
  env: { ...process.env, PORT: '0' },
  stdio: ['ignore', 'pipe', 'inherit'],
})
try {
  const url = await readyUrl(service)
  console.log(`over HTTP, one at a time  ${await overHttp(url, '/evaluations', evaluation, 1)} evaluations a second`)
  const batch = (at) => ({ evaluations: Array.from({ length: BATCH }, (_, i) => evaluation(at + i)) })
  console.log(
    `over HTTP, ${BATCH} at a time  ${await overHttp(url, '/evaluations/batch', batch, BATCH)} evaluations a second`,
  )
} finally {
  service.kill('SIGTERM')
}

async function insideTheProcess() {
  const redis = process.env.REDIS_URL ? { redis: { url: process.env.REDIS_URL } } : {}
  const { app, close } = await startService(rulesEngine, { port: 0, databasePool: 10, ...redis })
  const evaluator = app.get(Evaluator, { strict: false })
  const perSecond = await runAsTenant(TENANT, () => rate(1, (at) => evaluator.evaluate(TENANT, evaluation(at))))
  const { l1 } = app.get(RedisCacheService).getStatistics()
  await close()
  return `${perSecond} (${((l1.hits / (l1.hits + l1.misses)) * 100).toFixed(2)} % of the reads from L1)`
}

async function overHttp(url, path, body, each) {
  const client = new Client(url, CONNECTIONS)
  let failed = 0
  const perSecond = await rate(CONNECTIONS, async (at) => {
    const { status } = await client.send('POST', path, TENANT, body(at))
    if (status !== 200) failed++
  })
  client.close()
  return `${perSecond * each}${failed > 0 ? ` (${failed} requests failed)` : ''}`
}

/** Calls a second, of `workers` that call one after the other; after a second of the same to get warm. */
async function rate(workers, call) {
  let [done, at] = [0, 0]
  const until = async (end) => {
    while (performance.now() < end) {
      await call(at++)
      // What is answered from memory never leaves the thread: pushes have to get through as they do between requests.
      if (++done % 100 === 0) await setImmediate()
    }
  }
  const spend = (seconds) => {
    const end = performance.now() + seconds * 1_000
    return Promise.all(Array.from({ length: workers }, () => until(end)))
  }
  await spend(1)
  done = 0
  const started = performance.now()
  await spend(SECONDS)
  return Math.round(done / ((performance.now() - started) / 1_000))
}

function readyUrl({ stdout }) {
  return new Promise((resolve, reject) => {
    createInterface({ input: stdout }).on('line', (line) => {
      if (line.startsWith('ready ')) resolve(line.slice('ready '.length))
    })
    stdout.once('end', () => reject(new Error('The service ended before it was ready')))
  })
}
