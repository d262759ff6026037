// Runs `npm start` as a user does, on free ports: all services get ready and answer, people go their whole way through the gateway
// (`lib/journey.mjs`), and all leave with 0 within 5 s of SIGTERM. First in memory, then on a Redis that is killed and restarted on the way.
import { spawn } from 'node:child_process'
import { SERVICES } from './lib/fleet-names.mjs'
import { walkJourney } from './lib/journey.mjs'
import { startRedis } from './lib/redis.mjs'
import { main, root, say, secondsSince, Stop } from './lib/run.mjs'
import { npm } from './lib/setup.mjs'

const LONGEST_START_MS = 180_000
const LONGEST_END_MS = 5_000

await main(async () => {
  await checkStart('in memory', ['start'], { REDIS_URL: '' })
  // What was revoked, who is logged in and what is to be told outlives the process of this one.
  const redis = await startRedis('--appendonly', 'yes', '--appendfsync', 'always')
  const outage = { begin: () => redis.kill(), end: () => redis.restart() }
  try {
    // Built by the first one.
    await checkStart('on Redis', ['start', '--', '--built'], { REDIS_URL: redis.url }, outage)
  } finally {
    await redis.stop()
  }
})

async function checkStart(where, args, env, outage) {
  const began = performance.now()
  const fleet = await startFleet(args, env)
  const { urls, output } = fleet
  const readyAfter = secondsSince(began)
  const gateway = urls['api-gateway']
  try {
    const statuses = await Promise.all(SERVICES.map(async (name) => (await fetch(`${urls[name]}/health`)).status))
    if (statuses.some((status) => status !== 200)) throw new Stop(`GET /health answered ${statuses.join(', ')}`)
    checkPrinted(output)
    await checkAsPrinted(output, gateway)
    const { DEMO_ACCOUNTS } = await import('../services/auth/dist/seed/demo-accounts.js')
    await walkJourney(gateway, DEMO_ACCOUNTS, outage)
  } catch (error) {
    process.stderr.write(fleet.said())
    await fleet.leave()
    throw error
  }
  const { how, ms } = await fleet.leave()
  if (how !== 0 || ms > LONGEST_END_MS) throw new Stop(`npm start left with ${how}, ${Math.round(ms)} ms after SIGTERM`)
  say(
    `start ${where}: ${SERVICES.join(', ')} got ready in ${readyAfter}, the journey was over after ${secondsSince(began)}, ` +
      `and all left with 0 after ${Math.round(ms)} ms`,
  )
}

/** Resolves when all are ready: their urls, what was printed until then and all that is said, and the way to end them. */
async function startFleet(args, env) {
  const child = spawn(npm, args, {
    cwd: root,
    // The journey's people have addresses of their own, as a proxy before the gateway would say.
    env: { ...process.env, PORT: '0', BURST: 'off', DATABASE_URL: '', TRUSTED_PROXIES: '1', ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  const ended = new Promise((resolve) => child.once('close', (code, signal) => resolve(code ?? signal)))
  const leave = async () => {
    const start = performance.now()
    child.kill('SIGTERM')
    return { how: await ended, ms: performance.now() - start }
  }
  try {
    const urls = await new Promise((resolve, reject) => {
      setTimeout(reject, LONGEST_START_MS, new Stop(`npm start was not ready in ${LONGEST_START_MS} ms`)).unref()
      void ended.then((how) => reject(new Stop(`npm start ended before it was ready (${how}):\n${output}`)))
      child.stdout.on('data', (text) => {
        output += text
        const ready = [...output.matchAll(/^ready (\S+)$/gm)].map(([, url], at) => [SERVICES[at], url])
        if (ready.length === SERVICES.length) resolve(Object.fromEntries(ready))
      })
    })
    return { urls, output, said: () => output, leave }
  } catch (error) {
    await leave()
    throw error
  }
}

/** What `npm start` shows a person. */
function checkPrinted(output) {
  if (!/^gateway .* HIT /m.test(output) || !/: 429, ratelimit-policy: .*retry-after: \d/.test(output))
    throw new Stop(`npm start has shown no hit of the gateway, or no refusal:\n${output}`)
  for (const source of ['L1 hit', 'L2 hit', 'database']) {
    if (!new RegExp(`^${source} +.*\\d\\.\\d{3} +\\d+\\.\\d{3} +\\d+`, 'm').test(output))
      throw new Stop(`npm start has printed no latency of "${source}":\n${output}`)
  }
}

/** As the lines say that are printed for a person: logs in, asks, logs out, and asks again with the same token. */
async function checkAsPrinted(output, gateway) {
  const [, credentials] = /\/auth\/login -d '(.+)'$/m.exec(output) ?? []
  const headers = { 'content-type': 'application/json' }
  const logIn = await fetch(`${gateway}/auth/login`, { method: 'POST', headers, body: credentials })
  const { accessToken } = await logIn.json()
  const ask = (path, method = 'GET') =>
    fetch(`${gateway}${path}`, { method, headers: { authorization: `Bearer ${accessToken}` } })
  const answer = await ask('/master-data/products/1')
  const product = await answer.json()
  const [logOut, after] = [await ask('/auth/logout', 'POST'), await ask('/me')]
  if (logIn.status !== 200 || logOut.status !== 204 || after.status !== 401)
    throw new Stop(
      `log-in, log-out and the token after it: ${[logIn, logOut, after].map(({ status }) => status).join(', ')}`,
    )
  if (answer.status !== 200 || product.id !== 1 || product.tenantId !== 'aurora-hardware')
    throw new Stop(`the gateway answered ${answer.status} ${JSON.stringify(product)} to the token of a log-in`)
}
