import {
  dataSourceOptions,
  type EmbeddedPostgres,
  prepareDatabase,
  QueryLog,
  startEmbeddedPostgres,
} from '@vextrus/service-kit'
import { DataSource } from 'typeorm'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { database as definition } from '../src/database/database.js'
import { lines, newDraft, OTHER, startTestService, type TestService } from './support/service.js'

/** What clients may send and what they get: invoices, stock, accounts, errors, the OpenAPI document – and the database below. */

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

const query = <Row>(sql: string, ...parameters: unknown[]): Promise<Row[]> =>
  api.app.get(DataSource).query(sql, parameters)

describe('the tenant header', () => {
  it('is required for whatever belongs to a tenant', async () => {
    for (const path of ['/invoices', '/invoices/1', '/customers', '/stock', '/accounts/bank', '/reports/revenue']) {
      const { status, body } = await api.client.send('GET', path)
      expect({ path, status, body }).toMatchObject({
        path,
        status: 400,
        body: { detail: 'The header x-tenant-id is missing: name the tenant in it' },
      })
    }
    expect((await api.client.send('GET', '/health')).status).toBe(200)
  })
})

describe('bad input', () => {
  it.each([
    '/invoices/0',
    '/invoices/1.5',
    '/invoices/abc',
    '/invoices?status=PENDING',
    '/invoices?status=draft',
    '/invoices?customerId=x',
    '/invoices?page=0',
    '/stock/lower-case',
    '/stock/A:B',
    '/stock/%2A',
    '/accounts/BANK',
    '/accounts/a%2A',
    '/accounts/bank/postings?pageSize=101',
  ])('GET %s is 400', async (path) => {
    const { status, body } = await api.get(path)
    expect({ status, title: body['title'] }).toEqual({ status: 400, title: 'Bad Request' })
  })

  const line = lines[0]!
  it.each([
    ['/invoices', {}],
    ['/invoices', { customerId: 1, lines: [] }],
    ['/invoices', { customerId: 1, lines: [{ ...line, unitPrice: 12.5 }] }],
    ['/invoices', { customerId: 1, lines: [{ ...line, unitPrice: '1250' }] }],
    ['/invoices', { customerId: 1, lines: [{ ...line, unitPrice: -1 }] }],
    ['/invoices', { customerId: 1, lines: [{ ...line, quantity: 0 }] }],
    ['/invoices', { customerId: 1, lines: [{ ...line, quantity: 1e300 }] }],
    ['/invoices', { customerId: 1, lines: [{ ...line, description: 'a\u0000b' }] }],
    ['/invoices', { customerId: 1, lines: Array.from({ length: 51 }, () => line) }],
    ['/invoices', { customerId: 1, lines, number: 'INV-00000001' }],
    ['/invoices', { customerId: 1, lines, tenantId: OTHER }],
    ['/invoices', { customerId: 999_999, lines }],
    ['/invoices/bulk-status', { from: 'DRAFT', to: 'PAID' }],
    ['/invoices/bulk-status', { from: 'PAID', to: 'ISSUED' }],
    ['/invoices/bulk-status', { from: 'ISSUED', to: 'PAID', ids: [] }],
    ['/customers', { name: '' }],
    ['/stock', { sku: 'a', name: 'A' }],
    ['/stock/ITEM-001/deductions', { quantity: 1 }],
    ['/stock/ITEM-001/deductions', { reference: 'a', quantity: 0 }],
    ['/stock/ITEM-001/deductions', { reference: 'a', quantity: -1 }],
    ['/stock/ITEM-001/deductions', { reference: 'a', quantity: 0.5 }],
    ['/stock/ITEM-001/deductions', { reference: 'a b', quantity: 1 }],
    ['/transfers', { reference: 'a', from: 'bank', to: 'bank', amount: 1 }],
    ['/transfers', { reference: 'a', from: 'bank', to: 'cash', amount: 0 }],
    ['/transfers', { reference: 'a', from: 'bank', to: 'cash', amount: -5 }],
    ['/transfers', { reference: 'a', from: 'bank', to: 'cash', amount: '5' }],
    ['/transfers', { reference: 'a', from: 'bank', to: 'nowhere', amount: 5 }],
  ])('POST %s of %j is 400', async (path, body) => {
    const reply = await api.send('POST', path, body)
    expect({ status: reply.status, title: reply.body['title'] }).toEqual({ status: 400, title: 'Bad Request' })
  })
})

