import { createServer } from 'node:http'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { DEMO_PLANS, gatewayEnv, tourOf } from './gateway-tour.mjs'

describe('the gateway', () => {
  const urls = {
    'master-data': 'http://m',
    'rules-engine': 'http://r',
    finance: 'http://f',
    auth: 'http://a',
    workflow: 'http://w',
  }

  it('is told where the services are', () => {
    expect(gatewayEnv({ FINANCE_URL: 'http://elsewhere' }, urls)).toEqual({
      MASTER_DATA_URL: 'http://m',
      RULES_ENGINE_URL: 'http://r',
      FINANCE_URL: 'http://f',
      AUTH_URL: 'http://a',
      WORKFLOW_URL: 'http://w',
      TENANT_PLANS: DEMO_PLANS,
    })
  })

  it('has the plans of the demonstration unless there are others', () => {
    expect(gatewayEnv({ TENANT_PLANS: 'a=standard' }, urls).TENANT_PLANS).toBe('a=standard')
    expect(gatewayEnv({ TENANT_PLANS: '' }, urls).TENANT_PLANS).toBe(DEMO_PLANS)
  })
})

describe('the tour', () => {
  const people = [
    { tenantId: 'aurora-hardware', name: 'ada', password: 'secret-a', roles: ['admin', 'clerk'] },
    { tenantId: 'elbe-elektronik', name: 'ada', password: 'secret-b', roles: ['clerk'] },
  ]
  let server, url, limit, isDemo
  beforeEach(async () => {
    ;[limit, isDemo] = [3, true]
    let asked = 0
    let logIns = 0
    const over = new Set()
    server = createServer(async (request, response) => {
      const { pathname } = new URL(request.url, 'http://gateway')
      const token = request.headers.authorization?.slice('Bearer '.length)
      const chunks = []
      for await (const chunk of request) chunks.push(chunk)
      const answers = {
        '/auth/login': () => {
          const { tenantId, password } = JSON.parse(Buffer.concat(chunks).toString())
          const isRight = isDemo && people.some((one) => one.tenantId === tenantId && one.password === password)
          const accessToken = `${tenantId}.${++logIns}`
          response.writeHead(isRight ? 200 : 401).end(JSON.stringify({ accessToken }))
        },
        '/auth/logout': () => response.writeHead(over.add(token) ? 204 : 500).end(),
        '/me': () => {
          if (over.has(token)) response.writeHead(401).end()
          else if (token?.startsWith('elbe') && ++asked > limit)
            response.writeHead(429, { ratelimit: '"user";r=0;t=1', 'retry-after': '1' }).end()
          else response.end('{}')
        },
      }
      const answer = answers[pathname] ?? (() => response.writeHead(200, { 'x-cache': 'HIT' }).end('{}'))
      answer()
    })
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
    url = `http://127.0.0.1:${server.address().port}`
  })
  afterEach(() => server.close())

  const tour = async () => (await tourOf(url, people, AbortSignal.timeout(30_000))).join('\n')

  it('shows a hit, a refusal, a token that is over, and who may log in', async () => {
    const text = await tour()
    expect(text).toMatch(/^gateway +GET \/master-data\/products\/1: HIT \d+\.\d ms, /m)
    expect(text).toMatch(/request 4 of a user on the smallest plan: 429, .*ratelimit: "user";r=0;t=1, retry-after: 1$/m)
    expect(text).toMatch(/a token before and after its log-out: 200, 401$/m)
    expect(text).toMatch(/^people +ada of aurora-hardware, password secret-a \(admin, clerk\)$/m)
    expect(text).toMatch(/^ +ada of elbe-elektronik, password secret-b \(clerk\)$/m)
    expect(text).toMatch(/^TOKEN=aurora-hardware\.\d /m)
    expect(text).toContain(`curl -i -H "authorization: Bearer $TOKEN" ${url}/master-data/products/1`)
    expect(text).toContain(`${url}/auth/login -d '{"tenantId":"aurora-hardware","name":"ada","password":"secret-a"}'`)
  })

  it('ends where nobody is refused, or can log in', async () => {
    limit = Infinity
    expect(await tour()).toMatch(/none was refused: see TENANT_PLANS/)
    isDemo = false
    expect(await tour()).toMatch(/nobody .* can log in/)
  })
})
