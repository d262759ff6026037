import {
  dataSourceOptions,
  type EmbeddedPostgres,
  prepareDatabase,
  QueryLog,
  startEmbeddedPostgres,
} from '@vextrus/service-kit'
import { runAsTenant } from '@vextrus/shared/cache'
import { DataSource } from 'typeorm'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { database as definition } from '../src/database/database.js'
import { RuleSets } from '../src/rules/rule-sets.js'
import { cacheOf, newRule, OTHER, startTestService, TENANT, type TestService, until } from './support/service.js'

/** What clients may send and what they get: input, versions, errors, the OpenAPI document – and the database below. */

let database: EmbeddedPostgres
let api: TestService

/** Another service's tables in the same Postgres, of the same names. */
const OF_OTHERS = ['migrations', 'seed_runs', 'tenants']

async function withConnection<T>(work: (connection: DataSource) => Promise<T>): Promise<T> {
  const options = dataSourceOptions('rules-engine', definition, database, new QueryLog())
  const connection = await new DataSource(options).initialize()
  try {
    return await work(connection)
  } finally {
    await connection.destroy()
  }
}

beforeAll(async () => {
  database = await startEmbeddedPostgres()
  await withConnection(async (connection) => {
    for (const table of OF_OTHERS) await connection.query(`CREATE TABLE ${table} (anything int)`)
  })
  api = await startTestService(database)
})

afterAll(async () => {
  await api?.close()
  await database?.stop()
})

const evaluate = async (subject: string, facts: object) => {
  const { status, body } = await api.send('POST', '/evaluations', { subject, facts })
  expect(status).toBe(200)
  return body.matches.map(({ name }) => name)
}

describe('an evaluation', () => {
  it('answers the rules that hold, highest priority first, with their outcomes', async () => {
    const facts = { invoice: { total: 60_000 }, customer: { creditLimit: 10_000 } }
    const { status, body } = await api.send('POST', '/evaluations', { subject: 'invoice.approval', facts })
    expect({ status, body }).toEqual({
      status: 200,
      body: {
        subject: 'invoice.approval',
        evaluated: 4,
        matches: [
          {
            ruleId: 1,
            name: 'Large invoices need the CFO',
            priority: 100,
            version: 1,
            outcome: { approver: 'cfo', reason: 'total' },
          },
          {
            ruleId: 3,
            name: 'Beyond the credit limit',
            priority: 40,
            version: 1,
            outcome: { approver: 'credit-control' },
          },
        ],
      },
    })
  })

  it('of a subject without rules matches nothing', async () => {
    expect(await evaluate('nobody.knows', { a: 1 })).toEqual([])
  })

  it('of many questions at once reads each subject once, and answers in their order', async () => {
    const subjects = ['order.discount', 'customer.credit', 'order.discount', 'nobody.asked']
    const facts = [{ order: { quantity: 500 } }, {}, {}, {}]
    const evaluations = subjects.map((subject, at) => ({ subject, facts: facts[at] }))
    const { body, queries } = await api.send('POST', '/evaluations/batch', { evaluations })
    const answers = body as unknown as { subject: string; matches: { name: string }[] }[]
    expect(answers.map(({ subject }) => subject)).toEqual(subjects)
    expect(answers.map(({ matches }) => matches.map(({ name }) => name))).toEqual([
      ['Volume'],
      ['Others pay within the usual days'],
      [],
      [],
    ])
    expect(queries).toBe(3)
  })

  it('is not fooled by names of the language in its facts', async () => {
    const hostile =
      '{"subject":"customer.credit","facts":{"__proto__":{"customer":{"daysOverdue":99}},"constructor":1}}'
    const response = await fetch(`${api.url}/evaluations`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-tenant-id': TENANT },
      body: hostile,
    })
    const { matches } = (await response.json()) as { matches: { name: string }[] }
    expect(matches.map(({ name }) => name)).toEqual(['Others pay within the usual days'])
    expect(({} as Record<string, unknown>)['customer']).toBeUndefined()
  })
})

