import { NestFactory } from '@nestjs/core'
import { RedisCacheModule, RedisCacheService } from '@vextrus/shared/cache'
import { DataSource } from 'typeorm'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startServers } from '../../service-kit/test/support/servers.js'
import { startTestService, TENANT, type TestService, until } from './support/service.js'

/** Redis is an accelerator: without it the service is slower and never wrong. */

const servers = startServers()
let api: TestService

beforeAll(async () => {
  const leftOver = await NestFactory.createApplicationContext(RedisCacheModule.forRoot({ url: servers.redis.url }), {
    logger: false,
  })
  await leftOver.get(RedisCacheService).set(`product:${TENANT}:2`, { name: 'Of a database that is no more' })
  await leftOver.close()
  api = await startTestService(servers.database, { url: servers.redis.url })
})

afterAll(async () => {
  await api?.close()
})

it('a service that has filled a new database does not believe what Redis holds of an old one', async () => {
  const { status, cache, body } = await api.get('/products/2')
  expect({ status, cache, id: body['id'] }).toEqual({ status: 200, cache: 'MISS', id: 2 })
})

const stockInDatabase = async (id: number): Promise<unknown> => {
  const [row] = await api.app
    .get(DataSource)
    .query<{ stock: number }[]>('SELECT stock FROM products WHERE id = $1', [id])
  return row?.stock
}

const untilCached = (path: string) =>
  until(`${path} comes from the cache`, async () => (await api.get(path)).cache === 'HIT', 20_000)

describe('when Redis is killed in mid-traffic', () => {
  it('every answer is right, and the cache is used again when it is back', async () => {
    const products = [10, 11, 12, 13, 14]
    /** The stock that was answered to the last finished write of a product. */
    const written = new Map<number, number>()
    let [running, reads, writes] = [true, 0, 0]
    const faults: string[] = []

    // A writer a product: it knows what it wrote last, so it knows what it must read.
    const traffic = products.map(async (id) => {
      for (let stock = 1; running; stock++) {
        const write = await api.client.send('PATCH', `/products/${id}`, TENANT, { stock })
        if (write.status !== 200) faults.push(`write ${write.status}`)
        written.set(id, stock)
        writes++
        for (let i = 0; i < 5; i++) {
          const { status, body } = await api.client.send('GET', `/products/${id}`, TENANT)
          reads++
          const read = (body as { stock: number }).stock
          if (status !== 200 || read !== stock) faults.push(`product ${id}: wrote ${stock}, read ${status} ${read}`)
        }
      }
    })
    const untilWrites = (more: number) => {
      const goal = writes + more
      return until(`${more} more writes are done`, () => writes >= goal, 20_000)
    }

    await untilWrites(20)
    await servers.redis.kill()
    await untilWrites(20)
    await servers.redis.restart()
    await untilCached('/products/20')
    await untilWrites(20)
    running = false
    await Promise.all(traffic)

    expect(faults).toEqual([])
    expect(reads).toBeGreaterThan(200)
    for (const id of products) expect(await stockInDatabase(id)).toBe(written.get(id))
  })

  it('reads, lists, customers and reports come from the database meanwhile', async () => {
    const paths = ['/products/30', '/products?pageSize=3', '/customers/30', '/reports/stock-value', '/countries/DE']
    const before = await Promise.all(paths.map(async (path) => (await api.get(path)).body))
    await servers.redis.kill()
    for (const [i, path] of paths.entries()) {
      const { status, cache, body } = await api.get(path)
      expect({ status, cache, body }).toEqual({ status: 200, cache: 'MISS', body: before[i] })
    }
    expect((await api.send('DELETE', '/customers/31')).status).toBe(204)
    expect((await api.get('/customers/31')).status).toBe(404)
    expect((await api.get('/health')).status).toBe(200)
    await servers.redis.restart()
    for (const path of paths) await untilCached(path)
  })
})

describe('when Redis hangs while something is written', () => {
  it('the write is answered as done, and its invalidation follows as soon as Redis answers again', async () => {
    const id = 40
    await api.get(`/products/${id}`)
    await api.get(`/customers/${id}`)
    await untilCached(`/products/${id}`)
    // Stopped, not killed: it comes back with the old entries still in memory.
    servers.redis.pause()
    const update = await api.send('PATCH', `/products/${id}`, { stock: 777 })
    expect({ status: update.status, stock: update.body['stock'] }).toEqual({ status: 200, stock: 777 })
    const rename = await api.send('PATCH', `/customers/${id}`, { name: 'Renamed meanwhile' })
    expect(rename.status).toBe(200)
    expect((await api.send('DELETE', '/products/41')).status).toBe(204)
    expect((await api.get(`/products/${id}`)).body['stock']).toBe(777)
    servers.redis.resume()
    // Whoever looks into Redis itself, past this service's connection, must find the new row there, or none.
    const stored = async (key: string) => String(await servers.redis.command('GET', `vextrus:${key}`))
    await until('Redis holds the new product', async () => {
      await api.get(`/products/${id}`)
      return (await stored(`product:${TENANT}:${id}`)).includes('"stock":777')
    })
    await until('Redis holds the new customer', async () => {
      await api.get(`/customers/${id}`)
      return (await stored(`customer:${TENANT}:${id}`)).includes('Renamed meanwhile')
    })
    expect((await api.get(`/products/${id}`)).body['stock']).toBe(777)
    expect((await api.get('/products/41')).status).toBe(404)
  })
})

it('no key without a TTL is left but the tag clock', async () => {
  expect(await servers.redis.scanKeysWithoutTtl(['vextrus@tags'])).toEqual([])
})
