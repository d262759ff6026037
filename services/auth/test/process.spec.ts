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

it('does not start in production without a key of its own', async () => {
  const { ended, errors } = start({ NODE_ENV: 'production' })
  expect(await ended).toBe(1)
  expect(errors()).toMatch(/^auth could not start: JWT_SIGNING_KEY: /)
})
