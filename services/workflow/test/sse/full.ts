import { type EmbeddedPostgres, startEmbeddedPostgres } from '@vextrus/service-kit'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type RedisServer, startRedis } from '../../../../packages/shared/test/support/redis-server.js'
import { compiledService } from '../../../service-kit/test/support/service-process.js'
import { runSse } from '../support/sse-run.js'

/** The long run: `scripts/sse.mjs` starts it, and says its size. */

const given = JSON.parse(process.env['SSE_RUN'] ?? '{}') as Record<string, string>
const size = (name: string, otherwise: number) => Number(given[name] ?? otherwise)

let service: ReturnType<typeof compiledService>
let database: EmbeddedPostgres
let redis: RedisServer

beforeAll(async () => {
  service = compiledService('services/workflow')
  ;[database, redis] = await Promise.all([startEmbeddedPostgres(), startRedis()])
})

afterAll(async () => {
  service?.killAll()
  await redis?.stop()
  await database?.stop()
})

it('many browsers have every message once and in order, in bounded memory', async () => {
  const env = { PORT: '0', DATABASE_URL: database.url, DATABASE_POOL: '1', REDIS_URL: redis.url }
  const { child, ready, errors } = service.start(env)
  const url = await ready()
  const [clients, seconds, rate, broadcasts] = [
    size('clients', 1_000),
    size('seconds', 30),
    size('rate', 1_000),
    size('broadcasts', 10),
  ]
  const say = (line: string) => void process.stdout.write(`  ${line}\n`)
  const result = await runSse(
    { url, redis, say, ...(child.pid !== undefined && { pid: child.pid }) },
    {
      ...{ clients, seconds, messagesPerSecond: rate, broadcastsPerSecond: broadcasts },
      ...{ cuts: size('cuts', 2), slow: size('slow', 5) },
    },
  )
  say(JSON.stringify({ ...result, faults: result.faults.length }))
  say(errors())
  expect(result.faults.slice(0, 10)).toEqual([])
  expect(result.delivered).toBe(result.messages + clients * result.broadcasts)
  expect(result.slowDropped).toBe(size('slow', 5))
  // 1,000 streams cost some 60 MB; what slow ones hold is bounded one by one.
  if (result.rssMb !== undefined) expect(result.rssMb.most - result.rssMb.before).toBeLessThan(256)
  expect(child.exitCode).toBeNull()
}, 600_000)
