import { afterAll, beforeAll, expect, it } from 'vitest'
import { patient, startServers } from '../../service-kit/test/support/servers.js'
import { startTestService, type TestService } from './support/service.js'
import { runSse } from './support/sse-run.js'

/** The run of `npm run sse -w @vextrus/workflow`, small. */

const servers = startServers()
let api: TestService

beforeAll(async () => {
  api = await startTestService(servers.database, patient(servers.redis))
})

afterAll(async () => {
  await api?.close()
})

it('50 browsers have every message once and in order, though Redis is cut and some of them leave; slow ones are dropped', async () => {
  const size = { clients: 50, seconds: 3, messagesPerSecond: 100, broadcastsPerSecond: 5, cuts: 1, slow: 1 }
  const result = await runSse({ url: api.url, redis: servers.redis, beat: () => api.notifications.beat() }, size)
  expect(result.faults).toEqual([])
  expect(result).toMatchObject({ messages: 300, broadcasts: 15, delivered: 300 + 50 * 15, slowDropped: 1 })
  expect(result.reconnects).toBeGreaterThanOrEqual(5)
})