describe('an invoice', () => {
  it('is a draft without a number, is issued with one, and paid', async () => {
    const { id, customerId } = await newDraft(api)
    const draft = (await api.get(`/invoices/${id}`)).body
    expect(draft).toMatchObject({
      customerId,
      number: null,
      status: 'DRAFT',
      total: 1_250,
      currencyCode: 'USD',
      version: 1,
    })
    const issued = await api.send('PATCH', `/invoices/${id}/status`, { status: 'ISSUED', version: 1 })
    expect(issued.body).toMatchObject({ number: expect.stringMatching(/^INV-\d{8}$/), status: 'ISSUED', version: 2 })
    expect(issued.body['issuedAt']).not.toBeNull()
    const paid = await api.send('PATCH', `/invoices/${id}/status`, { status: 'PAID' })
    expect(paid.body).toMatchObject({ number: issued.body.number, status: 'PAID', version: 3 })
    expect((await api.get(`/invoices/${id}`)).body).toEqual(paid.body)
  })

  it('adds up its lines exactly, to the largest that it may have', async () => {
    const largest = { description: 'Everything', quantity: 100_000, unitPrice: 1_000_000_000 }
    const lines = Array.from({ length: 50 }, () => largest)
    const { status, body } = await api.send('POST', '/invoices', { customerId: 1, lines })
    expect({ status, total: body['total'] }).toEqual({ status: 201, total: 5_000_000_000_000_000 })
    expect(await query('SELECT total FROM finance.invoices WHERE id = $1', body.id)).toEqual([
      { total: '5000000000000000' },
    ])
  })

  it('gets the number after the last one', async () => {
    const numbers: number[] = []
    for (let i = 0; i < 3; i++) {
      const { id } = await newDraft(api)
      const { body } = await api.send('PATCH', `/invoices/${id}/status`, { status: 'ISSUED' })
      numbers.push(Number(body.number?.slice(4)))
    }
    const [first = 0] = numbers
    expect(first).toBeGreaterThan(40)
    expect(numbers).toEqual([first, first + 1, first + 2])
  })

  it('goes no other way than draft, issued, paid or void', async () => {
    const { id } = await newDraft(api)
    const become = async (status: string) => (await api.send('PATCH', `/invoices/${id}/status`, { status })).status
    expect(await become('PAID')).toBe(409)
    expect(await become('VOID')).toBe(409)
    expect(await become('DRAFT')).toBe(400)
    expect(await become('ISSUED')).toBe(200)
    expect(await become('ISSUED')).toBe(409)
    expect(await become('VOID')).toBe(200)
    expect(await become('PAID')).toBe(409)
  })

  it('that was changed by somebody else is 409 to who names the old version, and no number is used', async () => {
    const last = async () =>
      (await query<{ last: string }>(`SELECT last FROM finance.invoice_counter`)).map(({ last }) => last)
    const { id } = await newDraft(api)
    const before = await last()
    const { status, body } = await api.send('PATCH', `/invoices/${id}/status`, { status: 'ISSUED', version: 7 })
    expect({ status, detail: body.detail }).toEqual({
      status: 409,
      detail: `Invoice ${id} was changed by somebody else: its version is 1 by now, not 7`,
    })
    expect((await api.send('PATCH', '/invoices/999999/status', { status: 'ISSUED' })).status).toBe(404)
    expect(await last()).toEqual(before)
  })
})

describe('a bulk change', () => {
  it('issues drafts in their order, with numbers that follow each other', async () => {
    const { body: customer } = await api.send('POST', '/customers', { name: 'Bulk' })
    const ids: number[] = []
    for (let i = 0; i < 5; i++)
      ids.push((await api.send('POST', '/invoices', { customerId: customer.id, lines })).body.id)
    const issued = await api.send('POST', '/invoices/bulk-status', { from: 'DRAFT', to: 'ISSUED', ids: ids.slice(1) })
    expect(issued.body).toEqual({ changed: 4, more: false })
    const { items } = (await api.get(`/invoices?customerId=${customer.id}`)).body
    const numbers = items.toReversed().map(({ number }) => (number === null ? null : Number(number.slice(4))))
    const [, first = 0] = numbers
    expect(numbers).toEqual([null, first, first! + 1, first! + 2, first! + 3])
    const rest = { from: 'DRAFT', to: 'ISSUED', customerId: customer.id }
    expect((await api.send('POST', '/invoices/bulk-status', rest)).body).toEqual({ changed: 1, more: false })
    expect((await api.send('POST', '/invoices/bulk-status', rest)).body).toEqual({ changed: 0, more: false })
    const paid = { from: 'ISSUED', to: 'PAID', customerId: customer.id }
    expect((await api.send('POST', '/invoices/bulk-status', paid)).body).toEqual({ changed: 5, more: false })
  })
})

