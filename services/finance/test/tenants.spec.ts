import { RedisCacheService, runAsTenant, TenantKeyError } from '@vextrus/shared/cache'
import { RedisLockService } from '@vextrus/shared/lock'
import { DataSource } from 'typeorm'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { craftedIds, craftedTenants } from '../../service-kit/test/support/crafted-ids.js'
import { startServers } from '../../service-kit/test/support/servers.js'
import { lines, OTHER, startTestService, TENANT, type TestService } from './support/service.js'

/** One tenant tries, through every endpoint, to read, change, invalidate or lock what is another one's. */

const servers = startServers()

const SECRET = 'only of the victim'

describe.each(['memory', 'redis'] as const)('with the %s driver', (driver) => {
  let api: TestService
  let customer: number
  let invoice: number
  const sku = `SECRET-${driver.toUpperCase()}`
  const account = `secret.${driver}`
  /** What is cached of the victim's: path → answer. */
  const theirs = new Map<string, unknown>()

  beforeAll(async () => {
    api = await startTestService(servers.database, driver === 'redis' ? { url: servers.redis.url } : undefined)
    customer = (await api.send('POST', '/customers', { name: SECRET }, OTHER)).body.id
    const line = { ...lines[0], description: SECRET }
    invoice = (await api.send('POST', '/invoices', { customerId: customer, lines: [line] }, OTHER)).body.id
    await api.send('POST', '/stock', { sku, name: SECRET }, OTHER)
    await api.send('POST', `/stock/${sku}/receipts`, { reference: account, quantity: 5 }, OTHER)
    await api.send('POST', '/accounts', { code: account, name: SECRET }, OTHER)
    for (const path of [
      `/invoices/${invoice}`,
      '/invoices?pageSize=100',
      '/invoices?status=DRAFT',
      `/invoices?customerId=${customer}`,
      `/stock/${sku}`,
      `/accounts/${account}`,
      '/reports/revenue',
    ]) {
      const { status, body } = await api.get(path, OTHER)
      if (status !== 200) throw new Error(`GET ${path}: ${status}`)
      theirs.set(path, body)
    }
  })

  afterAll(async () => {
    await api?.close()
  })

  const rowsOfTheirs = () =>
    api.app.get(DataSource).query<object[]>(
      `SELECT 'customer' AS what, id::text AS key, name || is_deleted AS value FROM finance.customers WHERE tenant_id = $1
       UNION SELECT 'invoice', id::text, status || version FROM finance.invoices WHERE tenant_id = $1
       UNION SELECT 'stock', sku, quantity::text || fence FROM finance.stock_items WHERE tenant_id = $1
       UNION SELECT 'account', code, balance::text || fence FROM finance.accounts WHERE tenant_id = $1
       UNION SELECT 'movement', reference, quantity::text FROM finance.stock_movements WHERE tenant_id = $1
       UNION SELECT 'transfer', reference, amount::text FROM finance.transfers WHERE tenant_id = $1
       UNION SELECT 'counter', '', last::text || fence FROM finance.invoice_counter WHERE tenant_id = $1 ORDER BY 1, 2`,
      [OTHER],
    )

  /** All of it is still answered from the cache, as it was: nothing was changed or invalidated. */
  const expectUntouched = async () => {
    for (const [path, answer] of theirs) {
      const { cache, body } = await api.get(path, OTHER)
      expect({ path, cache, body }).toEqual({ path, cache: 'HIT', body: answer })
    }
  }

  const crafted = () => [String(invoice), String(customer), sku, account, ...craftedIds(OTHER, invoice), '__proto__']

  /** Every endpoint of tenants' data, with an id in each place that takes one. */
  const attacks = (id: string): [method: string, path: string, body?: unknown][] => {
    const inPath = encodeURIComponent(id)
    const number = Number(id)
    const moved = { reference: id, quantity: 1 }
    return [
      ['GET', `/invoices?customerId=${inPath}`],
      ['GET', `/invoices?status=${inPath}`],
      ['GET', `/invoices?page=${inPath}&pageSize=100&tenantId=${OTHER}`],
      ['GET', `/invoices/${inPath}`],
      ['POST', '/invoices', { customerId: number, lines }],
      ['POST', '/invoices', { customerId: 1, lines, tenantId: OTHER }],
      ['POST', '/invoices/bulk-status', { from: 'DRAFT', to: 'ISSUED', ids: [number] }],
      ['POST', '/invoices/bulk-status', { from: 'DRAFT', to: 'ISSUED', customerId: number }],
      ['POST', '/invoices/bulk-status', { from: 'DRAFT', to: 'ISSUED', tenantId: OTHER }],
      ['PATCH', `/invoices/${inPath}/status`, { status: 'ISSUED' }],
      ['GET', `/customers?tenantId=${OTHER}&pageSize=100`],
      ['POST', '/customers', { name: id }],
      ['DELETE', `/customers/${inPath}`],
      ['GET', `/stock?tenantId=${OTHER}&pageSize=100`],
      ['GET', `/stock/${inPath}`],
      ['POST', '/stock', { sku: id, name: id }],
      ['POST', `/stock/${inPath}/deductions`, moved],
      ['POST', `/stock/${inPath}/receipts`, moved],
      ['GET', `/accounts?tenantId=${OTHER}&pageSize=100`],
      ['GET', `/accounts/${inPath}`],
      ['GET', `/accounts/${inPath}/postings`],
      ['POST', '/accounts', { code: id, name: id }],
      ['POST', '/transfers', { reference: id, from: 'bank', to: id, amount: 1 }],
      ['POST', '/transfers', { reference: id, from: id, to: 'bank', amount: 1 }],
      ['GET', `/reports/revenue?tenantId=${OTHER}`],
      ['POST', '/exports', { tenantId: OTHER }],
    ]
  }

  it('knows every endpoint', async () => {
    const { body } = await api.client.send('GET', '/docs-json')
    const harmless = new Set(['/tenants', '/health', '/health/cache'])
    const documented = Object.entries((body as { paths: Record<string, object> }).paths)
      .filter(([path]) => !harmless.has(path))
      .flatMap(([path, operations]) => Object.keys(operations).map((method) => `${method.toUpperCase()} ${path}`))
    const attacked = attacks('X').map(([method, path]) => {
      const place = path.startsWith('/stock') ? '{sku}' : path.startsWith('/accounts') ? '{code}' : '{id}'
      return `${method} ${path.replace(/\?.*/, '').replace(/\/X(?=\/|$)/, `/${place}`)}`
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
      for (const path of theirs.keys()) {
        const { status, body } = await api.client.send('GET', path, tenant)
        expect({ status, shown: JSON.stringify(body).includes(SECRET) }).toEqual({ status: 400, shown: false })
      }
    }
    await expectUntouched()
  })

  it('cache and locks themselves refuse what does not hold the tenant of the request, and what nobody asks for', async () => {
    const [cache, locks] = [api.app.get(RedisCacheService), api.app.get(RedisLockService)]
    const key = `invoice:${OTHER}:${invoice}`
    const lock = `lock:invoice-number:${OTHER}`
    for (const reach of [
      () => cache.get(key),
      () => cache.delete(key),
      () => cache.invalidateByTag(`customer:${OTHER}:${customer}`),
      () => cache.invalidateByTag('status:DRAFT'),
      () => locks.acquire(lock, 1_000, 0),
      () => locks.tryAcquire(lock, 1_000),
      () => locks.withLock(lock, {}, () => Promise.resolve()),
      () => locks.tryAcquire('lock:invoice-number', 1_000),
    ])
      await expect(runAsTenant(TENANT, reach)).rejects.toThrowError(TenantKeyError)
    await expect(locks.tryAcquire(lock, 1_000)).rejects.toThrowError(TenantKeyError)
    await expectUntouched()
  })

  it('each tenant has numbers, stock and references of its own', async () => {
    const issue = async (tenant: string) => {
      const { body } = await api.send('POST', '/customers', { name: 'Mine' }, tenant)
      const draft = await api.send('POST', '/invoices', { customerId: body.id, lines }, tenant)
      return (await api.send('PATCH', `/invoices/${draft.body.id}/status`, { status: 'ISSUED' }, tenant)).body.number
    }
    const [a1, b1, a2, b2] = [
      await issue('dhaka-builders'),
      await issue('ganges-textiles'),
      await issue('dhaka-builders'),
      await issue('ganges-textiles'),
    ]
    expect([a1, a2]).toEqual([b1, b2])
    const move = { reference: `own-${driver}`, quantity: 1 }
    for (const tenant of ['dhaka-builders', 'ganges-textiles'])
      expect((await api.send('POST', '/stock/ITEM-001/deductions', move, tenant)).body['repeated']).toBe(false)
  })
})