describe('a rule', () => {
  const subject = 'http.rule'

  it('is added, read, changed and removed, and in force accordingly', async () => {
    const created = await api.send('POST', '/rules', newRule('first', subject))
    expect(created).toMatchObject({ status: 201, body: { tenantId: TENANT, priority: 0, enabled: true, version: 1 } })
    const { id } = created.body
    expect((await api.get(`/rules/${id}`)).body).toEqual(created.body)
    expect(await evaluate(subject, {})).toEqual(['first'])

    const condition = { fact: 'a.b', op: 'eq', value: 1 }
    const changed = await api.send('PATCH', `/rules/${id}`, { version: 1, condition, outcome: { x: [1, { y: null }] } })
    expect(changed).toMatchObject({ status: 200, body: { version: 2, condition, outcome: { x: [1, { y: null }] } } })
    expect(await evaluate(subject, {})).toEqual([])
    expect(await evaluate(subject, { a: { b: 1 } })).toEqual(['first'])

    expect((await api.send('DELETE', `/rules/${id}?version=1`)).status).toBe(409)
    expect((await api.send('DELETE', `/rules/${id}?version=2`)).status).toBe(204)
    expect((await api.get(`/rules/${id}`)).status).toBe(404)
    expect(await evaluate(subject, { a: { b: 1 } })).toEqual([])
  })

  it('that somebody else has changed meanwhile is not changed: 409', async () => {
    const { id } = (await api.send('POST', '/rules', newRule('contested', subject))).body
    const [one, other] = [
      await api.send('PATCH', `/rules/${id}`, { version: 1, priority: 5 }),
      await api.send('PATCH', `/rules/${id}`, { version: 1, priority: 9 }),
    ]
    expect([one.status, other.status]).toEqual([200, 409])
    expect(other.body.detail).toBe(`Rule ${id} was changed by somebody else: its version is 2 by now, not 1`)
    expect((await api.get(`/rules/${id}`)).body).toMatchObject({ priority: 5, version: 2 })
  })

  it('of a name that the subject has already is 409', async () => {
    expect((await api.send('POST', '/rules', newRule('twice', subject))).status).toBe(201)
    expect((await api.send('POST', '/rules', newRule('twice', subject))).status).toBe(409)
    expect((await api.send('POST', '/rules', newRule('twice', `${subject}.other`))).status).toBe(201)
  })

  it('is listed by subject and priority, and the list follows each write', async () => {
    const of = 'http.list'
    const list = async () => (await api.get(`/rules?subject=${of}`)).body.items.map(({ name }) => name)
    expect(await list()).toEqual([])
    await api.send('POST', '/rules', newRule('low', of, { priority: -1 }))
    const { id } = (await api.send('POST', '/rules', newRule('high', of, { priority: 1 }))).body
    expect(await list()).toEqual(['high', 'low'])
    expect((await api.get(`/rules?subject=${of}`)).cache).toBe('HIT')
    await api.send('PATCH', `/rules/${id}`, { version: 1, priority: -2 })
    expect(await list()).toEqual(['low', 'high'])
  })

  it('is switched off and on with all of its subject, or of the tenant', async () => {
    const [a, b] = ['http.switch.a', 'http.switch.b']
    await api.send('POST', '/rules', newRule('of a', a))
    await api.send('POST', '/rules', newRule('of b', b))
    const inForce = async () => [...(await evaluate(a, {})), ...(await evaluate(b, {}))]
    expect(await inForce()).toEqual(['of a', 'of b'])
    const off = await api.send('POST', '/rules/switches', { enabled: false, subject: a })
    expect(off.body).toEqual({ changed: 1 })
    expect(await inForce()).toEqual(['of b'])
    const all = await api.send('POST', '/rules/switches', { enabled: false })
    expect(all.body['changed']).toBeGreaterThan(5)
    expect(await inForce()).toEqual([])
    await api.send('POST', '/rules/switches', { enabled: true })
    expect(await inForce()).toEqual(['of a', 'of b'])
  })
})

