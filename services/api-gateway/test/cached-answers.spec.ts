import { RedisCacheService } from '@vextrus/shared/cache'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type RedisServer, startRedis } from '../../../packages/shared/test/support/redis-server.js'
import { patient } from '../../service-kit/test/support/servers.js'
import { bearer, OTHER, startGateway, TENANT, type TestGateway, until } from './support/gateway.js'
import { json, type Seen } from './support/test-upstream.js'

/** On Redis: two gateways, as replicas are. Whatever a test says of one is true of the memory driver too, which `proxy.spec.ts` runs on. */

let redis: RedisServer
let gateway: TestGateway
let replica: TestGateway

beforeAll(async () => {
  redis = await startRedis()
  gateway = await startGateway({}, patient(redis))
  const { url } = gateway.upstream
  const services = { 'master-data': url, 'rules-engine': url, finance: url, auth: url, workflow: url }
  replica = await startGateway({ services }, patient(redis))
})
afterAll(async () => {
  await gateway?.close()
  await replica?.close()
  await redis?.stop()
})

/** Goes on without knowing what was revoked. */
const ACCEPTING = { revocations: { where: 'redis', whenUnknown: 'accept' } } as const

let answered = 0
const countUp = () => gateway.upstream.answers(whoseAnswer)
/** For whom the service takes the caller; no two answers are the same. */
const whoseAnswer = ({ headers, url }: Seen) => ({
  tenant: headers['x-tenant-id'] ?? null,
  user: headers['x-user-id'] ?? null,
  url,
  answer: ++answered,
})

beforeEach(() => {
  gateway.upstream.seen.length = 0
  countUp()
})

/** A path that no other test asks for. */
let paths = 0
const product = () => `/master-data/products/${++paths}`

/** Sends until the answer comes from the cache: it is stored behind its first reader's back. */
async function untilHit(send: () => ReturnType<TestGateway['send']>) {
  let answer = await send()
  await until('it is a hit', async () => {
    answer = await send()
    return answer.cache === 'HIT'
  })
  return answer
}

const as = async (id: string, tenant = TENANT) => ({ headers: await bearer(id, tenant) })