describe('a bulk change of more than a thousand', () => {
  it('changes the oldest thousand, and says that there are more', async () => {
    const tenant = 'merlion-medical'
    const drafts = await query<{ id: number }>(
      `INSERT INTO finance.invoices (tenant_id, customer_id, status, currency_code, lines, total, version)
       SELECT tenant_id, id, 'DRAFT', 'SGD', '[]', 0, 1
         FROM generate_series(1, 1001), (SELECT tenant_id, min(id) AS id FROM finance.customers WHERE tenant_id = $1 GROUP BY 1)
       RETURNING id`,
      tenant,
    )
    const [last] = drafts.map(({ id }) => id).toSorted((a, b) => b - a)
    const issue = async () =>
      (await api.send('POST', '/invoices/bulk-status', { from: 'DRAFT', to: 'ISSUED' }, tenant)).body
    expect(await issue()).toEqual({ changed: 1_000, more: true })
    expect((await api.get(`/invoices/${last}`, tenant)).body).toMatchObject({ status: 'DRAFT', number: null })
    expect(await issue()).toEqual({ changed: 9, more: false })
    const [numbers] = await query(
      `SELECT count(number)::int, count(DISTINCT number)::int AS different, max(number) FROM finance.invoices WHERE tenant_id = $1`,
      tenant,
    )
    // 40 of the seed, its 8 drafts, and these.
    expect(numbers).toEqual({ count: 1_049, different: 1_049, max: 'INV-00001049' })
  })
})

describe('a customer that is deleted', () => {
  it('loses its drafts; what was issued is void, what was paid stays, and no number is missing', async () => {
    const { id: draft, customerId } = await newDraft(api)
    const [issued, paid] = [
      (await api.send('POST', '/invoices', { customerId, lines })).body.id,
      (await api.send('POST', '/invoices', { customerId, lines })).body.id,
    ]
    for (const id of [issued, paid]) await api.send('PATCH', `/invoices/${id}/status`, { status: 'ISSUED' })
    await api.send('PATCH', `/invoices/${paid}/status`, { status: 'PAID' })
    const { status, body } = await api.send('DELETE', `/customers/${customerId}`)
    expect({ status, body }).toEqual({ status: 200, body: { deletedDrafts: 1, voidedInvoices: 1 } })
    expect((await api.get(`/invoices/${draft}`)).status).toBe(404)
    expect((await api.get(`/invoices/${issued}`)).body).toMatchObject({ status: 'VOID' })
    expect((await api.get(`/invoices/${paid}`)).body).toMatchObject({ status: 'PAID' })
    expect((await api.send('POST', '/invoices', { customerId, lines })).status).toBe(400)
    expect((await api.send('DELETE', `/customers/${customerId}`)).status).toBe(404)
  })
})