describe('a value of the configuration', () => {
  it.each([30, 'text', '', true, 0, [], ['a', { b: null }], { deep: { er: 1 } }].map((value) => ({ value })))(
    'is any JSON: %j',
    async ({ value }) => {
      const path = `/configuration/http.value${Math.floor(Math.random() * 1e9)}`
      expect(await api.send('PUT', path, { value })).toMatchObject({ status: 200, body: { value, version: 1 } })
      expect(await api.get(path)).toMatchObject({ cache: 'MISS', body: { value } })
      expect(await api.get(path)).toMatchObject({ cache: 'HIT', queries: 0, body: { value } })
    },
  )

  it('is replaced by those who know its version, and removed', async () => {
    const path = '/configuration/http.versions'
    expect((await api.get(path)).status).toBe(404)
    expect((await api.send('PUT', path, { value: 1, version: 1 })).status).toBe(404)
    await api.send('PUT', path, { value: 1 })
    expect((await api.send('PUT', path, { value: 2 })).status).toBe(409)
    expect((await api.get(path)).body['value']).toBe(1)
    expect(await api.send('PUT', path, { value: 2, version: 1 })).toMatchObject({ status: 200, body: { version: 2 } })
    expect((await api.get(path)).body['value']).toBe(2)
    expect((await api.send('PUT', path, { value: 3, version: 1 })).status).toBe(409)
    expect((await api.send('DELETE', `${path}?version=1`)).status).toBe(409)
    expect((await api.send('DELETE', path)).status).toBe(204)
    expect((await api.get(path)).status).toBe(404)
  })

  it('with a password in it is answered, and never stored in the cache', async () => {
    const path = '/configuration/http.smtp'
    await api.send('PUT', path, { value: { host: 'mail', password: 'hunter2' } })
    for (let i = 0; i < 2; i++)
      expect(await api.get(path)).toMatchObject({
        status: 200,
        cache: 'MISS',
        body: { value: { password: 'hunter2' } },
      })
  })
})

describe('a flag', () => {
  const path = '/flags/http-flag'
  const on = async (subject: string) => (await api.get(`${path}/evaluation?subject=${subject}`)).body

  it('is unknown, added, changed and removed, and evaluated accordingly', async () => {
    expect((await api.get(`${path}/evaluation?subject=u`)).status).toBe(404)
    expect((await api.get(`${path}/evaluation?subject=u`)).queries).toBe(0)
    const created = await api.send('POST', '/flags', { key: 'http-flag', enabled: true, allowList: ['vip'] })
    expect(created).toMatchObject({ status: 201, body: { rollout: 0, variants: [], version: 1 } })
    expect((await api.send('POST', '/flags', { key: 'http-flag', enabled: true })).status).toBe(409)
    expect([await on('vip'), await on('u')]).toMatchObject([
      { enabled: true, reason: 'allow-list' },
      { enabled: false, reason: 'rollout' },
    ])
    const variants = [{ name: 'only', weight: 1 }]
    const changed = await api.send('PATCH', path, { version: 1, rollout: 100, variants })
    expect(changed).toMatchObject({ status: 200, body: { rollout: 100, version: 2 } })
    expect(await on('u')).toEqual({ key: 'http-flag', subject: 'u', enabled: true, reason: 'rollout', variant: 'only' })
    expect((await api.send('PATCH', path, { version: 1, enabled: false })).status).toBe(409)
    expect((await api.send('DELETE', `${path}?version=1`)).status).toBe(409)
    expect((await api.send('DELETE', path)).status).toBe(204)
    expect((await api.get(path)).status).toBe(404)
    expect((await api.get(`${path}/evaluation?subject=u`)).status).toBe(404)
  })
})

describe('the cache', () => {
  it('keeps each kind of data for its time, and an empty answer shortly', async () => {
    const began = performance.now()
    await evaluate('customer.credit', {})
    await evaluate('http.nothing', {})
    await api.get('/configuration/stock.reorder')
    await api.get('/flags/dark-mode/evaluation?subject=u')
    await api.get('/flags/http-nobody/evaluation?subject=u')
    const cache = cacheOf(api)
    const expectLife = async (key: string, seconds: number) => {
      await until('it is stored', () => cache.has(key))
      const ttl = await cache.ttl(key)
      // Five percent of it at most are taken off at random, and what has passed since.
      const least = seconds * 0.94 - (performance.now() - began) / 1_000
      expect({ key, ttl, lives: ttl !== null && ttl > least && ttl <= seconds }).toMatchObject({ lives: true })
    }
    await expectLife(`rules:${TENANT}:customer.credit`, 86_400)
    await expectLife(`rules:${TENANT}:http.nothing`, 60)
    await expectLife(`config:${TENANT}:stock.reorder`, 86_400)
    await expectLife(`flag:${TENANT}:dark-mode`, 600)
    await expectLife(`flag:${TENANT}:http-nobody`, 30)
  })

  it('hands the same frozen object to all who evaluate', async () => {
    const sets = api.app.get(RuleSets)
    const read = () => runAsTenant(TENANT, () => sets.get(TENANT, 'customer.credit'))
    await read()
    await read()
    const [one, other] = [await read(), await read()]
    expect(one).toBe(other)
    expect(Object.isFrozen(one.rules[0]?.condition)).toBe(true)
  })
})

