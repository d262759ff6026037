// `npm run load -w @vextrus/rules-engine`, after `npm run build`: how many evaluations a second one process answers. With REDIS_URL on that Redis,
// else on the memory driver; the rule sets come from the memory of the process either way. On a machine that has other things to do, the figure to
// look at is that for each second of the process's own processor time.
import { spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
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

console.log(`inside the process        ${await insideTheProcess()}`)
const service = spawn(process.execPath, [fileURLToPath(new URL('../dist/main.js', import.meta.url))], {
  env: { ...process.env, PORT: '0' },
  stdio: ['ignore', 'pipe', 'inherit'],
})
try {
  const url = await readyUrl(service)
  console.log(`over HTTP, one at a time  ${await overHttp(url, '/evaluations', evaluation, 1)}`)
  const batch = (at) => ({ evaluations: Array.from({ length: BATCH }, (_, i) => evaluation(at + i)) })
  console.log(`over HTTP, ${BATCH} at a time  ${await overHttp(url, '/evaluations/batch', batch, BATCH)}`)
} finally {
  service.kill('SIGTERM')
}

async function insideTheProcess() {
  const redis = process.env.REDIS_URL ? { redis: { url: process.env.REDIS_URL } } : {}
  const { app, close } = await startService(rulesEngine, { port: 0, databasePool: 10, ...redis })
  const evaluator = app.get(Evaluator, { strict: false })
  const call = (at) => evaluator.evaluate(TENANT, evaluation(at))
  const speed = await runAsTenant(TENANT, () => rate({ workers: 1, each: 1, pid: process.pid, call }))
  const { l1 } = app.get(RedisCacheService).getStatistics()
  await close()
  return `${speed}, ${((l1.hits / (l1.hits + l1.misses)) * 100).toFixed(2)} % of the reads from L1`
}

async function overHttp(url, path, body, each) {
  const client = new Client(url, CONNECTIONS)
  let failed = 0
  const call = async (at) => {
    const { status } = await client.send('POST', path, TENANT, body(at))
    if (status !== 200) failed++
  }
  const speed = await rate({ workers: CONNECTIONS, each, pid: service.pid, call })
  client.close()
  return `${speed}${failed > 0 ? `, ${failed} requests failed` : ''}`
}

/** Evaluations a second – `each` in a call – of `workers` that call one after the other; after a second of the same to get warm. */
async function rate({ workers, each, pid, call }) {
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
  const [started, used] = [performance.now(), processorSeconds(pid)]
  await spend(SECONDS)
  const perSecond = (done * each) / ((performance.now() - started) / 1_000)
  const perProcessorSecond = used === undefined ? '' : ` (${whole((done * each) / (processorSeconds(pid) - used))})`
  return `${whole(perSecond)} evaluations a second${perProcessorSecond}`
}

function whole(number) {
  return Math.round(number).toLocaleString('en')
}

/** What a process has used so far, where the system tells: Linux, in hundredths of a second (proc(5), fields 14 and 15). */
function processorSeconds(pid) {
  const file = `/proc/${pid}/stat`
  if (!existsSync(file)) return undefined
  const fields = readFileSync(file, 'utf8').split(') ')[1].split(' ')
  return (Number(fields[11]) + Number(fields[12])) / 100
}

function readyUrl({ stdout }) {
  return new Promise((resolve, reject) => {
    createInterface({ input: stdout }).on('line', (line) => {
      if (line.startsWith('ready ')) resolve(line.slice('ready '.length))
    })
    stdout.once('end', () => reject(new Error('The service ended before it was ready')))
  })
}
