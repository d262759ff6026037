import { RedisCacheService } from '@vextrus/shared/cache'
import { DataSource } from 'typeorm'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import {
  postgresPrograms,
  type RealPostgres,
  startRealPostgres,
} from '../../../packages/shared/test/support/real-postgres.js'
import { type RedisServer, startRedis } from '../../../packages/shared/test/support/redis-server.js'
import { TcpProxy } from '../../../packages/shared/test/support/tcp-proxy.js'
import { Prng } from '../src/seed/prng.js'
import { patient } from '../../service-kit/test/support/servers.js'
import { startTestService, TENANT, type TestService, until } from './support/service.js'

/** What only a real Postgres can show: transactions of several processes at the same time. Runs where its server is installed. */
describe.skipIf(postgresPrograms === undefined)('two services on one Postgres and one Redis', () => {
  let postgres: RealPostgres
  let redisServer: RedisServer
  let services: TestService[]

  beforeAll(async () => {
    ;[postgres, redisServer] = await Promise.all([startRealPostgres(postgresPrograms ?? ''), startRedis()])
    const database = { url: postgres.url, poolSize: 10 }
    // At the same time, on an empty database: one migrates and seeds, the other waits.
    services = await Promise.all([0, 1].map(() => startTestService(database, patient(redisServer))))
  })

  afterAll(async () => {
    await Promise.all((services ?? []).map((service) => service.close()))
    await redisServer?.stop()
    await postgres?.stop()
  })

  const query = <T>(sql: string, ...parameters: unknown[]): Promise<T[]> =>
    services[0]!.app.get(DataSource).query(sql, parameters)

  it('migrate and seed it once between them', async () => {
    const [counts] = await query(
      'SELECT (SELECT count(*)::int FROM products) AS products, (SELECT count(*)::int FROM seed_runs) AS runs',
    )
    expect(counts).toEqual({ products: 10_000, runs: 1 })
  })

  it('start again on it without touching it', async () => {
    const again = await startTestService({ url: postgres.url, poolSize: 2 })
    expect((await again.get('/products/1')).status).toBe(200)
    await again.close()
    expect(await query('SELECT 1 FROM seed_runs')).toHaveLength(1)
  })

  it('what one writes the other reads', async () => {
    const [one, other] = services as [TestService, TestService]
    await other.get('/products/100')
    const { body } = await one.send('PATCH', '/products/100', { unitPrice: '1.23' })
    // Its memory may be a push behind.
    const version = async () => (await other.get('/products/100')).body.version
    await until('the other has heard of it', async () => (await version()) === body.version)
    const reply = await other.get('/products/100')
    expect({ cache: reply.cache, body: reply.body }).toEqual({ cache: 'HIT', body })
    await one.send('DELETE', '/products/100')
    await until('it is gone there', async () => (await other.get('/products/100')).status === 404)
  })

  it('after a storm of reads, updates, bulk changes and deletions both answer what the database holds', async () => {
    const random = new Prng(3)
    const [products, customers] = [range(1, 12), range(1, 6)]
    const doomed = 12
    const requests = Array.from({ length: 800 }, (_, i) => {
      const service = random.pick(services)
      const id = random.pick(products)
      const dice = random.float()
      if (i === 500) return () => service.send('DELETE', `/products/${doomed}`)
      if (dice < 0.5) return () => service.get(`/products/${id}`)
      if (dice < 0.8) return () => service.send('PATCH', `/products/${id}`, { stock: i })
      if (dice < 0.82) {
        return () => service.send('POST', '/products/price-changes', { categoryId: random.int(1, 6), percent: 1 })
      }
      if (dice < 0.92) return () => service.send('PATCH', `/customers/${random.pick(customers)}`, { name: `N ${i}` })
      return () => service.get(`/customers/${random.pick(customers)}`)
    })
    const statuses = new Set<number>()
    await Promise.all(
      range(1, 24).map(async () => {
        for (let next = requests.shift(); next !== undefined; next = requests.shift())
          statuses.add((await next()).status)
      }),
    )
    expect([...statuses].filter((status) => ![200, 204, 404].includes(status))).toEqual([])

    let hits = 0
    for (const [table, ids, fields] of [
      ['products', products, 'stock, unit_price AS "unitPrice", version'],
      ['customers', customers, 'name, version'],
    ] as const) {
      for (const id of ids) {
        const [row] = await query<object>(`SELECT ${fields} FROM ${table} WHERE id = $1 AND tenant_id = $2`, id, TENANT)
        for (const service of services) {
          const { status, cache, body } = await service.get(`/${table}/${id}`)
          if (cache === 'HIT') hits++
          if (row === undefined) expect(status).toBe(404)
          else expect(body).toMatchObject(row)
        }
      }
    }
    expect(await query('SELECT 1 FROM products WHERE id = $1', doomed)).toEqual([])
    expect(hits).toBeGreaterThan(10)
  })

  it.each(['products', 'customers'])(
    'updates of one row at the same moment leave the last one in the cache (%s)',
    async (table) => {
      for (let round = 0; round < 40; round++) {
        const id = 200 + (round % 4)
        await Promise.all(
          range(1, 8).map((i) =>
            services[i % 2]!.send('PATCH', `/${table}/${id}`, { name: `Round ${round}, writer ${i}` }),
          ),
        )
        const [row] = await query<object>(`SELECT name, version FROM ${table} WHERE id = $1`, id)
        for (const service of services) expect((await service.get(`/${table}/${id}`)).body).toMatchObject(row!)
      }
    },
  )

  it.each([
    ['a changed product', '/products/300', 'PATCH', { unitPrice: '3.21' }],
    ['a deleted product', '/products/301', 'DELETE', undefined],
    ['products changed in bulk', '/products/302', 'POST', undefined],
    ['a changed customer', '/customers/150', 'PATCH', { name: 'Renamed Works' }],
    ['a deleted customer', '/customers/151', 'DELETE', undefined],
  ] as const)(
    'a writer that is cut off between its commit and the invalidation leaves no old %s',
    async (_, path, method, body) => {
      const [reader] = services as [TestService]
      const [table, id] = path.slice(1).split('/') as [string, string]
      const proxy = await TcpProxy.to(redisServer.port)
      const writer = await startTestService(
        { url: postgres.url, poolSize: 4 },
        { url: `redis://127.0.0.1:${proxy.port}` },
      )
      // Keeps the writer waiting inside its transaction, and then lets it commit.
      const holder = services[1]!.app.get(DataSource).createQueryRunner()
      try {
        await until('the writer has Redis', async () => (await writer.get(path)).cache === 'HIT')
        await until('the reader has it cached', async () => (await reader.get(path)).cache === 'HIT')
        const { categoryId } = (await reader.get(path)).body
        await holder.startTransaction()
        await holder.query(`SELECT 1 FROM ${table} WHERE id = $1 FOR UPDATE`, [Number(id)])
        const bulk = { categoryId, percent: 10 }
        const write =
          method === 'POST' ? writer.send('POST', '/products/price-changes', bulk) : writer.send(method, path, body)
        await until('the writer waits for the row', async () => {
          const [{ waiting } = { waiting: 0 }] = await query<{ waiting: number }>(
            `SELECT count(*)::int AS waiting FROM pg_stat_activity WHERE wait_event_type = 'Lock'`,
          )
          return waiting === 1
        })
        // From here on it can tell Redis nothing.
        await proxy.stop()
        await holder.commitTransaction()
        expect((await write).status).toBeLessThan(300)
        const [row] = await query<{ version: number }>(`SELECT version FROM ${table} WHERE id = $1`, Number(id))
        const { status, body: read } = await reader.get(path)
        if (row === undefined) expect(status).toBe(404)
        else expect({ status, version: read.version }).toEqual({ status: 200, version: row.version })
      } finally {
        await holder.release()
        await writer.close()
        await proxy.stop()
      }
    },
  )

  it.each([
    ['product', '/products/310', 'a deletion', 'DELETE'],
    ['product', '/products/311', 'a bulk change', 'POST'],
    ['product', '/products/312', 'another update', 'PATCH'],
    ['customer', '/customers/160', 'a deletion', 'DELETE'],
    ['customer', '/customers/161', 'another update', 'PATCH'],
  ] as const)('a %s (%s) that is stored only after %s of it is not served', async (_, path, __, method) => {
    const [slow, other] = services as [TestService, TestService]
    const [table, id] = path.slice(1).split('/') as [string, string]
    const { categoryId } = (await slow.get(path)).body
    const cache = slow.app.get(RedisCacheService)
    const { set } = cache
    const late = vi.spyOn(cache, 'set').mockImplementationOnce(async (...write) => {
      const overtaking =
        method === 'POST'
          ? await other.send('POST', '/products/price-changes', { categoryId, percent: 1 })
          : await other.send(method, path, method === 'PATCH' ? { name: 'The later one' } : undefined)
      expect(overtaking.status).toBeLessThan(300)
      await set.apply(cache, write)
    })
    try {
      expect((await slow.send('PATCH', path, { name: 'The earlier one' })).status).toBe(200)
      expect(late).toHaveBeenCalled()
    } finally {
      late.mockRestore()
    }
    const [row] = await query<{ version: number }>(`SELECT version FROM ${table} WHERE id = $1`, Number(id))
    for (const service of services) {
      const { status, body } = await service.get(path)
      if (row === undefined) expect(status).toBe(404)
      else expect({ status, version: body.version }).toEqual({ status: 200, version: row.version })
    }
  })

  it('no key without a TTL is left but the tag clock', async () => {
    expect(await redisServer.scanKeysWithoutTtl(['vextrus@tags'])).toEqual([])
  })
})

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, i) => from + i)
}