describe('an answer for a tenant', () => {
  it('is everybody’s of the tenant, and nobody’s of another', async () => {
    const path = product()
    const first = await gateway.send(path, await as('ada'))
    expect(first).toMatchObject({ status: 200, cache: 'MISS', body: { tenant: TENANT } })
    const shared = await untilHit(async () => gateway.send(path, await as('bob')))
    expect(shared.body.tenant).toBe(TENANT)
    const other = await gateway.send(path, await as('ada', OTHER))
    expect(other).toMatchObject({ cache: 'MISS', body: { tenant: OTHER } })
    expect((await untilHit(async () => replica.send(path, await as('bob', OTHER)))).body.tenant).toBe(OTHER)
  })

  it('can’t depend on who of the tenant asked: the service is told of nobody, and of nothing that the client sent', async () => {
    const headers = {
      'accept-language': 'bn',
      cookie: 'a=1',
      'x-anything': '1',
      'if-none-match': '*',
      range: 'bytes=0-1',
      'x-tenant-id': OTHER,
      'x-forwarded-host': 'evil.example',
    }
    const { body } = await gateway.send(product(), { headers })
    expect(body.user).toBeNull()
    expect(Object.keys(gateway.upstream.seen[0]!.headers).sort()).toEqual(
      ['accept', 'accept-encoding', 'connection', 'host', 'traceparent', 'x-request-id', 'x-tenant-id'].sort(),
    )
  })

  it('is another for another query', async () => {
    const path = product()
    await untilHit(() => gateway.send(`${path}?page=1`))
    expect(await gateway.send(`${path}?page=2`)).toMatchObject({
      cache: 'MISS',
      body: { url: expect.stringMatching('page=2') },
    })
  })

  it('tells whoever asks whether it has changed', async () => {
    const path = '/master-data/suppliers'
    const { headers } = await untilHit(() => gateway.send(path))
    const again = await gateway.send(path, {
      // Of its own accord, `fetch` says no-cache here.
      headers: { 'if-none-match': headers.get('etag')!, 'cache-control': 'max-age=0' },
    })
    expect(again).toMatchObject({ status: 304, text: '' })
    expect(await gateway.send(path, { method: 'HEAD' })).toMatchObject({ status: 200, cache: 'HIT', text: '' })
  })

  it.each([404, 401, 500, 503])('with the status %i is handed on and not kept', async (status) => {
    gateway.upstream.answers(({ url }) => ({ title: 'A problem', url }), status, {
      'content-type': 'application/problem+json',
    })
    const path = product()
    for (let i = 0; i < 3; i++) {
      const answer = await gateway.send(path)
      expect(answer).toMatchObject({ status, cache: 'BYPASS', body: { title: 'A problem' } })
      expect(answer.headers.get('content-type')).toMatch('application/problem+json')
    }
    expect(gateway.upstream.seen).toHaveLength(3)
  })

  it('that is no JSON although it says so is 502, and not kept', async () => {
    const path = product()
    gateway.upstream.handler = (_request, response) => {
      response.writeHead(200, { 'content-type': 'application/json', 'x-thing': '1' }).end('{"half":')
    }
    for (let i = 0; i < 2; i++) {
      const answer = await gateway.send(path)
      expect(answer).toMatchObject({ status: 502, body: { detail: expect.stringContaining('not the JSON') } })
      expect(answer.headers.get('x-thing')).toBeNull()
    }
    countUp()
    expect(await gateway.send(path)).toMatchObject({ status: 200, body: { tenant: TENANT } })
  })

  it.each(['null', '7', 'true', '"a text"', '[]'])('of JSON is the same JSON, stored or not: %s', async (text) => {
    gateway.upstream.handler = (_request, response) => {
      response.writeHead(200, { 'content-type': 'application/json' }).end(text)
    }
    const path = product()
    const hit = await untilHit(async () => {
      const answer = await gateway.send(path)
      expect(answer.text).toBe(text)
      return answer
    })
    expect(hit.headers.get('content-type')).toMatch(/^application\/json/)
  })

  it('with a secret or a cookie in it is not kept', async () => {
    for (const [body, headers] of [
      [{ password: 'a secret' }, {}],
      [{}, { 'set-cookie': 'session=1' }],
    ] as const) {
      gateway.upstream.answers(() => body, 200, headers)
      gateway.upstream.seen.length = 0
      const path = product()
      for (let i = 0; i < 3; i++) expect((await gateway.send(path)).cache).not.toBe('HIT')
      expect(gateway.upstream.seen).toHaveLength(3)
    }
  })

  it('is asked for once by all who ask at the same time, also when the first of them leaves', async () => {
    const path = product()
    let asked = 0
    let open!: () => void
    const opened = new Promise<void>((resolve) => (open = resolve))
    gateway.upstream.handler = (_request, response) => {
      asked++
      void opened.then(() => json(response, { asked }))
    }
    const impatient = new AbortController()
    const left = gateway.send(path, { signal: impatient.signal })
    await until('it is asked for', () => asked === 1)
    const cache = gateway.app.get(RedisCacheService)
    const { misses } = cache.getStatistics()
    const staying = Array.from({ length: 20 }, () => gateway.send(path))
    await until('all wait', () => cache.getStatistics().misses >= misses + 20)
    impatient.abort()
    await expect(left).rejects.toThrowError()
    open()
    const answers = await Promise.all(staying)
    expect(answers.map(({ body }) => body)).toEqual(Array(20).fill({ asked: 1 }))
    expect(asked).toBe(1)
  })
})

describe('an answer for a user', () => {
  /** All different people, for anybody who does not glue their names together. */
  const people: readonly (readonly [user: string, tenant: string])[] = [
    ['ada', 'a'],
    ['ada', 'a-b'],
    ['b:ada', 'a'],
    ['a:ada', 'b'],
    ['-b:ada', 'a'],
    ['ADA', 'a'],
    ['ada:', 'a'],
    [':ada', 'a'],
    ['*', 'a'],
    ['ad?', 'a'],
    ['ad[a]', 'a'],
    ['{ada}', 'a'],
    ['"ada"', 'a'],
    ['["ada"]', 'a'],
    ['ada,', 'a'],
    [',ada', 'a'],
    ['ada\\', 'a'],
    ['%61da', 'a'],
    ['ada&subject=bob', 'a'],
    ['ada#', 'a'],
    ['../ada', 'a'],
    ['undefined', 'a'],
    ['null', 'a'],
    ['1', 'a'],
    ['01', 'a'],
  ]

  it('is never another user’s, nor another tenant’s, whatever they are called', async () => {
    const mine = async (user: string, tenant: string, to = gateway) =>
      to.send('/me/flags/crafted', { headers: await bearer(user, tenant) })
    for (const [user, tenant] of people) {
      const { body, cache } = await mine(user, tenant)
      expect({ user, cache, body }).toMatchObject({ cache: 'MISS', body: { user, tenant } })
    }
    for (const to of [gateway, replica]) {
      for (const [user, tenant] of people) {
        const { body } = await untilHit(() => mine(user, tenant, to))
        expect(body).toMatchObject({
          user,
          tenant,
          url: `/flags/crafted/evaluation?subject=${encodeURIComponent(user)}`,
        })
      }
    }
  })

  it('is about the one who asks, and no other that is named', async () => {
    const { body } = await gateway.send('/me/flags/other?subject=bob&user=bob', { headers: { 'x-user-id': 'bob' } })
    expect(body).toMatchObject({ user: 'ada', url: '/flags/other/evaluation?subject=ada' })
  })

  it.each(['a%2fb', '%2e%2e%2fa', 'A', 'a?b=1#c', '*'])('of a flag called %s is not asked for', async (key) => {
    const { status } = await gateway.send(`/me/flags/${key.replace('?', '%3f').replace('#', '%23')}`)
    expect([400, 404]).toContain(status)
    expect(gateway.upstream.seen).toEqual([])
  })
})

