import { DataSource } from 'typeorm'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { RedisPubSubService } from '@vextrus/shared/pubsub'
import { patient, startServers } from '../../service-kit/test/support/servers.js'
import { eventsChannel, type TaskEvent } from '../src/events/task-event.js'
import { approver, clerk, startTestService, TENANT, type TestService, until } from './support/service.js'

/** What becomes of an event when processes die and Redis is away: two services on one database and one Redis. */

const servers = startServers()
let services: readonly [TestService, TestService]

beforeAll(async () => {
  const start = () => startTestService(servers.database, patient(servers.redis))
  services = [await start(), await start()]
})

afterAll(async () => {
  for (const service of services ?? []) await service.close()
})

/** All that a tenant's log holds of a task. */
async function eventsOf(taskId: number): Promise<TaskEvent[]> {
  const events: TaskEvent[] = []
  const messages = services[0].app.get(RedisPubSubService)
  const channel = eventsChannel(TENANT)
  const end = await messages.lastId(channel)
  let at = '0-0'
  await using _ = await messages.subscribe<TaskEvent>(
    channel,
    (event, { id = '' }) => {
      if (event.taskId === taskId) events.push(event)
      at = id
    },
    { from: 'start' },
  )
  await until('the log is read', () => at === end)
  return events
}

const query = <Row>(sql: string, ...parameters: unknown[]): Promise<Row[]> =>
  services[0].app.get(DataSource).query(sql, parameters)

/** A writer that has committed, and died before it told anybody. */
async function committedInSilence(taskId: number, title: string): Promise<void> {
  const [task] = await query<{ version: number }>(
    `UPDATE workflow.tasks SET title = $2, version = version + 1 WHERE id = $1 RETURNING version`,
    taskId,
    title,
  ).then((answer) => answer[0] as unknown as { version: number }[])
  const event: TaskEvent = {
    ...{ tenantId: TENANT, taskId, version: task!.version, oldStatus: 'DRAFT', newStatus: 'DRAFT' },
    ...{ requester: 'carl', approver: null, actor: 'carl', title, comment: null, invoiceId: null },
    at: new Date().toISOString(),
  }
  await query('INSERT INTO workflow.outbox (event) VALUES ($1)', JSON.stringify(event))
}

const titleOf = async (service: TestService, id: number) =>
  (await service.send(clerk, 'GET', `/tasks/${id}`)).body.title as string

let id: number
beforeEach(async () => {
  id = await services[0].draft()
})

it('each change is told once to all, though two processes tell what is in the outbox at the same time', async () => {
  const [one, other] = services
  await one.become(clerk, id, 'SUBMITTED')
  for (let at = 0; at < 20; at++) await committedInSilence(id, `title ${at}`)
  await Promise.all([one.outbox.publish(), other.outbox.publish()])
  const versions = (await eventsOf(id)).map(({ version }) => version)
  expect(versions.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 22 }, (_, at) => at + 1))
  expect(await query('SELECT 1 FROM workflow.outbox')).toEqual([])
})

it('a process that dies after its commit leaves old entries only until another one tells its event', async () => {
  const [one, other] = services
  for (const service of services) expect(await titleOf(service, id)).toBe('Credit note')
  await committedInSilence(id, 'by the dead one')
  for (const service of services) expect(await titleOf(service, id)).toBe('Credit note')
  await other.outbox.sweep()
  for (const service of [one, other]) {
    await until('the event is heard', async () => (await titleOf(service, id)) === 'by the dead one')
  }
})

it('a change that is rolled back tells nothing', async () => {
  const [one] = services
  expect((await one.become(approver, id, 'APPROVED')).status).toBe(409)
  await one.outbox.publish()
  expect((await eventsOf(id)).map(({ version }) => version)).toEqual([1])
})

it('a process that may have missed events forgets what it could have heard of', async () => {
  const [one] = services
  expect(await titleOf(one, id)).toBe('Credit note')
  await query(`UPDATE workflow.tasks SET title = 'changed in silence' WHERE id = $1`, id)
  expect(await titleOf(one, id)).toBe('Credit note')
  await servers.redis.command('CLIENT', 'KILL', 'TYPE', 'pubsub')
  await until('it is back, and reads anew', async () => (await titleOf(one, id)) === 'changed in silence')
})

it('while Redis is away drafts are written, and told when it is back', async () => {
  const [one] = services
  await servers.redis.kill()
  const { status, body } = await one.send(clerk, 'POST', '/tasks', { title: 'Written in the dark' })
  expect(status).toBe(201)
  // No lock, no decision.
  expect((await one.send(clerk, 'PATCH', `/tasks/${body.id}/status`, { status: 'SUBMITTED' })).status).toBe(503)
  expect(await query('SELECT 1 FROM workflow.outbox')).toHaveLength(1)
  await servers.redis.restart()
  await until('it is told', async () => {
    await one.outbox.sweep()
    return (await query('SELECT 1 FROM workflow.outbox')).length === 0
  })
  expect(await eventsOf(body.id)).toMatchObject([{ version: 1, title: 'Written in the dark' }])
})
