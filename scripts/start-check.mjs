// Runs `npm start` as a user does, on free ports: all services get ready and answer, and all leave with 0 within 5 s of SIGTERM.
import { spawn } from 'node:child_process'
import { SERVICES } from './lib/fleet-names.mjs'
import { main, root, say, Stop } from './lib/run.mjs'
import { npm } from './lib/setup.mjs'

const LONGEST_START_MS = 180_000
const LONGEST_END_MS = 5_000

await main(async () => {
  const child = spawn(npm, ['start'], {
    cwd: root,
    env: { ...process.env, PORT: '0', BURST: 'off', DATABASE_URL: '', REDIS_URL: '' },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  const ended = new Promise((resolve) => child.once('close', (code, signal) => resolve(code ?? signal)))
  const urls = await new Promise((resolve, reject) => {
    setTimeout(reject, LONGEST_START_MS, new Stop(`npm start was not ready in ${LONGEST_START_MS} ms`)).unref()
    void ended.then((how) => reject(new Stop(`npm start ended before it was ready (${how}):\n${output}`)))
    child.stdout.on('data', (text) => {
      output += text
      const ready = [...output.matchAll(/^ready (\S+)$/gm)].map(([, url], at) => [SERVICES[at], url])
      if (ready.length === SERVICES.length) resolve(Object.fromEntries(ready))
    })
  }).catch((error) => {
    child.kill('SIGTERM')
    throw error
  })
  const statuses = await Promise.all(SERVICES.map(async (name) => (await fetch(`${urls[name]}/health`)).status))
  const gateway = urls['api-gateway']
  const { logIn, answer, product, notified, logOut, after } = await asPrinted(output, gateway)
  const start = performance.now()
  child.kill('SIGTERM')
  const how = await ended
  const ms = performance.now() - start

  if (statuses.some((status) => status !== 200)) throw new Stop(`GET /health answered ${statuses.join(', ')}`)
  if (logIn.status !== 200 || logOut.status !== 204 || after.status !== 401)
    throw new Stop(
      `log-in, log-out and the token after it: ${[logIn, logOut, after].map(({ status }) => status).join(', ')}`,
    )
  if (answer.status !== 200 || product.id !== 1 || product.tenantId !== 'aurora-hardware')
    throw new Stop(`the gateway answered ${answer.status} ${JSON.stringify(product)} to the token of a log-in`)
  if (notified.status !== 201 || !/data: .*npm start was checked/.test(notified.text))
    throw new Stop(`an announcement was answered with ${notified.status}, and a browser heard: ${notified.text}`)
  if (!/^gateway .* HIT /m.test(output) || !/: 429, ratelimit-policy: .*retry-after: \d/.test(output))
    throw new Stop(`npm start has shown no hit of the gateway, or no refusal:\n${output}`)
  if (how !== 0 || ms > LONGEST_END_MS) throw new Stop(`npm start left with ${how}, ${Math.round(ms)} ms after SIGTERM`)
  for (const source of ['L1 hit', 'L2 hit', 'database']) {
    if (!new RegExp(`^${source} +.*\\d\\.\\d{3} +\\d+\\.\\d{3} +\\d+`, 'm').test(output))
      throw new Stop(`npm start has printed no latency of "${source}":\n${output}`)
  }
  say(`start: ${SERVICES.join(', ')} got ready, answered, and left with 0 after ${Math.round(ms)} ms`)
})

/** As the lines say that are printed for a person: logs in, asks, logs out, and asks again with the same token. */
async function asPrinted(output, gateway) {
  const [, credentials] = /\/auth\/login -d '(.+)'$/m.exec(output) ?? []
  const headers = { 'content-type': 'application/json' }
  const logIn = await fetch(`${gateway}/auth/login`, { method: 'POST', headers, body: credentials })
  const { accessToken } = await logIn.json()
  const ask = (path, method = 'GET') =>
    fetch(`${gateway}${path}`, { method, headers: { authorization: `Bearer ${accessToken}` } })
  const answer = await ask('/master-data/products/1')
  const product = await answer.json()
  const notified = await notification(ask, gateway, accessToken)
  return { logIn, answer, product, notified, logOut: await ask('/auth/logout', 'POST'), after: await ask('/me') }
}

/** A browser listens through the gateway, and hears what is announced after it began. */
async function notification(ask, gateway, accessToken) {
  const stream = await ask('/workflow/notifications')
  const reader = stream.body.pipeThrough(new TextDecoderStream()).getReader()
  let text = (await reader.read()).value
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${accessToken}` }
  const body = JSON.stringify({ text: 'npm start was checked' })
  const announced = await fetch(`${gateway}/workflow/announcements`, { method: 'POST', headers, body })
  const late = setTimeout(() => void reader.cancel(), LONGEST_END_MS)
  for (let part = ''; part !== undefined && !text.includes('data:'); text += part ?? '')
    part = (await reader.read()).value
  clearTimeout(late)
  await reader.cancel()
  return { status: announced.status, text }
}
