import { SchedulerRegistry } from '@nestjs/schedule'
import { CachePattern, CacheService } from '@vextrus/shared/cache'
import { DataSource } from 'typeorm'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ProductView } from '../src/products/product.schemas.js'
import { patient, startServers } from '../../service-kit/test/support/servers.js'
import { cacheOf, OTHER, startTestService, TENANT, type TestService, until } from './support/service.js'

/** Every cache pattern of the service, seen from outside: through HTTP, and by counting the queries that the database gets. */

const servers = startServers()

describe.each(['memory', 'redis'] as const)('with the %s driver', (driver) => {
  let api: TestService
  let cache: ReturnType<typeof cacheOf>

  beforeAll(async () => {
    api = await startTestService(servers.database, driver === 'redis' ? patient(servers.redis) : undefined)
    cache = cacheOf(api)
  })

  afterAll(async () => {
    await api?.close()
  })

  /** Ids of the tenant's products in stock order of the seed; each test takes its own, so that tests don't disturb each other. */
  let nextProduct = driver === 'memory' ? 1 : 1_001
  const product = () => nextProduct++
  let nextCustomer = driver === 'memory' ? 1 : 201
  const customer = () => nextCustomer++

  /** What the database holds, past every cache. */
  const row = async (table: string, id: number): Promise<Record<string, unknown> | undefined> => {
    const rows: Record<string, unknown>[] = await api.app
      .get(DataSource)
      .query(`SELECT * FROM ${table} WHERE id = $1`, [id])
    return rows[0]
  }

  /** Comes before every other name, also before that of the driver that was tested before. */
  const firstName = driver === 'memory' ? 'AAB first of all' : 'AAA first of all'

  const expectHit = async (path: string, tenant?: string) => {
    const reply = await api.get(path, tenant)
    expect({ status: reply.status, cache: reply.cache, queries: reply.queries }).toEqual({
      status: 200,
      cache: 'HIT',
      queries: 0,
    })
    return reply.body
  }

  const expectMiss = async (path: string, tenant?: string) => {
    const reply = await api.get(path, tenant)
    expect({ status: reply.status, cache: reply.cache }).toEqual({ status: 200, cache: 'MISS' })
    expect(reply.queries).toBeGreaterThan(0)
    return reply.body
  }

  describe('a product', () => {
    it('is loaded once and then read from the cache (getOrSet)', async () => {
      const id = product()
      const loaded = await expectMiss(`/products/${id}`)
      expect(await expectHit(`/products/${id}`)).toEqual(loaded)
      const entry = await cache.lookup(`product:${TENANT}:${id}`)
      expect(entry.value).toEqual(loaded)
      expect(entry.ttlMs).toBeGreaterThan(280_000)
      expect(entry.ttlMs).toBeLessThanOrEqual(300_000)
      expect(entry.tags.toSorted()).toEqual([
        `category:${TENANT}:${loaded['categoryId']}`,
        `supplier:${TENANT}:${loaded['supplierId']}`,
        `tenant:${TENANT}`,
      ])
    })

    it('is loaded once for all who ask at the same time', async () => {
      const id = product()
      const before = api.service.queryLog.total
      const replies = await Promise.all(
        Array.from({ length: 40 }, () => api.client.send('GET', `/products/${id}`, TENANT)),
      )
      expect(new Set(replies.map(({ body }) => JSON.stringify(body))).size).toBe(1)
      expect(api.service.queryLog.total - before).toBe(1)
    })

    it('shows an update at once, without a query (write-through)', async () => {
      const id = product()
      const { version } = await expectMiss(`/products/${id}`)
      const { status, body } = await api.send('PATCH', `/products/${id}`, { unitPrice: '12.5', stock: 3 })
      expect(status).toBe(200)
      expect(body).toMatchObject({ unitPrice: '12.5', stock: 3, version: version + 1 })
      expect(await expectHit(`/products/${id}`)).toEqual(body)
      expect(await row('products', id)).toMatchObject({ unit_price: '12.5', stock: 3, version: version + 1 })
    })

    it('that a slower writer stores over a newer version stays the newer one', async () => {
      const id = product()
      const { body } = await api.send('PATCH', `/products/${id}`, { stock: 6 })
      await cache.set(`product:${TENANT}:${id}`, { ...body, stock: 5 }, { version: body.version - 1 })
      expect((await api.get(`/products/${id}`)).body['stock']).toBe(6)
    })

    it('keeps its tags through an update', async () => {
      const id = product()
      await api.send('PATCH', `/products/${id}`, { stock: 4 })
      const { tags } = await cache.lookup(`product:${TENANT}:${id}`)
      expect(tags).toContain(`tenant:${TENANT}`)
      expect(tags).toHaveLength(3)
    })

    it('is in the cache as soon as it was added', async () => {
      const { body: other } = await api.get(`/products/${product()}`)
      const { status, body } = await api.send('POST', '/products', {
        ...newProduct(`NEW-${driver}`),
        categoryId: other['categoryId'],
        supplierId: other['supplierId'],
      })
      expect(status).toBe(201)
      expect(body).toMatchObject({ tenantId: TENANT, currencyCode: 'USD', version: 1 })
      expect(await expectHit(`/products/${String(body['id'])}`)).toEqual(body)
    })

    it('is gone at once when it was deleted, with its summary', async () => {
      const id = product()
      await api.get(`/products/${id}`)
      await api.get(`/products/${id}/summary`)
      expect((await api.send('DELETE', `/products/${id}`)).status).toBe(204)
      expect((await api.get(`/products/${id}`)).status).toBe(404)
      expect((await api.get(`/products/${id}/summary`)).status).toBe(404)
      expect(await cache.has(`product:${TENANT}:${id}`)).toBe(false)
    })

    it('that does not exist is not cached', async () => {
      for (let i = 0; i < 2; i++) {
        const { status, queries } = await api.get('/products/999999999')
        expect({ status, queries }).toEqual({ status: 404, queries: 1 })
      }
    })

    it('equals the database after forty updates at the same time', async () => {
      const id = product()
      const { version } = (await api.get(`/products/${id}`)).body
      const answers = await Promise.all(
        Array.from({ length: 40 }, (_, i) =>
          i % 4 === 3 ? api.get(`/products/${id}`) : api.send('PATCH', `/products/${id}`, { stock: i }),
        ),
      )
      expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200))
      const { body } = await api.get(`/products/${id}`)
      expect(body).toMatchObject({ version: version + 30, stock: (await row('products', id))?.['stock'] })
    })
  })

  describe('the summary of a product', () => {
    it('is read by get, load, set (cache-aside)', async () => {
      const id = product()
      const loaded = await expectMiss(`/products/${id}/summary`)
      expect(Object.keys(loaded)).toEqual(['id', 'sku', 'name', 'unit', 'category', 'supplier'])
      expect(await expectHit(`/products/${id}/summary`)).toEqual(loaded)
      expect(await cache.ttl(`product-summary:${TENANT}:${id}`)).toBeGreaterThan(295)
    })

    it('follows a new name, and stays when only the price changed', async () => {
      const id = product()
      await api.get(`/products/${id}/summary`)
      await api.send('PATCH', `/products/${id}`, { unitPrice: '1' })
      await expectHit(`/products/${id}/summary`)
      await api.send('PATCH', `/products/${id}`, { name: 'Renamed' })
      expect(await expectMiss(`/products/${id}/summary`)).toMatchObject({ name: 'Renamed' })
    })
  })

  describe('several products', () => {
    it('are one query for what is missing, in the order asked for (getOrSetMany)', async () => {
      const [a, b, c] = [product(), product(), product()]
      await api.get(`/products/${b}`)
      const { body, queries } = await api.get(`/products/batch?ids=${a},${b},999999999,${c}`)
      expect((body as unknown as (ProductView | null)[]).map((item) => item?.id ?? null)).toEqual([a, b, null, c])
      expect(queries).toBe(1)
      await expectHit(`/products/batch?ids=${c},${a}`)
    })
  })

  describe('lists and searches of products', () => {
    it('are kept as query results, for a minute', async () => {
      const [list, search] = ['/products?page=2&pageSize=5', '/products/search?q=kestrel&pageSize=5']
      const [page, found] = [await expectMiss(list), await expectMiss(search)]
      expect(page.items).toHaveLength(5)
      expect(found.items.length).toBeGreaterThan(0)
      expect(found.items.every(({ name }) => name.includes('Kestrel'))).toBe(true)
      expect(await expectHit(list)).toEqual(page)
      expect(await expectHit(search)).toEqual(found)
      expect(await expectHit('/products/search?q=%20KESTREL%20&pageSize=5')).toEqual(found)
      expect(await cache.ttl(`products:${TENANT}:search:kestrel:1:5`)).toBeLessThanOrEqual(60)
    })

    it('are answered stale, and searched anew behind that, when their minute is over (grace)', async () => {
      const [path, key] = ['/products/search?q=ratchet&pageSize=5', `products:${TENANT}:search:ratchet:1:5`]
      const { body } = await api.get(path)
      const id = product()
      // As an import does it, past the service.
      await api.app.get(DataSource).query(`UPDATE products SET name = $1 WHERE id = $2`, [`One ratchet ${driver}`, id])
      await until('the page is stored', () => cache.has(key))
      expect(await cache.touch(key, '1ms')).toBe(true)
      await until('the minute is over', async () => (await cache.lookup(key)).stale)
      const stale = await api.client.send('GET', path, TENANT)
      expect(stale.body).toEqual(body)
      await until('the page is searched anew', async () => !(await cache.lookup(key)).stale)
      expect((await expectHit(path))['total']).toBe(Number(body['total']) + 1)
    })

    it('are not answered stale when a write has invalidated them', async () => {
      const [path, key] = ['/products/search?q=mallet&pageSize=5', `products:${TENANT}:search:mallet:1:5`]
      const { body } = await api.get(path)
      await until('the page is stored', () => cache.has(key))
      expect(await cache.touch(key, '1ms')).toBe(true)
      await until('the minute is over', async () => (await cache.lookup(key)).stale)
      await api.send('PATCH', `/products/${product()}`, { name: `One mallet ${driver}` })
      expect((await expectMiss(path))['total']).toBe(Number(body['total']) + 1)
    })

    it('treat % and _ as letters', async () => {
      expect((await api.get('/products/search?q=%25')).body['total']).toBe(0)
      expect((await api.get('/products/search?q=_')).body['total']).toBe(0)
    })

    it('show a write that was answered (events), and only the lists that it concerns are read anew', async () => {
      const id = product()
      const { body } = await api.get(`/products/${id}`)
      const { body: categories } = await api.get('/categories')
      const other = (categories as unknown as { id: number }[]).find((category) => category.id !== body['categoryId'])
      const lists = [
        '/products',
        '/products/search?q=hammer',
        `/products?categoryId=${String(body['categoryId'])}`,
        `/products?supplierId=${String(body['supplierId'])}`,
      ]
      const apart = `/products?categoryId=${other?.id}`
      for (const path of [...lists, apart]) await api.get(path)
      // Sorted by name, so it comes first.
      await api.send('PATCH', `/products/${id}`, { name: `  ${firstName} ` })
      for (const path of lists.filter((path) => !path.includes('search'))) {
        expect((await expectMiss(path)).items[0]).toMatchObject({ id, name: firstName })
      }
      await expectMiss('/products/search?q=hammer')
      await expectHit(apart)
      await expectHit(`/products/${id}`)
    })
  })

  describe('a bulk change of prices', () => {
    it.each(['categoryId', 'supplierId'] as const)('by %s invalidates all of its products by one tag', async (by) => {
      const page = (await api.get(`/products?page=${by === 'categoryId' ? 3 : 4}&pageSize=50`)).body.items
      const one = page[0]!
      const alike = page.filter((item) => item[by] === one[by])
      const unlike = page.find((item) => item[by] !== one[by])!
      for (const { id } of [...alike, unlike]) await api.get(`/products/${id}`)
      const before = await Promise.all(alike.map(({ id }) => expectHit(`/products/${id}`)))

      const { status, body } = await api.send('POST', '/products/price-changes', { [by]: one[by], percent: 10 })
      expect(status).toBe(200)
      expect(body['changed']).toBeGreaterThanOrEqual(alike.length)

      for (const old of before) {
        const now = await expectMiss(`/products/${String(old['id'])}`)
        expect(Number(now['unitPrice'])).toBeCloseTo(Number(old['unitPrice']) * 1.1, 1)
        expect(now['unitPrice']).toMatch(/^\d+\.\d\d$/)
        expect(now.version).toBe(old.version + 1)
      }
      await expectHit(`/products/${unlike.id}`)
      await expectMiss('/products')
    })

    it('of nothing changes nothing', async () => {
      const { status, body } = await api.send('POST', '/products/price-changes', { categoryId: 999_999, percent: 10 })
      expect({ status, changed: body['changed'] }).toEqual({ status: 200, changed: 0 })
    })
  })

  it("the export of a tenant invalidates everything of the tenant's, and nothing of another's", async () => {
    const [id, client] = [product(), customer()]
    const { body: theirs } = await api.get('/products?pageSize=1', OTHER)
    const paths = [`/products/${id}`, `/customers/${client}`, '/products', '/customers']
    for (const path of paths) await api.get(path)
    await api.get(`/products/${theirs.items[0]?.id}`, OTHER)
    const { status, body } = await api.send('POST', '/products/exports')
    expect(status).toBe(200)
    const [{ count } = { count: 0 }] = await api.app
      .get(DataSource)
      .query<{ count: number }[]>('SELECT count(*)::int FROM products WHERE tenant_id = $1', [TENANT])
    expect(body['products']).toHaveLength(count)
    for (const path of paths) await expectMiss(path)
    await expectHit(`/products/${theirs.items[0]?.id}`, OTHER)
  })

  describe('a customer', () => {
    it('is loaded once and then read from the cache (@Cacheable)', async () => {
      const id = customer()
      const loaded = await expectMiss(`/customers/${id}`)
      expect(await expectHit(`/customers/${id}`)).toEqual(loaded)
      expect(await cache.get(`customer:${TENANT}:${id}`)).toEqual(loaded)
      expect(await cache.ttl(`customer:${TENANT}:${id}`)).toBeGreaterThan(280)
    })

    it('shows an update at once, without a query (@CachePut), and in the lists (events)', async () => {
      const id = customer()
      await api.get('/customers')
      await expectHit('/customers')
      const { body } = await api.send('PATCH', `/customers/${id}`, { name: firstName, creditLimit: '5000.00' })
      expect(body).toMatchObject({ name: firstName, creditLimit: '5000.00', version: 2 })
      expect(await expectHit(`/customers/${id}`)).toEqual(body)
      expect((await expectMiss('/customers')).items[0]).toMatchObject({ id })
      expect((await cache.lookup(`customer:${TENANT}:${id}`)).tags).toEqual([`tenant:${TENANT}`])
    })

    it('is in the cache as soon as it was added (@CachePut with a key of the result)', async () => {
      const { status, body } = await api.send('POST', '/customers', {
        code: `N-${driver}`,
        name: 'New Works',
        email: 'accounts@new-works.example',
        countryCode: 'US',
      })
      expect(status).toBe(201)
      expect(await expectHit(`/customers/${String(body['id'])}`)).toEqual(body)
    })

    it('is gone at once when it was deleted (@CacheEvict), and from the lists (events)', async () => {
      const id = customer()
      await api.get(`/customers/${id}`)
      const { body } = await api.get('/customers')
      expect((await api.send('DELETE', `/customers/${id}`)).status).toBe(204)
      expect((await api.get(`/customers/${id}`)).status).toBe(404)
      expect(await cache.has(`customer:${TENANT}:${id}`)).toBe(false)
      expect((await expectMiss('/customers'))['total']).toBe(Number(body['total']) - 1)
    })

    it('that does not exist is 404 for reads, updates and deletions', async () => {
      expect((await api.get('/customers/999999999')).status).toBe(404)
      expect((await api.send('PATCH', '/customers/999999999', { name: 'X' })).status).toBe(404)
      expect((await api.send('DELETE', '/customers/999999999')).status).toBe(404)
    })

    it('equals the database after thirty updates at the same time', async () => {
      const id = customer()
      await Promise.all(
        Array.from({ length: 30 }, (_, i) => api.send('PATCH', `/customers/${id}`, { name: `Name ${i}` })),
      )
      expect((await api.get(`/customers/${id}`)).body).toMatchObject({
        version: 31,
        name: (await row('customers', id))?.['name'],
      })
    })
  })

  describe('lookups', () => {
    it('keep an active country for a day and an inactive one for 5 minutes (@Cacheable with a dynamic TTL)', async () => {
      for (const [code, seconds] of [
        ['DE', 86_400],
        ['AQ', 300],
      ] as const) {
        await expectMiss(`/countries/${code}`)
        expect(await expectHit(`/countries/${code}`)).toMatchObject({ code })
        const ttl = (await cache.ttl(`country:${code}`)) ?? 0
        expect(ttl).toBeLessThanOrEqual(seconds)
        // Jitter shortens by up to 5 %.
        expect(ttl).toBeGreaterThan(seconds * 0.94)
      }
    })

    it('share an entry for a code in capital and small letters, and cache no country that does not exist', async () => {
      await api.get('/countries/FR')
      await expectHit('/countries/fr')
      for (let i = 0; i < 2; i++) {
        const { status, queries } = await api.get('/countries/ZZ')
        expect({ status, queries }).toEqual({ status: 404, queries: 1 })
      }
    })

    it('live for two hours (CachePattern.LOOKUP)', async () => {
      const presets = api.app.get(CacheService)
      expect(presets.getTTL(CachePattern.LOOKUP)).toBe(7_200)
      const keys = {
        '/countries': 'countries:all',
        '/currencies': 'currencies:all',
        '/tax-codes?country=DE': 'tax-codes:all',
        '/categories': `categories:${TENANT}`,
        '/suppliers': `suppliers:${TENANT}`,
      }
      for (const [path, key] of Object.entries(keys)) {
        await cache.delete(key)
        const loaded = await expectMiss(path)
        expect(await expectHit(path)).toEqual(loaded)
        expect(await cache.ttl(key)).toBeGreaterThan(7_200 * 0.94)
      }
    })

    it('are refreshed every 5 minutes, from the database', async () => {
      const job = api.app.get(SchedulerRegistry).getCronJob('refresh-lookups')
      expect(job.cronTime.source).toBe('0 */5 * * * *')
      const [first, second] = job.nextDates(2)
      expect(second!.toMillis() - first!.toMillis()).toBe(300_000)

      await api.get('/currencies')
      const name = `Euro (${driver})`
      // As an import does it, past the service.
      await api.app.get(DataSource).query(`UPDATE currencies SET name = $1 WHERE code = 'EUR'`, [name])
      const euro = async () =>
        ((await api.get('/currencies')).body as unknown as { code: string; name: string }[]).find(
          ({ code }) => code === 'EUR',
        )?.name
      expect(await euro()).not.toBe(name)
      await job.fireOnTick()
      await until('the list is refreshed', async () => (await euro()) === name)
      await expectHit('/currencies')
    })
  })

  describe('the stock report', () => {
    it('lives for half an hour (CachePattern.REPORT) and adds up', async () => {
      const loaded = await expectMiss('/reports/stock-value')
      expect(await expectHit('/reports/stock-value')).toEqual(loaded)
      expect(await cache.ttl(`report:stock-value:${TENANT}`)).toBeGreaterThan(1_800 * 0.94)
      const lines = loaded as unknown as { products: number; stockValue: string }[]
      const [sums = { products: 0, value: '' }] = await api.app
        .get(DataSource)
        .query<{ products: number; value: string }[]>(
          'SELECT count(*)::int AS products, sum(stock * unit_price)::text AS value FROM products WHERE tenant_id = $1',
          [TENANT],
        )
      expect(lines.reduce((sum, line) => sum + line.products, 0)).toBe(sums.products)
      expect(lines.reduce((sum, line) => sum + Number(line.stockValue), 0)).toBeCloseTo(Number(sums.value), 1)
    })

    it.each([
      ['a price', () => api.send('PATCH', `/products/${product()}`, { unitPrice: '99' })],
      ['a stock', () => api.send('PATCH', `/products/${product()}`, { stock: 9 })],
      ['a deletion', () => api.send('DELETE', `/products/${product()}`)],
      ['a bulk change', () => api.send('POST', '/products/price-changes', { categoryId: 1, percent: 1 })],
    ])('is computed anew after %s (events)', async (_, write) => {
      await api.get('/reports/stock-value')
      await expectHit('/reports/stock-value')
      expect((await write()).status).toBeLessThan(300)
      await expectMiss('/reports/stock-value')
    })
  })

  it('no tenant ever sees or touches what is another one’s, cached or not', async () => {
    const [id, client] = [product(), customer()]
    await api.get(`/products/${id}`)
    await api.get(`/customers/${client}`)
    for (const path of [`/products/${id}`, `/products/${id}/summary`, `/customers/${client}`]) {
      expect((await api.get(path, OTHER)).status).toBe(404)
    }
    expect((await api.get(`/products/batch?ids=${id}`, OTHER)).body).toEqual([null])
    expect((await api.send('PATCH', `/products/${id}`, { stock: 0 }, OTHER)).status).toBe(404)
    expect((await api.send('DELETE', `/products/${id}`, undefined, OTHER)).status).toBe(404)
    expect((await api.send('DELETE', `/customers/${client}`, undefined, OTHER)).status).toBe(404)
    // Their list must not answer with ours, however the same it was asked for.
    const [ours, theirs] = [await api.get('/products?pageSize=3'), await api.get('/products?pageSize=3', OTHER)]
    expect(ours.body.items.map(({ tenantId }) => tenantId)).toEqual([TENANT, TENANT, TENANT])
    expect(theirs.body.items.map(({ tenantId }) => tenantId)).toEqual([OTHER, OTHER, OTHER])
    await expectHit(`/products/${id}`)
    await expectHit(`/customers/${client}`)
  })

  it('GET /health/cache answers the statistics', async () => {
    const id = product()
    const { body: before } = await api.get('/health/cache')
    await api.get(`/products/${id}`)
    await api.get(`/products/${id}`)
    const { body: after } = await api.get('/health/cache')
    const [hits, misses] = [Number(after['hits']), Number(after['misses'])]
    expect([hits - Number(before['hits']), misses - Number(before['misses'])]).toEqual([1, 1])
    expect(after['hitRate']).toBeCloseTo((hits / (hits + misses)) * 100, 1)
    expect(after).toHaveProperty('groups.product.hits')
  })
})

describe('after all that, Redis', () => {
  it('holds no key without a TTL but the tag clock', async () => {
    expect(await servers.redis.scanKeysWithoutTtl(['vextrus@tags'])).toEqual([])
  })

  it('holds each product under exactly the key that the service wrote, and nothing sensitive', async () => {
    const keys = (await servers.redis.command('KEYS', '*')) as string[]
    expect(keys.some((key) => key.startsWith(`vextrus:product:${TENANT}:`))).toBe(true)
    const names = new Set<string>()
    for (const key of keys.filter((key) => key.startsWith('vextrus:'))) {
      const text = String(await servers.redis.command('GET', key))
      for (const [, name] of text.matchAll(/"(\w+)":/g)) names.add(name!)
    }
    expect(names).toContain('creditLimit')
    expect([...names].filter((name) => /password|passwd|secret|token|pin$|cvv|cvc/i.test(name))).toEqual([])
  })
})

function newProduct(sku: string) {
  return { sku, barcode: '4006381333931', name: 'Fountain pen', unit: 'pcs', unitPrice: '9.90', taxCode: 'US-SALES-0' }
}
