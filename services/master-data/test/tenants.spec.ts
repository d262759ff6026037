import { TenantKeyError, RedisCacheService, runAsTenant } from '@vextrus/shared/cache'
import { DataSource } from 'typeorm'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { DomainEvents } from '@vextrus/service-kit'
import { ProductChanged } from '../src/products/product.events.js'
import { patient, startServers } from '../../service-kit/test/support/servers.js'
import { craftedIds, craftedTenants } from '../../service-kit/test/support/crafted-ids.js'
import { type Body, cacheOf, OTHER, startTestService, TENANT, type TestService } from './support/service.js'

/** One tenant tries, through every endpoint, to read, change or invalidate what is another one's. */

const servers = startServers()

describe.each(['memory', 'redis'] as const)('with the %s driver', (driver) => {
  let api: TestService
  /** What is cached of the victim's, and how it is answered: path → body. */
  const theirs = new Map<string, Body>()
  let paths: string[]
  let product: number
  let customer: number
  let category: number
  let supplier: number

  beforeAll(async () => {
    api = await startTestService(servers.database, driver === 'redis' ? patient(servers.redis) : undefined)
    const [first] = (await api.get('/products?pageSize=1', OTHER)).body.items
    ;({ id: product, categoryId: category, supplierId: supplier } = first!)
    customer = (await api.get('/customers?pageSize=1', OTHER)).body.items[0]!.id
    paths = [
      `/products/${product}`,
      `/products/${product}/summary`,
      `/products/batch?ids=${product}`,
      '/products',
      `/products?categoryId=${category}`,
      `/products?supplierId=${supplier}`,
      '/products/search?q=e',
      `/customers/${customer}`,
      '/customers',
      '/categories',
      '/suppliers',
      '/reports/stock-value',
    ]
  })

  // Lists live for a minute: each test has one of its own.
  beforeEach(async () => {
    await runAsTenant(OTHER, () => api.app.get(RedisCacheService).invalidateByTag(`tenant:${OTHER}`))
    for (const path of paths) {
      const { status, cache, body } = await api.get(path, OTHER)
      if (status !== 200 || (path === '/products' && cache !== 'MISS'))
        throw new Error(`GET ${path}: ${status} ${cache}`)
      theirs.set(path, body)
    }
  })

  afterAll(async () => {
    await api?.close()
  })

  /** All of it is still answered from the cache, as it was: nothing was changed or invalidated. */
  const expectUntouched = async () => {
    for (const [path, body] of theirs) {
      const reply = await api.get(path, OTHER)
      expect({ path, cache: reply.cache, body: reply.body }).toEqual({ path, cache: 'HIT', body })
    }
    // Their rows in the database too.
    const [{ changed } = { changed: -1 }] = await api.app
      .get(DataSource)
      .query<{ changed: number }[]>(
        'SELECT (SELECT count(*)::int FROM products WHERE tenant_id = $1 AND version > 1) + (SELECT count(*)::int FROM customers WHERE tenant_id = $1 AND version > 1) AS changed',
        [OTHER],
      )
    expect(changed).toBe(0)
  }

  /** An answer to the attacker: whatever its status, nothing of the victim's is in it. */
  const expectNothingOfTheirs = (where: string, body: unknown) => {
    const text = JSON.stringify(body) ?? ''
    expect(`${where} ${text}`).not.toContain(`"tenantId":"${OTHER}"`)
    for (const stolen of [theirs.get(`/products/${product}`)!, theirs.get(`/customers/${customer}`)!]) {
      expect(`${where} ${text}`).not.toContain(JSON.stringify(stolen['name']))
    }
  }

  const crafted = () => [String(product), String(customer), ...craftedIds(OTHER, product)]

  /** Every endpoint of tenants' data, with an id in each place that takes one. */
  const attacks = (id: string): [method: string, path: string, body?: unknown][] => {
    const inPath = encodeURIComponent(id)
    const number = Number(id)
    return [
      ['GET', `/products/${inPath}`],
      ['GET', `/products/${inPath}/summary`],
      ['GET', `/products/batch?ids=${inPath}`],
      ['GET', `/products?categoryId=${inPath}&supplierId=${inPath}`],
      ['GET', `/products?page=${inPath}&pageSize=${inPath}`],
      ['GET', `/products/search?q=${inPath}`],
      ['PATCH', `/products/${inPath}`, { name: 'Mine now', stock: 0 }],
      ['DELETE', `/products/${inPath}`],
      ['POST', '/products', { ...newProduct, sku: id, name: id, categoryId: category, supplierId: supplier }],
      ['POST', '/products/price-changes', { categoryId: number, percent: 900 }],
      ['POST', '/products/price-changes', { supplierId: number, percent: 900 }],
      ['POST', '/products/price-changes', { categoryId: category, percent: 900 }],
      ['POST', '/products/price-changes', { supplierId: supplier, percent: 900 }],
      ['POST', '/products/exports', { tenantId: OTHER }],
      ['GET', `/customers/${inPath}`],
      ['GET', `/customers?page=${inPath}`],
      ['PATCH', `/customers/${inPath}`, { name: 'Mine now' }],
      ['DELETE', `/customers/${inPath}`],
      ['POST', '/customers', { code: id, name: id, email: 'a@b.example', countryCode: 'US', tenantId: OTHER }],
      ['GET', `/categories?tenantId=${OTHER}`],
      ['GET', `/suppliers?tenantId=${OTHER}`],
      ['GET', `/reports/stock-value?tenantId=${OTHER}`],
      ['GET', `/countries/${inPath}`],
      ['GET', `/tax-codes?country=${inPath}`],
    ]
  }

  it('knows every endpoint', async () => {
    const { body } = await api.client.send('GET', '/docs-json')
    const harmless = new Set(['/tenants', '/countries', '/currencies', '/health', '/health/cache'])
    const documented = Object.entries((body as { paths: Record<string, object> }).paths)
      .filter(([path]) => !harmless.has(path))
      .flatMap(([path, operations]) => Object.keys(operations).map((method) => `${method.toUpperCase()} ${path}`))
    const attacked = attacks('X').map(
      ([method, path]) =>
        `${method} ${path.replace(/\?.*/, '').replace(/\/X(?=\/|$)/, path.includes('countries') ? '/{code}' : '/{id}')}`,
    )
    expect([...new Set(attacked)].toSorted()).toEqual(documented.toSorted())
  })

  it('none of them shows, changes or invalidates anything of another tenant, whatever stands where an id belongs', async () => {
    for (const id of crafted()) {
      for (const [method, path, body] of attacks(id)) {
        const answer = await api.client.send(method, path, TENANT, body)
        expect({ method, path, failed: answer.status >= 500 }).toEqual({ method, path, failed: false })
        expectNothingOfTheirs(`${method} ${path}`, answer.body)
      }
    }
    await expectUntouched()
  })

  it('a tenant can’t be named so that it is two, or all', async () => {
    for (const tenant of craftedTenants(TENANT, OTHER)) {
      for (const path of paths) {
        const answer = await api.client.send('GET', path, tenant)
        expect(answer.status).toBe(400)
        expectNothingOfTheirs(path, answer.body)
      }
      expect((await api.client.send('POST', '/products/exports', tenant)).status).toBe(400)
    }
    await expectUntouched()
  })

  it('the writer’s own changes leave the other tenant’s entries where they are', async () => {
    const [own] = (await api.get('/products?pageSize=1')).body.items
    const statuses = [
      await api.send('PATCH', `/products/${own!.id}`, { name: `${OTHER}:*`, unitPrice: '1' }),
      await api.send('POST', '/products/price-changes', { categoryId: own!.categoryId, percent: 1 }),
      await api.send('POST', '/products/exports'),
      await api.send('DELETE', `/products/${own!.id}`),
    ].map(({ status }) => status)
    expect(statuses).toEqual([200, 200, 200, 204])
    await expectUntouched()
  })

  it('the cache itself refuses what does not hold the tenant of the request, and what nobody asks for', async () => {
    const cache = api.app.get(RedisCacheService)
    const key = `product:${OTHER}:${product}`
    for (const reach of [
      () => cache.get(key),
      () => cache.set(key, 'mine'),
      () => cache.delete(key),
      () => cache.invalidateByTag(`tenant:${OTHER}`),
      () => cache.deleteByPattern('product:*'),
      () => cache.deleteByPattern(`product:${TENANT}*`),
      () => cache.clear(),
      () => cache.invalidateAround({ keys: [key] }, () => Promise.resolve()),
      () => Promise.resolve().then(() => cache.forTenant(OTHER).delete(`product:${product}`)),
    ]) {
      await expect(runAsTenant(TENANT, reach)).rejects.toThrowError(TenantKeyError)
    }
    await expect(cache.get(key)).rejects.toThrowError(TenantKeyError)
    expect(await cache.get('countries:nothing')).toBeNull()
    await expectUntouched()
  })

  it('the handlers of an event work as its tenant, also when no request published it', async () => {
    await api.get('/products')
    await api.get('/reports/stock-value')
    await api.app.get(DomainEvents).publish(new ProductChanged(TENANT, 1, []))
    expect((await api.get('/products')).cache).toBe('MISS')
    expect(await cacheOf(api).has(`report:stock-value:${TENANT}`)).toBe(false)
    await expectUntouched()
  })
})

const newProduct = { barcode: '4006381333931', unit: 'pcs', unitPrice: '9.90', taxCode: 'US-SALES-0' }