describe('stock', () => {
  it('is received and taken out, once for each reference', async () => {
    expect((await api.send('POST', '/stock', { sku: 'HTTP-1', name: 'Hammer' })).body).toMatchObject({ quantity: 0 })
    expect((await api.send('POST', '/stock', { sku: 'HTTP-1', name: 'Hammer' })).status).toBe(409)
    const receive = () => api.send('POST', '/stock/HTTP-1/receipts', { reference: 'http/r1', quantity: 10 })
    expect((await receive()).body).toMatchObject({ quantity: 10, remaining: 10, repeated: false })
    const deduct = () => api.send('POST', '/stock/HTTP-1/deductions', { reference: 'http/d1', quantity: 4 })
    expect((await deduct()).body).toEqual({
      sku: 'HTTP-1',
      reference: 'http/d1',
      quantity: -4,
      remaining: 6,
      repeated: false,
    })
    expect((await deduct()).body).toMatchObject({ remaining: 6, repeated: true })
    expect((await receive()).body).toMatchObject({ remaining: 10, repeated: true })
    expect((await api.get('/stock/HTTP-1')).body).toMatchObject({ quantity: 6 })
  })

  it('is never sold when it is not there', async () => {
    const { status, body } = await api.send('POST', '/stock/HTTP-1/deductions', { reference: 'http/d2', quantity: 7 })
    expect({ status, detail: body.detail }).toEqual({
      status: 409,
      detail: 'Stock of HTTP-1 is 6: not enough to take out 7',
    })
    expect((await api.get('/stock/HTTP-1')).body).toMatchObject({ quantity: 6 })
    // The reference was not used up by that.
    const less = await api.send('POST', '/stock/HTTP-1/deductions', { reference: 'http/d2', quantity: 6 })
    expect(less.body).toMatchObject({ remaining: 0, repeated: false })
  })

  it('takes no reference for two things', async () => {
    for (const [path, quantity] of [
      ['/stock/HTTP-1/deductions', 5],
      ['/stock/HTTP-1/receipts', 4],
      ['/stock/ITEM-001/deductions', 4],
    ] as const) {
      const { status, body } = await api.send('POST', path, { reference: 'http/d1', quantity })
      expect({ status, detail: body.detail }).toEqual({
        status: 409,
        detail: 'Reference http/d1 was used for something else',
      })
    }
  })

  it('of what nobody knows is 404', async () => {
    expect((await api.get('/stock/NOTHING')).status).toBe(404)
    const { status } = await api.send('POST', '/stock/NOTHING/deductions', { reference: 'http/d3', quantity: 1 })
    expect(status).toBe(404)
  })
})

describe('accounts', () => {
  it('pass money on, once for each reference, and their balances are the sums of their postings', async () => {
    expect((await api.send('POST', '/accounts', { code: 'till', name: 'Till' })).body).toMatchObject({ balance: 0 })
    expect((await api.send('POST', '/accounts', { code: 'till', name: 'Till' })).status).toBe(409)
    const cash = (await api.get('/accounts/cash')).body.balance
    const transfer = (reference: string, from: string, to: string, amount: number) =>
      api.send('POST', '/transfers', { reference, from, to, amount })
    expect((await transfer('http/t1', 'cash', 'till', 500)).body).toEqual({
      reference: 'http/t1',
      from: 'cash',
      to: 'till',
      amount: 500,
      repeated: false,
    })
    expect((await transfer('http/t1', 'cash', 'till', 500)).body).toMatchObject({ repeated: true })
    expect((await transfer('http/t1', 'cash', 'till', 501)).status).toBe(409)
    expect((await transfer('http/t2', 'till', 'bank', 200)).status).toBe(200)
    expect((await api.get('/accounts/cash')).body.balance).toBe(cash - 500)
    expect((await api.get('/accounts/till')).body.balance).toBe(300)
    expect((await api.get('/accounts/till/postings')).body.items).toEqual([
      { reference: 'http/t2', amount: -200 },
      { reference: 'http/t1', amount: 500 },
    ])
  })

  it('are overdrawn only where they may be', async () => {
    const { status, body } = await api.send('POST', '/transfers', {
      reference: 'http/t3',
      from: 'till',
      to: 'bank',
      amount: 301,
    })
    expect({ status, detail: body.detail }).toEqual({
      status: 409,
      detail: 'Account till holds 300: not enough to take out 301',
    })
    const sale = { reference: 'http/t4', from: 'revenue', to: 'till', amount: 1 }
    expect((await api.send('POST', '/transfers', sale)).status).toBe(200)
  })

  it('of the seed and since add up, each by itself and all of a tenant to zero', async () => {
    const wrong = await query(
      `SELECT tenant_id, code FROM finance.accounts AS a
        WHERE balance <> (SELECT coalesce(sum(amount), 0) FROM finance.postings AS p
                           WHERE p.tenant_id = a.tenant_id AND p.account_code = a.code)`,
    )
    const sums = await query<{ sum: string }>('SELECT sum(balance) FROM finance.accounts GROUP BY tenant_id')
    expect(wrong).toEqual([])
    expect(sums).toEqual(Array.from({ length: 8 }, () => ({ sum: '0' })))
  })
})

