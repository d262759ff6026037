import { afterAll, beforeAll, expect, it } from 'vitest'
import { type RedisServer, startRedis } from '../../../packages/shared/test/support/redis-server.js'
import { compiledService } from '../../service-kit/test/support/service-process.js'
import { startDatabase, TENANT, type TestDatabase } from './support/service.js'

/** The service as it is started: the compiled `dist/main.js` in a process of its own. */

let service: ReturnType<typeof compiledService>
let database: TestDatabase
let redis: RedisServer

beforeAll(async () => {
  service = compiledService('services/finance')
  ;[database, redis] = await Promise.all([startDatabase(), startRedis()])
})

afterAll(async () => {
  service?.killAll()
  await redis?.stop()
  await database?.stop()
})

const start = (env: Record<string, string>) =>
  service.start({ PORT: '0', DATABASE_URL: database.url, DATABASE_POOL: '1', ...env })

it('prints ready and its address last, issues an invoice, and leaves with 0 within 5 s of SIGTERM', async () => {
  const { child, ended, lines, errors, ready } = start({ REDIS_URL: redis.url })
  const url = await ready()
  expect(errors()).toBe('')
  expect(lines().filter((line) => line.startsWith('ready '))).toEqual([`ready ${url}`])
  const send = async (method: string, path: string, body: object) => {
    const headers = { 'content-type': 'application/json', 'x-tenant-id': TENANT }
    const response = await fetch(`${url}${path}`, { method, headers, body: JSON.stringify(body) })
    return (await response.json()) as { id: number; number: string }
  }
  const line = { description: 'Claw hammer', quantity: 2, unitPrice: 1_250 }
  const { id } = await send('POST', '/invoices', { customerId: 1, lines: [line] })
  expect(await send('PATCH', `/invoices/${id}/status`, { status: 'ISSUED' })).toMatchObject({ number: 'INV-00000041' })

  const started = performance.now()
  child.kill('SIGTERM')
  expect(await ended).toBe(0)
  expect(performance.now() - started).toBeLessThan(5_000)
})

it('leaves with 0 within 5 s also while a request waits for a lock of a Redis that hangs', async () => {
  const { child, ended, ready } = start({ REDIS_URL: redis.url })
  const url = await ready()
  redis.pause()
  try {
    const cut = fetch(`${url}/stock/ITEM-001/deductions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-tenant-id': TENANT },
      body: JSON.stringify({ reference: 'cut', quantity: 1 }),
    }).then(
      ({ status }) => status,
      () => 'cut',
    )
    // Came after it, and was answered: so the first one is there.
    expect((await fetch(`${url}/health`)).status).toBe(200)
    const started = performance.now()
    child.kill('SIGTERM')
    expect(await ended).toBe(0)
    expect(performance.now() - started).toBeLessThan(5_000)
    expect([503, 'cut']).toContain(await cut)
  } finally {
    redis.resume()
  }
})

it('names a variable that it can’t use, and leaves with 1', async () => {
  const { ended, errors } = start({ PORT: 'http' })
  expect(await ended).toBe(1)
  expect(errors()).toMatch(/^finance could not start: PORT/)
})
