import { StaleWriterError, startEmbeddedPostgres } from '@vextrus/service-kit'
import { runAsTenant } from '@vextrus/shared/cache'
import { LockTimeoutError } from '@vextrus/shared/lock'
import { DataSource, type EntityManager } from 'typeorm'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startServers } from '../../service-kit/test/support/servers.js'
import { post } from '../src/accounts/account-ledger.js'
import { InvoiceNumbers, invoiceNumber, takeNumbers } from '../src/invoices/invoice-numbers.js'
import { setStatus } from '../src/invoices/set-status.js'
import { RevenueRefresh } from '../src/reports/revenue-refresh.js'
import { moveStock } from '../src/stock/stock-ledger.js'
import { lines, newDraft, sendPatiently, startTestService, TENANT, type TestService } from './support/service.js'

/**
 * Two services on one Redis and one database write at the same time. The embedded database can't keep the transactions of two connections apart,
 * so each of these tests would fail noisily if the lock let two of them in at once.
 */

const servers = startServers(startEmbeddedPostgres)
let services: readonly [TestService, TestService]

beforeAll(async () => {
  const start = () => startTestService(servers.database, { url: servers.redis.url })
  services = [await start(), await start()]
})

afterAll(async () => {
  for (const service of services ?? []) await service.close()
})

const query = <Row>(sql: string, ...parameters: unknown[]): Promise<Row[]> =>
  services[0].app.get(DataSource).query(sql, parameters)

/** Does something `count` times, four at a time in each service; answers what became of each. */
async function shared<T>(count: number, work: (service: TestService, at: number) => Promise<T>): Promise<T[]> {
  const results: T[] = []
  let next = 0
  const worker = async (service: TestService) => {
    for (let at = next++; at < count; at = next++) results[at] = await work(service, at)
  }
  await Promise.all(services.flatMap((service) => Array.from({ length: 4 }, () => worker(service))))
  return results
}

describe('numbers', () => {
  const next = async (
    service: TestService,
    tenant: string,
    write: (transaction: EntityManager, number: string) => Promise<void>,
  ): Promise<string> => {
    const numbers = service.app.get(InvoiceNumbers)
    try {
      return await runAsTenant(tenant, () => numbers.generateInvoiceNumber(tenant, write))
    } catch (error) {
      // As with `sendPatiently`.
      if (error instanceof LockTimeoutError) return next(service, tenant, write)
      throw error
    }
  }

  const lastOf = async (tenant: string) => {
    const [row] = await query<{ last: string }>('SELECT last FROM finance.invoice_counter WHERE tenant_id = $1', tenant)
    return Number(row?.last)
  }

  it('of 200 invoices that two services issue at the same time have no gap and no double', async () => {
    const first = (await lastOf(TENANT)) + 1
    const [{ customer } = { customer: 0 }] = await query<{ customer: number }>(
      'SELECT min(id) AS customer FROM finance.customers WHERE tenant_id = $1',
      TENANT,
    )
    const drafts = await query<{ id: number }>(
      `INSERT INTO finance.invoices (tenant_id, customer_id, status, currency_code, lines, total, version)
       SELECT $1, $2, 'DRAFT', 'USD', $3, 1250, 1 FROM generate_series(1, 200) RETURNING id`,
      TENANT,
      customer,
      JSON.stringify(lines),
    )
    // Every fourth as a client does it; the others by what stands behind that, which is faster.
    const numbers = await shared(200, async (service, at) => {
      const { id } = drafts[at]!
      if (at % 4 === 0) {
        const { body } = await sendPatiently(service, 'PATCH', `/invoices/${id}/status`, { status: 'ISSUED' })
        return (body as { number: string }).number
      }
      return next(service, TENANT, (transaction, number) => setStatus(transaction, [id], 'ISSUED', [number]))
    })
    const expected = Array.from({ length: 200 }, (_, at) => invoiceNumber(BigInt(first + at)))
    expect(numbers.toSorted()).toEqual(expected)
    expect(await lastOf(TENANT)).toBe(first + 199)
  })

  it('are not used by transactions that fail', async () => {
    const tenant = 'brightwell-foods'
    const first = (await lastOf(tenant)) + 1
    const given: string[] = []
    const outcomes = await shared(30, (service, at) =>
      next(service, tenant, async (_, number) => {
        if (at % 3 === 0) throw new Error('not written')
        given.push(number)
      }).catch((error: Error) => error.message),
    )
    expect(outcomes.filter((outcome) => outcome === 'not written')).toHaveLength(10)
    expect(given).toEqual(Array.from({ length: 20 }, (_, at) => invoiceNumber(BigInt(first + at))))
  })

  it('begin at 1 for a tenant without a counter', async () => {
    const tenant = 'sakura-keisoku'
    await query('DELETE FROM finance.invoice_counter WHERE tenant_id = $1', tenant)
    for (const number of ['INV-00000001', 'INV-00000002'])
      expect(await next(services[0], tenant, () => Promise.resolve())).toBe(number)
  })
})

