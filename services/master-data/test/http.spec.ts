import { DataSource } from 'typeorm'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { sendBurst } from '../src/burst/burst.js'
import {
  dataSourceOptions,
  type EmbeddedPostgres,
  prepareDatabase,
  QueryLog,
  startEmbeddedPostgres,
} from '@vextrus/service-kit'
import { database as definition } from '../src/database/database.js'
import { OTHER, startTestService, TENANT, type TestService } from './support/service.js'

/** What clients may send and what they get: input, errors, the OpenAPI document – and the database below. */

let database: EmbeddedPostgres
let api: TestService

beforeAll(async () => {
  database = await startEmbeddedPostgres()
  api = await startTestService(database)
})

afterAll(async () => {
  await api?.close()
  await database?.stop()
})

describe('the tenant header', () => {
  it('is required for whatever belongs to a tenant', async () => {
    for (const path of [
      '/products',
      '/products/1',
      '/customers/1',
      '/categories',
      '/suppliers',
      '/reports/stock-value',
    ]) {
      const { status, body } = await api.client.send('GET', path)
      expect({ path, status, body }).toEqual({
        path,
        status: 400,
        body: {
          type: 'about:blank',
          title: 'Bad Request',
          status: 400,
          detail: 'The header x-tenant-id is missing: name the tenant in it',
        },
      })
    }
  })

  it('must be well formed, and name a tenant that exists', async () => {
    for (const bad of ['Aurora', 'a:b', 'a*', '-', 'x'.repeat(65), 'a/../b']) {
      expect((await api.get('/products', bad)).status).toBe(400)
    }
    const { status, body } = await api.get('/products', 'nobody')
    expect({ status, detail: body.detail }).toEqual({
      status: 404,
      detail: 'The tenant was not found: GET /tenants lists them',
    })
  })

  it('is not needed for what all tenants share', async () => {
    for (const path of ['/tenants', '/countries', '/currencies', '/tax-codes', '/health', '/health/cache']) {
      expect((await api.client.send('GET', path)).status).toBe(200)
    }
  })
})

describe('bad input', () => {
  it.each([
    '/products/0',
    '/products/-1',
    '/products/1.5',
    '/products/abc',
    '/products/2147483648',
    '/products/1e99',
    '/customers/%00',
    '/products?page=0',
    '/products?page=1001',
    '/products?pageSize=0',
    '/products?pageSize=101',
    '/products?categoryId=x',
    '/products?page=1&page=2',
    '/products/search',
    '/products/search?q=',
    '/products/search?q=%20',
    '/products/search?q=a%00b',
    `/products/search?q=${'x'.repeat(61)}`,
    '/products/batch',
    '/products/batch?ids=',
    '/products/batch?ids=1,,2',
    '/products/batch?ids=1,x',
    `/products/batch?ids=${Array.from({ length: 101 }, (_, i) => i + 1).join(',')}`,
    '/countries/Germany',
    '/countries/D%2A',
    '/tax-codes?country=DEU',
  ])('GET %s is 400', async (path) => {
    const { status, body } = await api.get(path)
    expect({ status, problem: body['status'], title: body['title'] }).toEqual({
      status: 400,
      problem: 400,
      title: 'Bad Request',
    })
    expect(body['errors']).not.toEqual([])
  })

  it.each([
    {},
    { unitPrice: 12.5 },
    { unitPrice: '-1' },
    { unitPrice: '1e5' },
    { unitPrice: '12345678901' },
    { unitPrice: '1.23456' },
    { stock: -1 },
    { stock: 1.5 },
    { name: '' },
    { name: '   ' },
    { name: 'a\u0000b' },
    { name: 'x'.repeat(201) },
    { isActive: 'yes' },
    { categoryId: 999_999 },
    { categoryId: null },
    { tenantId: OTHER },
    { name: 'Fine', colour: 'red' },
    [],
    'text',
  ])('PATCH of a product with %j is 400', async (changes) => {
    const before = (await api.get('/products/5')).body
    expect((await api.send('PATCH', '/products/5', changes)).status).toBe(400)
    expect((await api.get('/products/5')).body).toEqual(before)
  })

  it('names every fault', async () => {
    const { body } = await api.send('PATCH', '/products/5', { unitPrice: 1, stock: 'many' })
    expect(body['errors']).toEqual([
      { path: 'unitPrice', message: expect.any(String) as string },
      { path: 'stock', message: expect.any(String) as string },
    ])
    expect(body.detail).toMatch(/unitPrice: .*; stock: /)
  })

  it('in a bulk change is 400: neither category nor supplier, both, or prices beyond what the database takes', async () => {
    for (const change of [
      { percent: 1 },
      { categoryId: 1, supplierId: 1, percent: 1 },
      { categoryId: 1 },
      { categoryId: 1, percent: -91 },
    ]) {
      expect((await api.send('POST', '/products/price-changes', change)).status).toBe(400)
    }
    await api.send('PATCH', '/products/5', { unitPrice: '9999999999' })
    const { status, body } = await api.send('POST', '/products/price-changes', { categoryId: 5, percent: 900 })
    expect({ status, detail: body.detail }).toEqual({ status: 400, detail: 'A value is out of its range' })
  })

  it('that is no JSON, or too much of it, is a problem and not a crash', async () => {
    const send = (body: string) =>
      fetch(`${api.url}/products/5`, {
        method: 'PATCH',
        headers: { 'content-type': 'application/json', 'x-tenant-id': TENANT },
        body,
      })
    const broken = await send('{"name": ')
    expect(broken.status).toBe(400)
    expect(broken.headers.get('content-type')).toMatch(/^application\/problem\+json/)
    expect((await send(JSON.stringify({ name: 'x'.repeat(200_000) }))).status).toBe(413)
    expect((await api.get('/health')).status).toBe(200)
  })

  it('of another tenant’s category is refused by the database itself', async () => {
    const { body } = await api.get('/categories', OTHER)
    const [foreign] = body as unknown as { id: number }[]
    const reply = await api.send('PATCH', '/products/5', { categoryId: foreign!.id })
    expect({ status: reply.status, detail: reply.body.detail }).toEqual({
      status: 400,
      detail: 'The category, supplier or tax code does not exist',
    })
  })

  it('of a code that is taken is 409', async () => {
    const { sku, barcode, name, categoryId, supplierId, unit, unitPrice, taxCode } = (await api.get('/products/5')).body
    const copy = { sku, barcode, name, categoryId, supplierId, unit, unitPrice, taxCode }
    expect((await api.send('POST', '/products', copy)).status).toBe(409)
    expect((await api.send('POST', '/products', { ...copy, sku: 'FREE-1' })).status).toBe(201)
  })
})

