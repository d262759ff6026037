import { StaleWriterError } from '@vextrus/service-kit'
import { runAsTenant } from '@vextrus/shared/cache'
import { DataSource } from 'typeorm'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  postgresPrograms,
  type RealPostgres,
  startRealPostgres,
} from '../../../packages/shared/test/support/real-postgres.js'
import { type RedisServer, startRedis } from '../../../packages/shared/test/support/redis-server.js'
import { InvoiceNumbers, invoiceNumber } from '../src/invoices/invoice-numbers.js'
import { lines, newDraft, sendPatiently, startTestService, TENANT, type TestService, until } from './support/service.js'

/** What only a real Postgres can show: transactions of two services that are open at the same time. Runs where its server is installed. */
describe.skipIf(postgresPrograms === undefined)('two services on one Postgres and one Redis', () => {
  let postgres: RealPostgres
  let redis: RedisServer
  let services: readonly [TestService, TestService]

  beforeAll(async () => {
    ;[postgres, redis] = await Promise.all([startRealPostgres(postgresPrograms ?? ''), startRedis()])
    const start = () => startTestService({ url: postgres.url, poolSize: 10 }, { url: redis.url })
    services = await Promise.all([start(), start()])
  })

  afterAll(async () => {
    for (const service of services ?? []) await service.close()
    await redis?.stop()
    await postgres?.stop()
  })

  const query = <Row>(sql: string, ...parameters: unknown[]): Promise<Row[]> =>
    services[0].app.get(DataSource).query(sql, parameters)

  const numbers = async () => {
    const rows = await query<{ number: string }>(
      'SELECT number FROM finance.invoices WHERE tenant_id = $1 AND number IS NOT NULL ORDER BY number',
      TENANT,
    )
    return rows.map(({ number }) => number)
  }

  const withoutGap = (count: number) => Array.from({ length: count }, (_, at) => invoiceNumber(BigInt(at + 1)))

  it('a writer that another one has overtaken is refused by the database, and no number is lost', async () => {
    const [one, other] = services
    const before = (await numbers()).length
    const { id } = await newDraft(other)
    const overtaken = runAsTenant(TENANT, () =>
      one.app.get(InvoiceNumbers).numbering(TENANT, async (_, take) => {
        // Redis forgets the lock, and the holder does not know it yet.
        await redis.command('FLUSHALL')
        const issued = await other.send('PATCH', `/invoices/${id}/status`, { status: 'ISSUED' })
        expect(issued.body.number).toBe(invoiceNumber(BigInt(before + 1)))
        return take(1)
      }),
    )
    await expect(overtaken).rejects.toThrowError(StaleWriterError)
    expect(await numbers()).toEqual(withoutGap(before + 1))
  })

  it('a writer that waits for the row of another one whose lock it got is let through, in order', async () => {
    const [one, other] = services
    const before = (await numbers()).length
    const [{ id: first }, { id: second }] = [await newDraft(one), await newDraft(other)]
    let overtaking: Promise<unknown> | undefined
    await runAsTenant(TENANT, () =>
      one.app.get(InvoiceNumbers).numbering(TENANT, async (transaction, take) => {
        const [number] = await take(1)
        await redis.command('FLUSHALL')
        overtaking = other.send('PATCH', `/invoices/${second}/status`, { status: 'ISSUED' })
        const waiting = async () => (await query('SELECT 1 FROM pg_locks WHERE NOT granted')).length > 0
        await until('it holds the lock, and waits for the row of the counter', waiting)
        await transaction.query(
          `UPDATE finance.invoices SET number = $2, status = 'ISSUED', issued_at = now() WHERE id = $1`,
          [first, number],
        )
      }),
    )
    expect(await overtaking).toMatchObject({ status: 200, body: { number: invoiceNumber(BigInt(before + 2)) } })
    expect(await numbers()).toEqual(withoutGap(before + 2))
  })

  it('after a storm of new, issued, paid and deleted there is no gap, and both answer what the database holds', async () => {
    const [{ customers } = { customers: [] }] = await query<{ customers: number[] }>(
      'SELECT array_agg(id ORDER BY id) AS customers FROM finance.customers WHERE tenant_id = $1 AND NOT is_deleted',
      TENANT,
    )
    const statuses = ['DRAFT', 'ISSUED', 'PAID', 'VOID']
    const requests = Array.from({ length: 200 }, (_, at): [method: string, path: string, body?: object] => {
      const customerId = customers[(at * 7) % customers.length]!
      switch (at % 10) {
        case 0:
          return ['POST', '/invoices/bulk-status', { from: 'DRAFT', to: 'ISSUED', customerId }]
        case 1:
          return ['POST', '/invoices/bulk-status', { from: 'ISSUED', to: at % 20 === 1 ? 'PAID' : 'VOID', customerId }]
        case 2:
          return ['PATCH', `/invoices/${1 + (at % 48)}/status`, { status: statuses[1 + (at % 3)] }]
        case 3:
          return at % 60 === 3 ? ['DELETE', `/customers/${customerId}`] : ['GET', `/invoices?customerId=${customerId}`]
        case 4:
        case 5:
          return ['GET', `/invoices?status=${statuses[at % 4]}`]
        case 6:
          return ['GET', `/invoices/${1 + (at % 48)}`]
        default:
          return ['POST', '/invoices', { customerId, lines }]
      }
    })
    let next = 0
    const failures: unknown[] = []
    const worker = async (service: TestService) => {
      for (let request = requests[next++]; request !== undefined; request = requests[next++]) {
        const [method, path, body] = request
        const { status, body: answer } = await sendPatiently(service, method, path, body)
        if (status >= 500) failures.push({ method, path, status, answer })
      }
    }
    await Promise.all(services.flatMap((service) => Array.from({ length: 4 }, () => worker(service))))
    expect(failures).toEqual([])

    const given = await numbers()
    expect(given).toEqual(withoutGap(given.length))
    for (const service of services) {
      for (const status of statuses) {
        const rows = await query<{ id: number; version: number }>(
          'SELECT id, version FROM finance.invoices WHERE tenant_id = $1 AND status = $2 ORDER BY id DESC LIMIT 100',
          TENANT,
          status,
        )
        const { items } = (await service.get(`/invoices?status=${status}&pageSize=100`)).body
        expect(
          items.map(({ id, version }) => ({ id, version })),
          status,
        ).toEqual(rows)
        for (const { id, version } of rows.slice(0, 10))
          expect((await service.get(`/invoices/${id}`)).body).toMatchObject({ id, status, version })
      }
    }
  })
})