describe('a writer with an older fence than the last one’s', () => {
  const tenant = 'elbe-elektronik'

  it.each([
    [
      'takes no number',
      `SELECT last AS value, fence FROM finance.invoice_counter WHERE tenant_id = $1`,
      (transaction: EntityManager, fence: bigint) => takeNumbers(transaction, tenant, fence, 1),
    ],
    [
      'moves no stock',
      `SELECT quantity AS value, fence FROM finance.stock_items WHERE tenant_id = $1 AND sku = 'ITEM-001'`,
      (transaction: EntityManager, fence: bigint) =>
        moveStock(transaction, { tenantId: tenant, sku: 'ITEM-001' }, -1, fence),
    ],
    [
      'moves no money',
      `SELECT balance AS value, fence FROM finance.accounts WHERE tenant_id = $1 AND code = 'bank'`,
      (transaction: EntityManager, fence: bigint) => post(transaction, { tenantId: tenant, code: 'bank' }, 1, fence),
    ],
  ])('%s: the database refuses it', async (_, select, write) => {
    const { manager } = services[0].app.get(DataSource)
    const fence = 1_900_000_000_000_000n
    await write(manager, fence)
    const before = await query(select, tenant)
    expect(before).toMatchObject([{ fence: fence.toString() }])
    await expect(write(manager, fence - 1n)).rejects.toThrowError(StaleWriterError)
    expect(await query(select, tenant)).toEqual(before)
    // The holder itself may write again, and so may whoever gets the lock after it.
    await write(manager, fence)
    await write(manager, fence + 1n)
    expect(await query(select, tenant)).toMatchObject([{ fence: (fence + 1n).toString() }])
  })

  it('is told so: 409', async () => {
    await query(`UPDATE finance.stock_items SET fence = 9e18 WHERE tenant_id = $1 AND sku = 'ITEM-002'`, TENANT)
    const request = { reference: 'stale-1', quantity: 1 }
    const { status, body } = await services[0].send('POST', '/stock/ITEM-002/deductions', request)
    expect({ status, detail: body.detail }).toEqual({
      status: 409,
      detail: 'Stock of ITEM-002 was written by a later holder of its lock; nothing of this was written, try again',
    })
    expect(await query(`SELECT 1 FROM finance.stock_movements WHERE reference = 'stale-1'`)).toEqual([])
  })
})

describe('stock', () => {
  it('is never oversold, and each reference counts once, however often and wherever it is sent', async () => {
    await services[0].send('POST', '/stock', { sku: 'RACE', name: 'A thing' })
    await services[0].send('POST', '/stock/RACE/receipts', { reference: 'race-in', quantity: 20 })
    // 30 wishes for one piece, each sent twice.
    const answers = await shared(60, (service, at) =>
      sendPatiently(service, 'POST', '/stock/RACE/deductions', { reference: `race-${at % 30}`, quantity: 1 }),
    )
    const done = answers.filter(({ status }) => status === 200).map(({ body }) => body as { repeated: boolean })
    expect(done.filter(({ repeated }) => !repeated)).toHaveLength(20)
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200, 409]))
    for (const service of services) expect((await service.get('/stock/RACE')).body.quantity).toBe(0)
    const [movements] = await query(
      `SELECT count(*)::int, sum(quantity)::int FROM finance.stock_movements WHERE tenant_id = $1 AND sku = 'RACE'`,
      TENANT,
    )
    expect(movements).toEqual({ count: 21, sum: 0 })
  })
})

describe('balances', () => {
  it('are the sums of their postings after transfers in all directions, of which none waits for another for ever', async () => {
    // Of three accounts any two transfers have one in common.
    const codes = ['race.a', 'race.b', 'race.c']
    for (const code of codes) await services[0].send('POST', '/accounts', { code, name: code, mayBeNegative: true })
    const answers = await shared(60, (service, at) =>
      sendPatiently(service, 'POST', '/transfers', {
        reference: `race-${at}`,
        from: codes[at % 3],
        to: codes[(at + 1 + (at % 2)) % 3],
        amount: 1 + ((at * 31) % 97),
      }),
    )
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]))
    const accounts = await query<{ code: string; balance: string; sum: string; postings: number }>(
      `SELECT code, balance, sum(amount), count(*)::int AS postings
         FROM finance.accounts AS a JOIN finance.postings AS p ON p.tenant_id = a.tenant_id AND p.account_code = code
        WHERE a.tenant_id = $1 AND code LIKE 'race.%' GROUP BY code, balance ORDER BY code`,
      TENANT,
    )
    expect(accounts.map(({ code }) => code)).toEqual(codes)
    for (const { balance, sum } of accounts) expect(balance).toBe(sum)
    expect(accounts.reduce((sum, { balance }) => sum + Number(balance), 0)).toBe(0)
    expect(accounts.reduce((sum, { postings }) => sum + postings, 0)).toBe(120)
  })
})