describe('pages', () => {
  it('hold every row once', async () => {
    const ids: number[] = []
    for (let page = 1; ; page++) {
      const { body } = await api.get(`/products?categoryId=1&pageSize=100&page=${page}`)
      ids.push(...body.items.map(({ id }) => id))
      if (page * 100 >= Number(body['total'])) break
    }
    expect(new Set(ids).size).toBe(ids.length)
    expect(ids).toHaveLength(400)
  })

  it('beyond the last one are empty', async () => {
    const { body } = await api.get('/products?categoryId=1&page=1000&pageSize=100')
    expect({ items: body.items, total: body['total'] }).toEqual({ items: [], total: 400 })
  })
})

it('an unknown path is a 404 problem', async () => {
  const { status, body } = await api.get('/nothing')
  expect({ status, title: body['title'] }).toEqual({ status: 404, title: 'Not Found' })
})

describe('an idle connection', () => {
  it('is ended by clients and load balancers, which keep it for a minute at most: nobody asks on one that the service just closes', async () => {
    const { headers } = await fetch(`${api.url}/health`)
    const [, seconds] = /^timeout=(\d+)$/.exec(headers.get('keep-alive') ?? '') ?? []
    expect(Number(seconds)).toBeGreaterThan(60)
  })
})

describe('the OpenAPI document', () => {
  interface Operation {
    parameters?: { name: string; in: string; required?: boolean; schema: Record<string, unknown> }[]
    responses: Record<string, { content?: Record<string, { schema: Record<string, unknown> }> }>
    requestBody?: { content: Record<string, { schema: Record<string, unknown> }> }
    summary?: string
  }
  let paths: Record<string, Record<string, Operation>>

  beforeAll(async () => {
    const { body } = await api.client.send('GET', '/docs-json')
    paths = (body as { paths: typeof paths }).paths
  })

  it('is shown as a page', async () => {
    const response = await fetch(`${api.url}/docs`)
    expect(response.status).toBe(200)
    expect(await response.text()).toContain('swagger-ui')
  })

  it('describes every endpoint, its input and its answers', () => {
    const operations = Object.entries(paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => ({ name: `${method} ${path}`, operation })),
    )
    expect(operations.map(({ name }) => name).toSorted()).toEqual([
      'delete /customers/{id}',
      'delete /products/{id}',
      'get /categories',
      'get /countries',
      'get /countries/{code}',
      'get /currencies',
      'get /customers',
      'get /customers/{id}',
      'get /health',
      'get /health/cache',
      'get /products',
      'get /products/batch',
      'get /products/search',
      'get /products/{id}',
      'get /products/{id}/summary',
      'get /reports/stock-value',
      'get /suppliers',
      'get /tax-codes',
      'get /tenants',
      'patch /customers/{id}',
      'patch /products/{id}',
      'post /customers',
      'post /products',
      'post /products/exports',
      'post /products/price-changes',
    ])
    for (const { name, operation } of operations) {
      expect(operation.summary, name).toBeTruthy()
      for (const [status, { content }] of Object.entries(operation.responses)) {
        if (status >= '400') expect(Object.keys(content ?? {}), name).toEqual(['application/problem+json'])
      }
      const good = Object.entries(operation.responses).find(([status]) => status.startsWith('2'))
      if (!name.startsWith('delete')) expect(Object.keys(good?.[1].content ?? {}), name).toEqual(['application/json'])
      if (/^(post|patch) .*[^s]$/.test(name) && !name.endsWith('exports')) {
        expect(operation.requestBody?.content['application/json']?.schema['type'], name).toBe('object')
      }
    }
  })

  it('says the same of the input as the service checks', () => {
    const parameter = (path: string, name: string) => paths[path]?.['get']?.parameters?.find((one) => one.name === name)
    expect(parameter('/products', 'pageSize')).toMatchObject({
      in: 'query',
      required: false,
      schema: { type: 'integer', minimum: 1, maximum: 100, default: 20 },
    })
    expect(parameter('/products/{id}', 'id')).toMatchObject({ in: 'path', required: true, schema: { type: 'integer' } })
    expect(parameter('/products/{id}', 'x-tenant-id')).toMatchObject({ in: 'header', required: true })
    expect(parameter('/countries', 'x-tenant-id')).toBeUndefined()
  })
})

