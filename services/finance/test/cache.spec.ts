import { DataSource } from 'typeorm'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startServers } from '../../service-kit/test/support/servers.js'
import { cacheOf, lines, newDraft, OTHER, startTestService, TENANT, type TestService } from './support/service.js'

/** What is cached, under which tags, and what each write makes of it: through HTTP, and by counting the queries that the database gets. */

const servers = startServers()

describe.each(['memory', 'redis'] as const)('with the %s driver', (driver) => {
  let api: TestService
  let cache: ReturnType<typeof cacheOf>

  beforeAll(async () => {
    api = await startTestService(servers.database, driver === 'redis' ? { url: servers.redis.url } : undefined)
    cache = cacheOf(api)
  })

  afterAll(async () => {
    await api?.close()
  })

  const expectHit = async (path: string, tenant?: string) => {
    const { status, cache, queries, body } = await api.get(path, tenant)
    expect({ path, status, cache, queries }).toEqual({ path, status: 200, cache: 'HIT', queries: 0 })
    return body
  }

  const expectMiss = async (path: string, tenant?: string) => {
    const { status, cache, body } = await api.get(path, tenant)
    expect({ path, status, cache }).toEqual({ path, status: 200, cache: 'MISS' })
    return body
  }

  /** Reads so that it is cached. */
  const warm = async (...paths: string[]) => {
    for (const path of paths) {
      await api.get(path)
      await expectHit(path)
    }
  }

  const become = (id: number, status: string) => api.send('PATCH', `/invoices/${id}/status`, { status })
  const idsIn = async (path: string) => (await api.get(path)).body.items.map(({ id }) => id)

  /** What the database holds, past every cache. */
  const idsInDatabase = async (condition: string): Promise<number[]> => {
    const rows: { id: number }[] = await api.app
      .get(DataSource)
      .query(`SELECT id FROM finance.invoices WHERE tenant_id = $1 AND ${condition} ORDER BY id DESC LIMIT 100`, [
        TENANT,
      ])
    return rows.map(({ id }) => id)
  }

  const listOf = (status: string) => `/invoices?status=${status}&pageSize=100`

  describe('an invoice', () => {
    it('is cached for 5 minutes under the tags of its tenant, customer and status', async () => {
      const { id, customerId } = await newDraft(api)
      const loaded = await expectMiss(`/invoices/${id}`)
      expect(await expectHit(`/invoices/${id}`)).toEqual(loaded)
      const entry = await cache.lookup(`invoice:${TENANT}:${id}`)
      expect(entry.value).toEqual(loaded)
      expect(entry.tags.toSorted()).toEqual([
        `customer:${TENANT}:${customerId}`,
        `status:${TENANT}:DRAFT`,
        `tenant:${TENANT}`,
      ])
      expect(entry.ttlMs).toBeGreaterThan(280_000)
      expect(entry.ttlMs).toBeLessThanOrEqual(300_000)
    })

    it('is read anew when its status has changed, under the tag of the new one; others of its status stay cached', async () => {
      const [{ id }, { id: other }] = [await newDraft(api), await newDraft(api)]
      await warm(`/invoices/${id}`, `/invoices/${other}`)
      const { body } = await become(id, 'ISSUED')
      expect(await expectMiss(`/invoices/${id}`)).toEqual(body)
      expect((await cache.lookup(`invoice:${TENANT}:${id}`)).tags).toContain(`status:${TENANT}:ISSUED`)
      await expectHit(`/invoices/${other}`)
    })
  })

  describe('the lists', () => {
    it('are query results, for a minute; the key says what they are of', async () => {
      await warm('/invoices?status=PAID&pageSize=5')
      const entry = await cache.lookup(`invoices:${TENANT}:status:PAID:1:5`)
      expect(entry.ttlMs).toBeLessThanOrEqual(60_000)
      expect(entry.tags.toSorted()).toEqual([`invoice-lists:${TENANT}:status:PAID`, `tenant:${TENANT}`])
    })

    it('show a new draft at once', async () => {
      const { customerId } = await newDraft(api)
      const lists = ['/invoices?pageSize=100', listOf('DRAFT'), `/invoices?customerId=${customerId}`]
      await warm(...lists, listOf('PAID'))
      const { id } = (await api.send('POST', '/invoices', { customerId, lines })).body
      for (const list of lists) expect(await idsIn(list), list).toContain(id)
      await expectHit(listOf('PAID'))
    })

    it.each([
      ['DRAFT', 'ISSUED', 'PAID'],
      ['ISSUED', 'VOID', 'DRAFT'],
    ])(
      'of %s and %s are right at once when an invoice goes from one to the other, and that of %s stays',
      async (from, to, rest) => {
        const { id, customerId } = await newDraft(api)
        if (from === 'ISSUED') await become(id, 'ISSUED')
        const own = `/invoices?customerId=${customerId}`
        await warm(listOf(from), listOf(to), listOf(rest), own, '/invoices')
        await become(id, to)
        expect(await idsIn(listOf(from))).not.toContain(id)
        expect(await idsIn(listOf(to))).toContain(id)
        expect((await api.get(own)).body.items).toMatchObject([{ id, status: to }])
        expect((await api.get('/invoices')).body.items).toContainEqual(expect.objectContaining({ id, status: to }))
        await expectHit(listOf(rest))
      },
    )
  })

  describe('a bulk change of statuses', () => {
    it('makes every invoice of the old status a miss, and both lists are right on the next read; the rest stays cached', async () => {
      const drafts = [await newDraft(api), await newDraft(api), await newDraft(api)]
      const ids = drafts.map(({ id }) => id)
      const [bystander] = await idsInDatabase(`status = 'PAID'`)
      const own = drafts.map(({ customerId }) => `/invoices?customerId=${customerId}`)
      await warm(...ids.map((id) => `/invoices/${id}`), ...own, '/invoices?pageSize=100', '/reports/revenue')
      await warm(listOf('DRAFT'), listOf('ISSUED'), listOf('PAID'), `/invoices/${bystander}`)
      const { body } = await api.send('POST', '/invoices/bulk-status', { from: 'DRAFT', to: 'ISSUED', ids })
      expect(body).toEqual({ changed: 3, more: false })

      expect(await idsIn(listOf('DRAFT'))).toEqual(await idsInDatabase(`status = 'DRAFT'`))
      expect(await idsIn(listOf('ISSUED'))).toEqual(await idsInDatabase(`status = 'ISSUED'`))
      for (const id of ids) expect(await expectMiss(`/invoices/${id}`)).toMatchObject({ status: 'ISSUED' })
      for (const path of own) expect((await expectMiss(path)).items).toMatchObject([{ status: 'ISSUED' }])
      expect((await expectMiss('/invoices?pageSize=100')).items).toContainEqual(
        expect.objectContaining({ id: ids[0], status: 'ISSUED' }),
      )
      await expectMiss('/reports/revenue')
      await expectHit(listOf('PAID'))
      await expectHit(`/invoices/${bystander}`)
    })

    it('that changes nothing leaves both lists right', async () => {
      await warm(listOf('DRAFT'), listOf('ISSUED'))
      const none = { from: 'DRAFT', to: 'ISSUED', ids: [2_000_000_000] }
      expect((await api.send('POST', '/invoices/bulk-status', none)).body).toEqual({ changed: 0, more: false })
      expect(await idsIn(listOf('DRAFT'))).toEqual(await idsInDatabase(`status = 'DRAFT'`))
      expect(await idsIn(listOf('ISSUED'))).toEqual(await idsInDatabase(`status = 'ISSUED'`))
    })
  })

  it('a customer that is deleted makes all its invoices misses, and no one else’s', async () => {
    const [{ id, customerId }, { id: other }] = [await newDraft(api), await newDraft(api)]
    const issued = (await api.send('POST', '/invoices', { customerId, lines })).body.id
    await become(issued, 'ISSUED')
    await warm(`/invoices/${id}`, `/invoices/${issued}`, `/invoices/${other}`, `/invoices?customerId=${customerId}`)
    await warm(listOf('DRAFT'), listOf('ISSUED'), listOf('VOID'), '/invoices')
    expect((await api.send('DELETE', `/customers/${customerId}`)).status).toBe(200)
    expect((await api.get(`/invoices/${id}`)).status).toBe(404)
    expect(await expectMiss(`/invoices/${issued}`)).toMatchObject({ status: 'VOID' })
    expect((await api.get(`/invoices?customerId=${customerId}`)).body.items).toMatchObject([{ id: issued }])
    expect(await idsIn(listOf('DRAFT'))).not.toContain(id)
    expect(await idsIn(listOf('ISSUED'))).not.toContain(issued)
    expect(await idsIn(listOf('VOID'))).toContain(issued)
    expect(await idsIn('/invoices')).not.toContain(id)
    await expectHit(`/invoices/${other}`)
  })

  it('an export makes everything of the tenant a miss, and nothing of another one', async () => {
    const { id } = await newDraft(api)
    const paths = [`/invoices/${id}`, '/invoices', '/stock/ITEM-002', '/accounts/bank', '/reports/revenue']
    await warm(...paths)
    await api.get('/invoices', OTHER)
    await api.get('/stock/ITEM-002', OTHER)
    expect((await api.send('POST', '/exports')).status).toBe(200)
    for (const path of paths) await expectMiss(path)
    await expectHit('/invoices', OTHER)
    await expectHit('/stock/ITEM-002', OTHER)
  })

  it('the revenue report lives for half an hour, and is right as soon as an invoice was issued or paid', async () => {
    const { id } = await newDraft(api)
    await warm('/reports/revenue')
    expect(await cache.ttl(`report:revenue:${TENANT}`)).toBeGreaterThan(1_800 * 0.94)
    const report = async () => {
      const rows = (await api.get('/reports/revenue')).body as unknown as { status: string; total: number }[]
      return Object.fromEntries(rows.map(({ status, total }) => [status, total])) as Record<string, number>
    }
    const before = await report()
    await become(id, 'ISSUED')
    expect(await report()).toEqual({ ...before, ISSUED: before['ISSUED']! + 1_250 })
    await become(id, 'PAID')
    expect(await report()).toEqual({ ...before, PAID: before['PAID']! + 1_250 })
  })

  it('stock and balances are cached, and right as soon as something moved', async () => {
    await warm('/stock/ITEM-003', '/accounts/bank', '/accounts/cash', '/accounts/equity')
    const [stock, cash] = [
      (await api.get('/stock/ITEM-003')).body.quantity,
      (await api.get('/accounts/cash')).body.balance,
    ]
    await api.send('POST', '/stock/ITEM-003/deductions', { reference: `cache-${driver}`, quantity: 2 })
    await api.send('POST', '/transfers', { reference: `cache-${driver}`, from: 'bank', to: 'cash', amount: 7 })
    expect(await expectMiss('/stock/ITEM-003')).toMatchObject({ quantity: stock - 2 })
    expect(await expectMiss('/accounts/cash')).toMatchObject({ balance: cash + 7 })
    await expectMiss('/accounts/bank')
    await expectHit('/accounts/equity')
  })
})
