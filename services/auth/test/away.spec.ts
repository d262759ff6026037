import { afterAll, beforeAll, expect, it } from 'vitest'
import { type RedisServer, startRedis } from '../../../packages/shared/test/support/redis-server.js'
import { postgresPrograms } from '../../../packages/shared/test/support/real-postgres.js'
import { DEMO_ACCOUNTS } from '../src/seed/demo-accounts.js'
import { startPostgres, type TestDatabase } from './support/database.js'
import { claimsOf, startAuth, startGateway, type TestAuth, type TestGateway, until } from './support/fleet.js'

/** First Redis goes and comes back, then Postgres goes. */

let redis: RedisServer
let database: TestDatabase
let auth: TestAuth
let gateway: TestGateway

beforeAll(async () => {
  ;[redis, database] = await Promise.all([startRedis(), startPostgres()])
  const place = { redis: { url: redis.url }, database }
  auth = await startAuth(place)
  gateway = await startGateway(auth, place)
})
afterAll(async () => {
  await gateway?.close()
  await auth?.close()
  await redis?.stop()
  await database?.stop()
})

it('while Redis is away nobody is let in and no token is believed, guesses are still counted, and afterwards all is as before', async () => {
  const [{ tenantId, name, password } = { tenantId: '', name: '', password: '' }] = DEMO_ACCOUNTS
  const body = { tenantId, name, password }
  const first = (await auth.post('/login', { body })).body
  const token = first.accessToken as string
  await until('the gateway accepts it', async () => (await gateway.get('/finance/it', { token })).status === 200)

  await redis.kill()
  const unavailable = async (answer: ReturnType<TestAuth['get']>) => {
    const { status, headers } = await answer
    expect([status, Number(headers.get('retry-after')) > 0]).toEqual([503, true])
  }
  await unavailable(auth.post('/login', { body }))
  await unavailable(auth.post('/refresh', { body: { refreshToken: first.refreshToken } }))
  await unavailable(auth.get('/me', { token }))
  await unavailable(auth.get('/introspection', { token }))
  await unavailable(auth.post('/logout', { token }))
  await until('the gateway’s memory proves nothing any more', async () => {
    const { status } = await gateway.get('/finance/it', { token })
    expect([200, 503]).toContain(status)
    return status === 503
  })
  gateway.upstream.seen.length = 0
  await unavailable(gateway.get('/finance/it', { token }))
  expect(gateway.upstream.seen).toEqual([])

  const guess = () => auth.post('/login', { body: { ...body, name: 'guessed', password: 'guessed' } })
  const statuses = []
  for (let i = 0; i < 8; i++) statuses.push((await guess()).status)
  expect(statuses.slice(0, 2)).toEqual([401, 401])
  expect(statuses.at(-1)).toBe(429)

  await redis.restart()
  await until('a log-in is possible again', async () => (await auth.post('/login', { body })).status === 200, 60_000)
  // What Redis has lost – this one keeps nothing – is over, and not accepted again.
  expect(await auth.post('/refresh', { body: { refreshToken: first.refreshToken } })).toMatchObject({ status: 401 })
  expect(claimsOf(token)['sub']).toBe(first.user.id)
})

it.skipIf(postgresPrograms === undefined)(
  'while Postgres is away log-ins and refreshes are 503 and cost no attempt; what asks Redis alone goes on',
  async () => {
    const [{ tenantId, name, password } = { tenantId: '', name: '', password: '' }] = DEMO_ACCOUNTS
    const body = { tenantId, name, password }
    const { accessToken: token, refreshToken } = (await auth.post('/login', { body })).body
    await database.stop()
    const unavailable = { status: 503, body: { detail: 'The database is away at the moment: try again later' } }
    // More than a user may fail.
    for (let i = 0; i < 8; i++) expect(await auth.post('/login', { body })).toMatchObject(unavailable)
    const refused = await auth.post('/refresh', { body: { refreshToken } })
    expect(refused).toMatchObject(unavailable)
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
    expect(await auth.get('/me', { token })).toMatchObject(unavailable)
    expect(await auth.get('/introspection', { token })).toMatchObject({ status: 204 })
    expect(await auth.get('/devices', { token })).toMatchObject({ status: 200 })
    expect(await gateway.post('/auth/logout', { token })).toMatchObject({ status: 204 })
  },
)