describe('what one service has answered as done', () => {
  it('the other shows on its next read, from whatever memory', async () => {
    const [one, other] = services
    const idsIn = async (status: string) => {
      const { body } = await other.get(`/invoices?status=${status}`)
      return body.items.map(({ id }) => id)
    }
    for (let round = 0; round < 5; round++) {
      const { id } = await newDraft(one)
      for (const path of ['/invoices?status=DRAFT', '/invoices?status=PAID', `/invoices/${id}`, '/stock/ITEM-005'])
        for (let read = 0; read < 3; read++) await other.get(path)
      await one.send('PATCH', `/invoices/${id}/status`, { status: 'ISSUED' })
      expect(await idsIn('DRAFT')).not.toContain(id)
      await one.send('POST', '/invoices/bulk-status', { from: 'ISSUED', to: 'PAID', ids: [id] })
      expect(await idsIn('PAID')).toContain(id)
      expect((await other.get(`/invoices/${id}`)).body).toMatchObject({ status: 'PAID' })
      const deduction = { reference: `shown-${round}`, quantity: 1 }
      const { body } = await one.send('POST', '/stock/ITEM-005/deductions', deduction)
      expect((await other.get('/stock/ITEM-005')).body.quantity).toBe(body['remaining'])
    }
  })
})

describe('the refresh of the revenue reports', () => {
  it('is done by one of two services at each tick, for every tenant', async () => {
    const [one, other] = services.map(({ app }) => app.get(RevenueRefresh)) as [RevenueRefresh, RevenueRefresh]
    const queriesOf = async (work: () => Promise<unknown>) => {
      const before = services.map(({ service }) => service.queryLog.total)
      await work()
      return services.map(({ service }, at) => service.queryLog.total - before[at]!)
    }
    for (let tick = 1; tick <= 3; tick++) {
      // One for the list of the tenants, and one for each of the eight.
      const together = await queriesOf(() => Promise.all([one.refreshRevenue(), other.refreshRevenue()]))
      expect(
        together.toSorted((a, b) => a - b),
        `tick ${tick}`,
      ).toEqual([0, 9])
      // A clock that is late.
      expect(await queriesOf(() => other.refreshRevenue())).toEqual([0, 0])
      expect(await queriesOf(() => one.refreshRevenue())).toEqual([0, 0])
      for (const service of services) expect((await service.get('/reports/revenue')).cache).toBe('HIT')
      // The lock's four minutes are over.
      await servers.redis.command('FLUSHALL')
    }
  })
})

describe('when Redis is killed', () => {
  it('what needs a lock is 503, all else goes on; and when it is back, so does that', async () => {
    const [service] = services
    const { body: customer } = await service.send('POST', '/customers', { name: 'Of the outage' })
    await servers.redis.kill()
    const { status, body: draft } = await service.send('POST', '/invoices', { customerId: customer.id, lines })
    expect(status).toBe(201)
    const issue = () =>
      fetch(`${service.url}/invoices/${draft.id}/status`, {
        method: 'PATCH',
        headers: { 'content-type': 'application/json', 'x-tenant-id': TENANT },
        body: JSON.stringify({ status: 'ISSUED' }),
      })
    const refused = await issue()
    expect(refused.status).toBe(503)
    expect(refused.headers.get('content-type')).toMatch(/^application\/problem\+json/)
    expect(refused.headers.get('retry-after')).toMatch(/^\d+$/)
    expect(await refused.json()).toMatchObject({ status: 503, code: 'LOCK_UNAVAILABLE' })
    expect((await service.get(`/invoices/${draft.id}`)).body).toMatchObject({ status: 'DRAFT', number: null })
    const last = async () => {
      const [row] = await query<{ last: string }>(
        'SELECT last FROM finance.invoice_counter WHERE tenant_id = $1',
        TENANT,
      )
      return Number(row?.last)
    }
    const before = await last()
    await servers.redis.restart()
    const issued = await issue()
    expect(await issued.json()).toMatchObject({ status: 'ISSUED', number: invoiceNumber(BigInt(before + 1)) })
  })
})