describe('the export', () => {
  it('holds all that the tenant has, and nothing of others', async () => {
    const { status, body } = await api.send('POST', '/exports')
    expect(status).toBe(200)
    const parts = ['customers', 'invoices', 'stock', 'accounts'].map((part) => body[part] as { tenantId: string }[])
    expect(parts.every((part) => part.length > 0)).toBe(true)
    expect(new Set(parts.flat().map(({ tenantId }) => tenantId))).toEqual(new Set(['aurora-hardware']))
  })
})

describe('the OpenAPI document', () => {
  interface Operation {
    summary?: string
    responses: Record<string, { content?: Record<string, unknown> }>
    requestBody?: { content: Record<string, { schema: Record<string, unknown> }> }
  }

  it('describes every endpoint, its input and its answers', async () => {
    const { body } = await api.client.send('GET', '/docs-json')
    const { paths } = body as { paths: Record<string, Record<string, Operation>> }
    const operations = Object.entries(paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => ({ name: `${method} ${path}`, operation })),
    )
    expect(operations.map(({ name }) => name).toSorted()).toEqual([
      'delete /customers/{id}',
      'get /accounts',
      'get /accounts/{code}',
      'get /accounts/{code}/postings',
      'get /customers',
      'get /health',
      'get /health/cache',
      'get /invoices',
      'get /invoices/{id}',
      'get /reports/revenue',
      'get /stock',
      'get /stock/{sku}',
      'get /tenants',
      'patch /invoices/{id}/status',
      'post /accounts',
      'post /customers',
      'post /exports',
      'post /invoices',
      'post /invoices/bulk-status',
      'post /stock',
      'post /stock/{sku}/deductions',
      'post /stock/{sku}/receipts',
      'post /transfers',
    ])
    for (const { name, operation } of operations) {
      expect(operation.summary, name).toBeTruthy()
      for (const [status, { content }] of Object.entries(operation.responses)) {
        const type = status >= '400' ? 'application/problem+json' : 'application/json'
        expect(Object.keys(content ?? {}), `${name} ${status}`).toEqual([type])
      }
      if (/^(post|patch)/.test(name) && !name.endsWith('exports'))
        expect(operation.requestBody?.content['application/json']?.schema['type'], name).toBe('object')
    }
  })
})

describe('the database', () => {
  it('has exactly the columns that the entities name', async () => {
    const columns = await query<{ name: string; nullable: boolean }>(
      `SELECT table_name || '.' || column_name AS name, is_nullable = 'YES' AS nullable
         FROM information_schema.columns WHERE table_schema = 'finance' AND table_name <> ALL ($1)
        ORDER BY 1`,
      ['migrations', 'seed_runs'],
    )
    const named = api.app
      .get(DataSource)
      .entityMetadatas.flatMap(({ tableName, columns }) =>
        columns.map(({ databaseName, isNullable }) => ({ name: `${tableName}.${databaseName}`, nullable: isNullable })),
      )
    expect(columns).toEqual(named.toSorted((a, b) => (a.name < b.name ? -1 : 1)))
  })

  it('itself refuses what no lock may let through', async () => {
    for (const statement of [
      `UPDATE finance.stock_items SET quantity = -1 WHERE sku = 'ITEM-001'`,
      `UPDATE finance.accounts SET balance = -1 WHERE code = 'cash'`,
      `UPDATE finance.invoices SET number = 'INV-00000001' WHERE status = 'PAID'`,
      `UPDATE finance.invoices SET status = 'PAID' WHERE status = 'DRAFT'`,
      `UPDATE finance.invoices SET number = NULL WHERE status = 'ISSUED'`,
    ])
      await expect(query(statement)).rejects.toThrowError(/violates (check|unique) constraint|duplicate key/)
  })
})

// The last one: it takes the tables away.
it('the schema goes back to nothing and comes again (migrations down and up)', async () => {
  await api.close()
  const options = dataSourceOptions('finance', definition, database, new QueryLog())
  const dataSource = await new DataSource(options).initialize()
  await dataSource.undoLastMigration()
  const tables = await dataSource.query<object[]>(`SELECT tablename FROM pg_tables WHERE schemaname = 'finance'`)
  await dataSource.destroy()
  expect(tables).toEqual([{ tablename: 'migrations' }])
  const said: string[] = []
  await prepareDatabase('finance', definition, database.url, new QueryLog(), (line) => said.push(line))
  expect(said).toContain('seed: 384 invoices')
})