describe('bad input', () => {
  it.each<[string, string, unknown?]>([
    ['GET', '/rules/0'],
    ['GET', '/rules?subject=Not%20A%20Subject'],
    ['GET', '/rules?subject=a%3Ab'],
    ['GET', '/configuration/UPPER'],
    ['GET', '/configuration/a:b'],
    ['GET', '/configuration/a*'],
    ['GET', '/flags/new-checkout/evaluation'],
    ['GET', '/flags/new-checkout/evaluation?subject='],
    ['GET', '/flags/new-checkout/evaluation?subject=a%00'],
    ['POST', '/rules', newRule('x', 'a:b')],
    ['POST', '/rules', newRule('x', 'a', { condition: { fact: '__proto__.x', op: 'exists' } })],
    ['POST', '/rules', newRule('x', 'a', { condition: 'a > 5' })],
    ['POST', '/rules', newRule('x', 'a', { condition: [] })],
    ['POST', '/rules', newRule('x', 'a', { priority: 1.5 })],
    ['POST', '/rules', newRule('x', 'a', { outcome: { long: 'x'.repeat(9_000) } })],
    ['POST', '/rules', newRule('x', 'a', { outcome: 'approve' })],
    ['POST', '/rules', newRule('x', 'a', { tenantId: OTHER })],
    ['PATCH', '/rules/1', { priority: 1 }],
    ['PATCH', '/rules/1', { version: 1 }],
    ['PATCH', '/rules/1', { version: 1, subject: 'moved' }],
    ['DELETE', '/rules/1?version=x'],
    ['POST', '/rules/switches', {}],
    ['POST', '/evaluations', {}],
    ['POST', '/evaluations', { subject: 'a', facts: [] }],
    ['POST', '/evaluations', { subject: 'a', facts: 5 }],
    ['POST', '/evaluations/batch', { evaluations: [] }],
    ['POST', '/evaluations/batch', { evaluations: Array.from({ length: 201 }, () => ({ subject: 'a', facts: {} })) }],
    ['PUT', '/configuration/a', {}],
    ['PUT', '/configuration/a', { value: null }],
    ['PUT', '/configuration/a', { value: 'x'.repeat(70_000) }],
    ['PUT', '/configuration/a', { value: 1, version: 0 }],
    ['POST', '/flags', { key: 'a', enabled: 'yes' }],
    ['POST', '/flags', { key: 'a', enabled: true, rollout: 101 }],
    ['POST', '/flags', { key: 'a', enabled: true, rollout: 1.234 }],
    ['POST', '/flags', { key: 'a', enabled: true, variants: [{ name: 'x', weight: 0 }] }],
    [
      'POST',
      '/flags',
      {
        key: 'a',
        enabled: true,
        variants: [
          { name: 'x', weight: 1 },
          { name: 'x', weight: 2 },
        ],
      },
    ],
  ])('%s %s is 400: %#', async (method, path, body) => {
    const reply = await api.send(method, path, body)
    expect({ status: reply.status, title: reply.body['title'] }).toEqual({ status: 400, title: 'Bad Request' })
    expect(reply.body['errors']).not.toEqual([])
  })

  it('names the place of the fault in a condition', async () => {
    const condition = { all: [{ any: [{ fact: 'a', op: 'gt', value: true }] }] }
    const { body } = await api.send('POST', '/rules', newRule('x', 'a', { condition }))
    expect(body['errors']).toMatchObject([{ path: 'condition.all.0.any.0.value' }])
  })

  it('that is nested as deep as a request can be is a problem and not a crash', async () => {
    const deep = (before: string, after: string, levels: number) => `${before.repeat(levels)}1${after.repeat(levels)}`
    for (const [path, body] of [
      ['/rules', `{"name":"x","subject":"a","outcome":{},"condition":${deep('{"not":', '}', 12_000)}}`],
      ['/rules', `{"name":"x","subject":"a","condition":{"all":[]},"outcome":{"o":${deep('[', ']', 45_000)}}}`],
      ['/flags', `{"key":"a","enabled":true,"variants":${deep('[', ']', 45_000)}}`],
    ] as const) {
      const headers = { 'content-type': 'application/json', 'x-tenant-id': TENANT }
      const { status } = await fetch(`${api.url}${path}`, { method: 'POST', headers, body })
      expect({ path, status }).toEqual({ path, status: 400 })
    }
    expect((await api.get('/health')).status).toBe(200)
  })
})

