import { StaleWriterError } from '@vextrus/service-kit'
import { DataSource } from 'typeorm'
import { afterAll, beforeAll, expect, it, describe } from 'vitest'
import {
  postgresPrograms,
  type RealPostgres,
  startRealPostgres,
} from '../../../packages/shared/test/support/real-postgres.js'
import { type RedisServer, startRedis } from '../../../packages/shared/test/support/redis-server.js'
import { patient } from '../../service-kit/test/support/servers.js'
import { moveTask } from '../src/tasks/task.commands.js'
import { type As, clerk, startTestService, TENANT, type TestService } from './support/service.js'

/** Two services decide at the same time, on a real Postgres. Runs where its server is installed. */
describe.skipIf(postgresPrograms === undefined)('two services on one Postgres and one Redis', () => {
  let postgres: RealPostgres
  let redis: RedisServer
  let services: readonly [TestService, TestService]

  beforeAll(async () => {
    ;[postgres, redis] = await Promise.all([startRealPostgres(postgresPrograms ?? ''), startRedis()])
    const start = () => startTestService({ url: postgres.url, poolSize: 10 }, patient(redis))
    services = await Promise.all([start(), start()])
  })

  afterAll(async () => {
    for (const service of services ?? []) await service.close()
    await redis?.stop()
    await postgres?.stop()
  })

  const dataSource = () => services[0].app.get(DataSource)

  it('of many decisions on a task one is made, and the history knows of one', async () => {
    const [one] = services
    for (let round = 0; round < 2; round++) {
      const id = await one.draft()
      await one.become(clerk, id, 'SUBMITTED')
      const decisions = Array.from({ length: 6 }, (_, at) => {
        const as: As = { user: `approver-${at}`, roles: ['approver'] }
        return services[at % 2]!.send(as, 'PATCH', `/tasks/${id}/status`, {
          status: at % 3 === 0 ? 'REJECTED' : 'APPROVED',
        })
      })
      const answers = await Promise.all(decisions)
      const made = answers.filter(({ status }) => status === 200)
      expect(made).toHaveLength(1)
      // 503: its turn at the lock did not come in time, on a very busy machine.
      for (const { status } of answers) expect([200, 409, 503]).toContain(status)
      for (const service of services) {
        const { body } = await service.send(clerk, 'GET', `/tasks/${id}/history`)
        expect(body.items).toHaveLength(3)
        expect(body.items[2]).toMatchObject({ actor: made[0]!.body.decidedBy, newStatus: made[0]!.body.status })
      }
    }
  })

  it('a writer whose lock went to another one is refused by its fence, one that saw another version by that', async () => {
    const id = await services[0].draft()
    const seen = { tenantId: TENANT, id, version: 1 }
    const move = (version: number, status: 'SUBMITTED' | 'APPROVED', fence: bigint) =>
      dataSource().transaction((transaction) => moveTask(transaction, { ...seen, version }, status, 'ann', fence))
    await move(1, 'SUBMITTED', 1_000n)
    await expect(move(2, 'APPROVED', 999n)).rejects.toBeInstanceOf(StaleWriterError)
    await expect(move(1, 'APPROVED', 1_001n)).rejects.toMatchObject({ status: 409 })
    await move(2, 'APPROVED', 1_000n)
  })

  it('the table refuses a decision on one’s own, whoever forgot to ask', async () => {
    const id = await services[0].draft()
    const sql = `UPDATE workflow.tasks SET status = 'APPROVED', decided_by = requester WHERE id = $1`
    await expect(dataSource().query(sql, [id])).rejects.toThrow(/check constraint/)
  })
})
