import { afterAll, beforeAll, expect, it } from 'vitest'
import { compiledService } from '../../service-kit/test/support/service-process.js'
import { DEMO_ACCOUNTS } from '../src/seed/demo-accounts.js'
import { startPostgres, type TestDatabase } from './support/database.js'

/** The service as it is started: the compiled `dist/main.js` in a process of its own. */

let service: ReturnType<typeof compiledService>
let database: TestDatabase

beforeAll(async () => {
  service = compiledService('services/auth')
  database = await startPostgres()
})

afterAll(async () => {
  service?.killAll()
  await database?.stop()
})

const start = (env: Record<string, string> = {}) =>
  service.start({ PORT: '0', DATABASE_URL: database.url, DATABASE_POOL: '1', ...env })

it('prints ready and its address last, logs in, and leaves with 0 within 5 s of SIGTERM', async () => {
  const { child, ended, lines, errors, ready } = start()
  const url = await ready()
  expect(errors()).toBe('')
  expect(lines().filter((line) => line.startsWith('ready '))).toEqual([`ready ${url}`])
  const [{ tenantId, name, password } = { tenantId: '', name: '', password: '' }] = DEMO_ACCOUNTS
  const response = await fetch(`${url}/login`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ tenantId, name, password }),
  })
  expect([response.status, await response.json()]).toEqual([200, expect.objectContaining({ tokenType: 'Bearer' })])
  const started = performance.now()
  child.kill('SIGTERM')
  expect(await ended).toBe(0)
  expect(performance.now() - started).toBeLessThan(5_000)
})

it('when it ends, those whose password waits to be looked at are told to come again, and not cut off', async () => {
  const { child, ended, ready } = start()
  const url = await ready()
  const [{ tenantId, name, password } = { tenantId: '', name: '', password: '' }] = DEMO_ACCOUNTS
  const logIn = async () => {
    const headers = { 'content-type': 'application/json' }
    const response = await fetch(`${url}/login`, {
      ...{ method: 'POST', headers, body: JSON.stringify({ tenantId, name, password }) },
    })
    return [response.status, response.headers.get('retry-after')] as const
  }
  const all = Array.from({ length: 8 }, logIn)
  await Promise.race(all)
  child.kill('SIGTERM')
  const settled = await Promise.allSettled(all)
  expect(await ended).toBe(0)
  const answers = settled.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []))
  // Two are computed at a time: on a machine that is very busy they last longer than the service does.
  expect(answers.length).toBeGreaterThanOrEqual(6)
  for (const answer of answers)
    expect([
      [200, null],
      [503, '5'],
    ]).toContainEqual(answer)
  expect(answers.map(([status]) => status)).toContain(503)
})

it('does not start in production without a key of its own', async () => {
  const { ended, errors } = start({ NODE_ENV: 'production' })
  expect(await ended).toBe(1)
  expect(errors()).toMatch(/^auth could not start: JWT_SIGNING_KEY: /)
})