describe('GET /latency', () => {
  it('measures reads of each level, and says how many', async () => {
    const { status, body } = await api.client.send('GET', '/latency')
    const { cache, rows } = body as { cache: string; rows: Record<string, number | string | null>[] }
    expect({ status, cache }).toMatchObject({ status: 200, cache: expect.stringMatching(/^memory/) as string })
    expect(rows.map(({ source }) => source)).toEqual(['L1 hit', 'L2 hit', 'database'])
    for (const { reads, p50Ms, p99Ms } of rows) {
      expect(reads).toBeGreaterThan(0)
      expect(p50Ms).toBeGreaterThan(0)
      expect(Number(p99Ms)).toBeGreaterThanOrEqual(Number(p50Ms))
    }
  })
})

describe('the OpenAPI document', () => {
  it('describes every endpoint, its input and its answers', async () => {
    const { body } = await api.client.send('GET', '/docs-json')
    const { paths } = body as { paths: Record<string, Record<string, { summary?: string; requestBody?: object }>> }
    const operations = Object.entries(paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => ({ name: `${method} ${path}`, operation })),
    )
    expect(operations.map(({ name }) => name).toSorted()).toEqual([
      'delete /configuration/{key}',
      'delete /flags/{key}',
      'delete /rules/{id}',
      'get /configuration',
      'get /configuration/{key}',
      'get /flags',
      'get /flags/{key}',
      'get /flags/{key}/evaluation',
      'get /health',
      'get /health/cache',
      'get /latency',
      'get /rules',
      'get /rules/{id}',
      'get /tenants',
      'patch /flags/{key}',
      'patch /rules/{id}',
      'post /evaluations',
      'post /evaluations/batch',
      'post /flags',
      'post /rules',
      'post /rules/switches',
      'put /configuration/{key}',
    ])
    for (const { name, operation } of operations) {
      expect(operation.summary, name).toBeTruthy()
      if (/^(post|patch|put) /.test(name)) expect(operation.requestBody, name).toBeDefined()
    }
    expect(JSON.stringify(paths['/rules']?.['post'])).toContain('between')
  })
})

describe('the database', () => {
  it('has exactly the columns that the entities name, in a schema beside other services’ tables of the same names', async () => {
    const dataSource = api.app.get(DataSource)
    const columns = await dataSource.query<{ name: string }[]>(
      `SELECT table_name || '.' || column_name AS name FROM information_schema.columns
        WHERE table_schema = 'rules_engine' AND table_name <> ALL ($1) ORDER BY 1`,
      [['migrations', 'seed_runs']],
    )
    const named = dataSource.entityMetadatas.flatMap(({ tableName, columns }) =>
      columns.map(({ databaseName }) => `${tableName}.${databaseName}`),
    )
    expect(columns.map(({ name }) => name)).toEqual(named.toSorted())
    const elsewhere = await dataSource.query<{ name: string }[]>(
      `SELECT table_name || '.' || column_name AS name FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1`,
    )
    expect(elsewhere.map(({ name }) => name)).toEqual(OF_OTHERS.map((table) => `${table}.anything`))
  })

  // The last one: it takes the tables away.
  it('goes back to nothing and comes again (migrations down and up)', async () => {
    await api.close()
    const tables = await withConnection(async (connection) => {
      await connection.undoLastMigration()
      return connection.query<object[]>(`SELECT tablename FROM pg_tables WHERE schemaname = 'rules_engine'`)
    })
    expect(tables).toEqual([{ tablename: 'migrations' }])
    const said: string[] = []
    const prepare = () =>
      prepareDatabase('rules-engine', definition, database.url, new QueryLog(), (line) => said.push(line))
    expect([await prepare(), await prepare()]).toEqual([true, false])
    expect(said).toContain('seed: 64 rules')
  })
})
