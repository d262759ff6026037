import { RedisCacheService, runAsTenant, TenantKeyError } from '@vextrus/shared/cache'
import { DataSource } from 'typeorm'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { patient, startServers } from '../../service-kit/test/support/servers.js'
import { craftedIds, craftedTenants } from '../../service-kit/test/support/crafted-ids.js'
import { newRule, OTHER, startTestService, TENANT, type TestService } from './support/service.js'

/** One tenant tries, through every endpoint, to read, change or invalidate what is another one's. */

const servers = startServers()

const SUBJECT = 'invoice.approval'
const SECRET = 'only of the victim'

describe.each(['memory', 'redis'] as const)('with the %s driver', (driver) => {
  let api: TestService
  let rule: number
  /** What is cached of the victim's: how it is asked for, and what was answered. */
  const theirs: { method: string; path: string; body?: unknown; answer: unknown }[] = []
  const key = `secret.${driver}`

  beforeAll(async () => {
    api = await startTestService(servers.database, driver === 'redis' ? patient(servers.redis) : undefined)
    const outcome = { note: SECRET }
    const created = await api.send('POST', '/rules', newRule(`Secret ${driver}`, SUBJECT, { outcome }), OTHER)
    rule = created.body.id
    await api.send('PUT', `/configuration/${key}`, { value: SECRET }, OTHER)
    await api.send('POST', '/flags', { key, enabled: true, allowList: [SECRET] }, OTHER)
  })

  // Lists live for a minute: each test has one of its own.
  beforeEach(async () => {
    await runAsTenant(OTHER, () => api.app.get(RedisCacheService).invalidateByTag(`tenant:${OTHER}`))
    theirs.length = 0
    for (const [method, path, body] of [
      ['POST', '/evaluations', { subject: SUBJECT, facts: { invoice: { total: 60_000 } } }],
      ['POST', '/evaluations/batch', { evaluations: [{ subject: SUBJECT, facts: {} }] }],
      ['GET', '/rules'],
      ['GET', `/configuration/${key}`],
      ['GET', `/flags/${key}/evaluation?subject=${encodeURIComponent(SECRET)}`],
    ] as const) {
      const reply = await api.send(method, path, body, OTHER)
      if (reply.status !== 200 || (path === '/rules' && reply.cache !== 'MISS')) {
        throw new Error(`${method} ${path}: ${reply.status} ${reply.cache}`)
      }
      theirs.push({ method, path, body, answer: reply.body })
    }
  })

  afterAll(async () => {
    await api?.close()
  })

  const rowsOfTheirs = () =>
    api.app.get(DataSource).query<object[]>(
      `SELECT 'rule', id::text AS key, version, is_enabled::text AS value FROM rules_engine.rules WHERE tenant_id = $1
       UNION SELECT 'setting', key, version, value::text FROM rules_engine.settings WHERE tenant_id = $1
       UNION SELECT 'flag', key, version, is_enabled::text FROM rules_engine.flags WHERE tenant_id = $1 ORDER BY 1, 2`,
      [OTHER],
    )

  /** All of it is still answered from the cache, as it was: nothing was changed or invalidated. */
  const expectUntouched = async () => {
    for (const { method, path, body, answer } of theirs) {
      const reply = await api.send(method, path, body, OTHER)
      expect({ path, cache: reply.cache, body: reply.body }).toEqual({ path, cache: 'HIT', body: answer })
    }
  }

  const crafted = () => [String(rule), `secret.${driver}`, SUBJECT, ...craftedIds(OTHER, rule), '__proto__']

  /** Every endpoint of tenants' data, with an id in each place that takes one. */
  const attacks = (id: string): [method: string, path: string, body?: unknown][] => {
    const inPath = encodeURIComponent(id)
    return [
      ['GET', `/rules?subject=${inPath}`],
      ['GET', `/rules?page=${inPath}&pageSize=100&tenantId=${OTHER}`],
      ['GET', `/rules/${inPath}`],
      ['POST', '/rules', newRule(id, id)],
      ['POST', '/rules', newRule(id, SUBJECT, { tenantId: OTHER })],
      ['PATCH', `/rules/${inPath}`, { version: 1, enabled: false }],
      ['DELETE', `/rules/${inPath}`],
      ['POST', '/rules/switches', { enabled: false, subject: id }],
      ['POST', '/rules/switches', { enabled: false, tenantId: OTHER }],
      ['POST', '/evaluations', { subject: id, facts: { tenantId: OTHER } }],
      [
        'POST',
        '/evaluations/batch',
        {
          evaluations: [
            { subject: SUBJECT, facts: {} },
            { subject: id, facts: {} },
          ],
        },
      ],
      ['GET', `/configuration?tenantId=${OTHER}&pageSize=100`],
      ['GET', `/configuration/${inPath}`],
      ['PUT', `/configuration/${inPath}`, { value: 'mine' }],
      ['PUT', `/configuration/${inPath}`, { value: 'mine', version: 1 }],
      ['DELETE', `/configuration/${inPath}`],
      ['GET', `/flags?tenantId=${OTHER}&pageSize=100`],
      ['GET', `/flags/${inPath}`],
      ['GET', `/flags/${inPath}/evaluation?subject=${inPath}`],
      ['POST', '/flags', { key: id, enabled: false }],
      ['PATCH', `/flags/${inPath}`, { version: 1, enabled: false }],
      ['DELETE', `/flags/${inPath}`],
    ]
  }

  it('knows every endpoint', async () => {
    const { body } = await api.client.send('GET', '/docs-json')
    const harmless = new Set(['/tenants', '/health', '/health/cache', '/latency'])
    const documented = Object.entries((body as { paths: Record<string, object> }).paths)
      .filter(([path]) => !harmless.has(path))
      .flatMap(([path, operations]) => Object.keys(operations).map((method) => `${method.toUpperCase()} ${path}`))
    const attacked = attacks('X').map(([method, path]) => {
      const place = path.startsWith('/rules') ? '/{id}' : '/{key}'
      return `${method} ${path.replace(/\?.*/, '').replace(/\/X(?=\/|$)/, place)}`
    })
    expect([...new Set(attacked)].toSorted()).toEqual(documented.toSorted())
  })

  it('none of them shows, changes or invalidates anything of another tenant, whatever stands where an id belongs', async () => {
    const before = await rowsOfTheirs()
    for (const id of crafted()) {
      for (const [method, path, body] of attacks(id)) {
        const answer = await api.client.send(method, path, TENANT, body)
        expect({ method, path, failed: answer.status >= 500 }).toEqual({ method, path, failed: false })
        const text = `${method} ${path} ${JSON.stringify(answer.body)}`
        expect(text).not.toContain(SECRET)
        expect(text).not.toContain(`"tenantId":"${OTHER}"`)
      }
    }
    expect(await rowsOfTheirs()).toEqual(before)
    await expectUntouched()
  })

  it('a tenant can’t be named so that it is two, or all', async () => {
    for (const tenant of craftedTenants(TENANT, OTHER)) {
      for (const { method, path, body } of theirs) {
        const answer = await api.client.send(method, path, tenant, body)
        expect({ status: answer.status, shown: JSON.stringify(answer.body).includes(SECRET) }).toEqual({
          status: 400,
          shown: false,
        })
      }
    }
    await expectUntouched()
  })

  it('a whole tenant’s rules are switched off, and the other’s stay in force', async () => {
    const { body } = await api.send('POST', '/rules/switches', { enabled: false })
    expect(body['changed']).toBeGreaterThan(0)
    await expectUntouched()
    await api.send('POST', '/rules/switches', { enabled: true })
  })

  it('the cache itself refuses what does not hold the tenant of the request, and what nobody asks for', async () => {
    const cache = api.app.get(RedisCacheService)
    for (const key of [
      `rules:${OTHER}:${SUBJECT}`,
      `config:${OTHER}:secret.${driver}`,
      `flag:${OTHER}:secret.${driver}`,
    ]) {
      for (const reach of [
        () => cache.get(key),
        () => cache.getOrSet(key, () => 'mine'),
        () => cache.delete(key),
        () => cache.invalidateAround({ keys: [key] }, () => Promise.resolve()),
      ])
        await expect(runAsTenant(TENANT, reach)).rejects.toThrowError(TenantKeyError)
      await expect(cache.get(key)).rejects.toThrowError(TenantKeyError)
    }
    await expect(runAsTenant(TENANT, () => cache.invalidateByTag(`rule-sets:${OTHER}`))).rejects.toThrowError(
      TenantKeyError,
    )
    await expectUntouched()
  })
})