describe('the database', () => {
  it('has exactly the columns that the entities name', async () => {
    const dataSource = api.app.get(DataSource)
    const columns = await dataSource.query<{ name: string; type: string; nullable: boolean }[]>(
      `SELECT table_name || '.' || column_name AS name, is_nullable = 'YES' AS nullable
         FROM information_schema.columns WHERE table_schema = 'public' AND table_name <> ALL ($1)
        ORDER BY 1`,
      [['migrations', 'seed_runs']],
    )
    const named = dataSource.entityMetadatas.flatMap(({ tableName, columns }) =>
      columns.map(({ databaseName, isNullable }) => ({ name: `${tableName}.${databaseName}`, nullable: isNullable })),
    )
    expect(columns).toEqual(named.toSorted((a, b) => (a.name < b.name ? -1 : 1)))
  })

  it('is not seeded a second time, and what was changed stays changed', async () => {
    await api.send('PATCH', '/products/6', { name: 'Changed by a user' })
    const state = () =>
      api.app
        .get(DataSource)
        .query<object[]>(
          'SELECT (SELECT count(*)::int FROM products) AS products, (SELECT name FROM products WHERE id = 6)',
        )
    const before = await state()
    const said: string[] = []
    await prepareDatabase('master-data', definition, database.url, new QueryLog(), (line) => said.push(line))
    expect(said).toEqual(['seed: already there'])
    expect(await state()).toEqual(before)
    expect(before).toMatchObject([{ name: 'Changed by a user' }])
  })
})

describe('the burst', () => {
  it('measures cached and uncached reads of every kind, fails nothing and changes no data', async () => {
    const digest = async () => {
      const [row] = await api.app
        .get(DataSource)
        .query<{ digest: string }[]>(
          `SELECT md5(string_agg(concat_ws('|', id, sku, name, unit_price, stock, category_id), ',' ORDER BY id)) AS digest FROM products`,
        )
      return row?.digest
    }
    const before = await digest()
    const result = await sendBurst(api.url, { requests: 600, longestMs: 120_000 })
    expect(result).toMatchObject({ requests: 600, failed: 0 })
    expect(result.writes).toBeGreaterThan(0)
    expect(result.timings.map(({ kind }) => kind)).toEqual([
      'customer',
      'list',
      'lookup',
      'product',
      'report',
      'search',
    ])
    const counted = result.timings.reduce((sum, { cached, uncached }) => sum + cached.length + uncached.length, 0)
    expect(counted + result.writes).toBe(600)
    for (const { kind, cached } of result.timings) expect(cached.length, kind).toBeGreaterThan(0)
    expect(await digest()).toBe(before)
  })
})

// The last one: it takes the tables away.
it('the schema goes back to nothing and comes again (migrations down and up)', async () => {
  await api.close()
  const dataSource = await new DataSource(
    dataSourceOptions('master-data', definition, database, new QueryLog()),
  ).initialize()
  await dataSource.undoLastMigration()
  const tables = await dataSource.query<object[]>(`SELECT tablename FROM pg_tables WHERE schemaname = 'public'`)
  await dataSource.destroy()
  expect(tables).toEqual([{ tablename: 'migrations' }])
  const said: string[] = []
  await prepareDatabase('master-data', definition, database.url, new QueryLog(), (line) => said.push(line))
  expect(said).toContain('seed: 10,000 products')
})
