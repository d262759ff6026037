import { createServer } from 'node:http'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { DEMO_PLANS, gatewayEnv, tourOf } from './gateway-tour.mjs'

describe('the gateway', () => {
  const urls = { 'master-data': 'http://m', 'rules-engine': 'http://r', finance: 'http://f' }

  it('is told where the services are', () => {
    expect(gatewayEnv({ FINANCE_URL: 'http://elsewhere' }, urls)).toEqual({
      MASTER_DATA_URL: 'http://m',
      RULES_ENGINE_URL: 'http://r',
      FINANCE_URL: 'http://f',
      TENANT_PLANS: DEMO_PLANS,
    })
  })

  it('has the plans of the demonstration unless there are others', () => {
    expect(gatewayEnv({ TENANT_PLANS: 'a=standard' }, urls).TENANT_PLANS).toBe('a=standard')
    expect(gatewayEnv({ TENANT_PLANS: '' }, urls).TENANT_PLANS).toBe(DEMO_PLANS)
  })
})

describe('the tour', () => {
  let server, url, limit, isDemo
  beforeEach(async () => {
    ;[limit, isDemo] = [3, true]
    let asked = 0
    server = createServer((request, response) => {
      const { pathname } = new URL(request.url, 'http://gateway')
      const answers = {
        '/demo/token': () => response.writeHead(isDemo ? 200 : 404).end('{"token":"a.b.c"}'),
        '/me': () =>
          ++asked > limit
            ? response.writeHead(429, { ratelimit: '"user";r=0;t=1', 'retry-after': '1' }).end()
            : response.end('{}'),
      }
      const answer = answers[pathname] ?? (() => response.writeHead(200, { 'x-cache': 'HIT' }).end('{}'))
      answer()
    })
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
    url = `http://127.0.0.1:${server.address().port}`
  })
  afterEach(() => server.close())

  const tour = async () => (await tourOf(url, AbortSignal.timeout(30_000))).join('\n')

  it('shows a hit, a refusal, and a token to go on with', async () => {
    const text = await tour()
    expect(text).toMatch(/^gateway +GET \/master-data\/products\/1: HIT \d+\.\d ms, /m)
    expect(text).toMatch(/request 4 of a user on the smallest plan: 429, .*ratelimit: "user";r=0;t=1, retry-after: 1$/m)
    expect(text).toMatch(/^TOKEN=a\.b\.c$/m)
    expect(text).toContain(`curl -i -H "authorization: Bearer $TOKEN" ${url}/master-data/products/1`)
  })

  it('ends where nobody is refused, or has a token', async () => {
    limit = Infinity
    expect(await tour()).toMatch(/none was refused: see TENANT_PLANS/)
    isDemo = false
    expect(await tour()).toMatch(/JWT_KEY/)
  })
})