describe('an answer for everybody', () => {
  it('is one for all who ask without a token', async () => {
    const path = '/master-data/countries'
    expect(await gateway.sendAnonymously(path)).toMatchObject({ cache: 'MISS', body: { tenant: null, user: null } })
    const headers = { 'x-tenant-id': TENANT, 'x-user-id': 'ada' }
    expect(await untilHit(() => gateway.sendAnonymously(path, { headers }))).toMatchObject({ body: { tenant: null } })
  })

  it('says nothing of whoever asked first', async () => {
    const { body } = await gateway.send('/master-data/currencies')
    expect(body).toMatchObject({ tenant: null, user: null })
  })
})

describe('a write through the gateway', () => {
  it('is seen by whoever reads afterwards, through any replica, at once', async () => {
    const path = product()
    let stored = 0
    gateway.upstream.handler = (request, response) => {
      request.resume()
      if (request.method === 'PATCH') stored++
      json(response, { stored })
    }
    for (let round = 1; round <= 15; round++) {
      // It is in the memory of both.
      await untilHit(() => gateway.send(path))
      await untilHit(() => replica.send(path))
      const [writer, reader] = round % 2 === 0 ? [gateway, replica] : [replica, gateway]
      expect((await writer.send(path, { method: 'PATCH', body: '{}' })).status).toBe(200)
      expect((await reader.send(path)).body).toEqual({ stored: round })
      expect((await writer.send(path)).body).toEqual({ stored: round })
    }
  })

  it('of one tenant leaves the others theirs, and what other services answered', async () => {
    const path = '/master-data/categories'
    const flag = '/me/flags/kept'
    await untilHit(() => gateway.send(path))
    await untilHit(async () => gateway.send(path, await as('ada', OTHER)))
    await untilHit(() => gateway.send(flag))
    await gateway.send('/master-data/products', { method: 'POST', body: '{}' })
    expect((await gateway.send(path)).cache).toBe('MISS')
    expect((await gateway.send(path, await as('ada', OTHER))).cache).toBe('HIT')
    expect((await gateway.send(flag)).cache).toBe('HIT')
  })

  it('that fails, or of which nobody knows whether it was done, counts as one', async () => {
    const path = product()
    for (const fail of [500, 0]) {
      countUp()
      await untilHit(() => gateway.send(path))
      gateway.upstream.handler = (request, response) => {
        request.resume()
        if (fail === 0) request.socket.destroy()
        else json(response, {}, fail)
      }
      await gateway.send(path, { method: 'DELETE' })
      countUp()
      expect((await gateway.send(path)).cache).toBe('MISS')
    }
  })

  it('is not what only asks', async () => {
    const flag = '/me/flags/asked'
    await untilHit(() => gateway.send(flag))
    await gateway.send('/rules-engine/evaluations', { method: 'POST', body: '{}' })
    await gateway.send('/rules-engine/evaluations/batch', { method: 'POST', body: '{}' })
    expect((await gateway.send(flag)).cache).toBe('HIT')
    await gateway.send('/rules-engine/flags/asked', { method: 'PATCH', body: '{}' })
    expect((await gateway.send(flag)).cache).toBe('MISS')
  })
})

it('what is not listed is not cached', async () => {
  for (const path of [
    '/finance/invoices/1',
    '/master-data/customers/1',
    '/rules-engine/flags/x',
    '/master-data/reports/stock-value',
  ]) {
    const [one, two] = [await gateway.send(path), await gateway.send(path)]
    expect(two.body.answer).toBeGreaterThan(one.body.answer)
    expect(two.cache).toBeNull()
    // Not for those who share: the service is told who asks.
    expect(one.body).toMatchObject({ tenant: TENANT, user: 'ada' })
  }
})

it('without Redis everything is answered by the services', async () => {
  const own = await startRedis()
  const alone = await startGateway(ACCEPTING, { url: own.url })
  try {
    alone.upstream.answers(() => ({ from: 'the service' }))
    const path = product()
    await untilHit(() => alone.send(path))
    await own.stop()
    for (const [method, to] of [
      ['GET', path],
      ['GET', '/master-data/countries'],
      ['PATCH', path],
      ['GET', path],
    ] as const)
      expect(await alone.send(to, { method })).toMatchObject({ status: 200, body: { from: 'the service' } })
  } finally {
    await alone.close()
    await own.stop()
  }
})
