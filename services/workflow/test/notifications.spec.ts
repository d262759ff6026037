import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { RedisPubSubService } from '@vextrus/shared/pubsub'
import { patient, startServers } from '../../service-kit/test/support/servers.js'
import { userChannel } from '../src/notifications/channels.js'
import {
  admin,
  approver,
  type As,
  clerk,
  headersOf,
  OTHER,
  startTestService,
  TENANT,
  type TestService,
  until,
} from './support/service.js'
import type { SseClient } from './support/sse-client.js'

const servers = startServers()

describe.each(['memory', 'redis'] as const)('notifications, with the %s driver', (driver) => {
  let api: TestService
  let clients: SseClient[] = []

  beforeAll(async () => {
    const redis = driver === 'redis' ? patient(servers.redis) : undefined
    api = await startTestService(servers.database, redis)
  })

  afterEach(async () => {
    for (const client of clients) client.close()
    clients = []
    await until('all have left', () => api.notifications.statistics.open === 0)
  })

  afterAll(async () => {
    await api?.close()
  })

  const listen = async (as: As, lastEventId?: string) => {
    const client = await api.listen(as, lastEventId)
    clients.push(client)
    return client
  }

  const announce = (text: string, as: As = admin, more: object = {}) =>
    api.send(as, 'POST', '/announcements', { text, ...more })

  const tell = (user: string, message: object) =>
    api.app.get(RedisPubSubService).publish(userChannel(TENANT, user), message, { durable: true })

  const texts = ({ events }: SseClient) => events.map(({ data }) => data.text as string)
  const heard = (client: SseClient, count: number) => until(`${count} events`, () => client.events.length >= count)

  it('begin with a head that no proxy keeps back, a time to come back after, and an id', async () => {
    const client = await listen(clerk)
    expect(client.response.headers).toMatchObject({
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store, no-transform',
      'x-accel-buffering': 'no',
    })
    await until('the id came', () => client.lastEventId !== undefined)
    expect(client.retryMs).toBe(2_000)
    expect(client.events).toEqual([])
  })

  it('tell the approver of what was submitted, and the requester of the decision, and nobody else', async () => {
    const named = await listen(approver)
    const asking = await listen(clerk)
    const others = [await listen({ user: 'olga' }), await listen({ ...approver, tenant: OTHER })]
    const id = await api.draft({ approver: approver.user, invoiceId: 3 })
    await api.become(clerk, id, 'SUBMITTED')
    await api.become(approver, id, 'REJECTED', { comment: 'too much' })
    await heard(named, 1)
    await heard(asking, 1)
    expect(named.events).toMatchObject([
      { type: 'task', data: { taskId: id, status: 'SUBMITTED', actor: 'carl', invoiceId: 3 } },
    ])
    expect(asking.events).toMatchObject([
      { type: 'task', data: { taskId: id, version: 3, status: 'REJECTED', comment: 'too much' } },
    ])
    expect(others.flatMap(({ events }) => events)).toEqual([])
  })

  it('tell everybody of the tenant what is for everybody, once', async () => {
    const inside = [await listen(clerk), await listen(approver)]
    const outside = await listen({ ...clerk, tenant: OTHER })
    const id = await api.draft()
    await api.become(clerk, id, 'SUBMITTED')
    expect((await announce('no', clerk)).status).toBe(403)
    const reference = `lunch-${driver}`
    const answers = [await announce('lunch', admin, { reference }), await announce('lunch', admin, { reference })]
    expect(answers.map(({ status, body }) => [status, body.repeated])).toEqual([
      [201, false],
      [201, true],
    ])
    await announce('end')
    for (const client of inside) {
      await heard(client, 3)
      expect(client.events).toMatchObject([
        { type: 'task', data: { taskId: id, status: 'SUBMITTED' } },
        { type: 'announcement', data: { text: 'lunch', by: 'adam' } },
        { type: 'announcement', data: { text: 'end' } },
      ])
    }
    expect(outside.events).toEqual([])
  })

  it('go on after the last id, in both logs, each once and in order, also for who had heard nothing', async () => {
    const quiet = await listen(clerk)
    const client = await listen(clerk)
    for (const each of [quiet, client]) await until('the id came', () => each.lastEventId !== undefined)
    const first = quiet.lastEventId
    quiet.close()
    await announce('1')
    await tell(clerk.user, { type: 'note', text: '2' })
    await heard(client, 2)
    client.close()
    for (const text of ['3', '4']) await announce(text)
    for (const text of ['5', '6']) await tell(clerk.user, { type: 'note', text })

    const back = await listen(clerk, client.lastEventId)
    await heard(back, 4)
    const late = await listen(clerk, first)
    await heard(late, 6)
    await announce('7')
    await heard(back, 5)
    await heard(late, 7)
    const [common, own] = [
      ['1', '3', '4', '7'],
      ['2', '5', '6'],
    ]
    const inOrder = (client: SseClient, type: string) =>
      client.events.filter((event) => event.type === type).map(({ data }) => data.text as string)
    expect([inOrder(late, 'announcement'), inOrder(late, 'note')]).toEqual([common, own])
    expect([inOrder(back, 'announcement'), inOrder(back, 'note')]).toEqual([common.slice(1), own.slice(1)])
  })

  it('say so when what comes after the last id is not kept any more', async () => {
    await announce('kept')
    const client = await listen(clerk, '5-5.5-5')
    const gapAt = () => client.events.findIndex(({ type, data }) => type === 'gap' && data.log === 'tenant')
    await until('the gap is told', () => gapAt() !== -1)
    const at = gapAt()
    await until('what is kept came', () => texts(client).includes('kept'))
    expect(texts(client).indexOf('kept')).toBeGreaterThan(at)
  })

  it('refuse an id that is not theirs, and HEAD, and a tab too many of one user', async () => {
    for (const id of ['1', 'x.y', '1-1']) expect((await listen(clerk, id)).status).toBe(400)
    const { status } = await fetch(`${api.url}/notifications`, { method: 'HEAD', headers: headersOf(clerk) })
    expect(status).toBe(405)
    for (let at = 0; at < 10; at++) expect((await listen(clerk)).status).toBe(200)
    expect((await listen(clerk)).status).toBe(429)
    expect((await listen(approver)).status).toBe(200)
    expect((await listen({ ...clerk, tenant: OTHER })).status).toBe(200)
    clients[5]!.close()
    await until('one has left', () => api.notifications.statistics.open < 12)
    expect((await listen(clerk)).status).toBe(200)
  })

  it('are seen to live while nothing happens', async () => {
    const client = await listen(clerk)
    await until('it is there', () => client.lastEventId !== undefined)
    api.notifications.beat()
    await until('it came', () => client.comments > 0)
    expect(client.events).toEqual([])
  })

  it('end after a while, so that the gateway asks again who comes back; who does has missed nothing', async () => {
    const client = await listen(clerk)
    await until('it is there', () => client.lastEventId !== undefined)
    for (let beat = 0; beat < 60; beat++) api.notifications.beat()
    await announce('meanwhile')
    await until('it is over', () => client.isOver)
    const back = await listen(clerk, client.lastEventId)
    await heard(back, 1)
    expect(texts(back)).toEqual(['meanwhile'])
  })

  it('drop a client that does not read, and nobody else; it comes back and has everything once', async () => {
    const slow = await listen({ user: 'sloth' })
    const fast = await listen(clerk)
    await until('it is there', () => slow.lastEventId !== undefined)
    slow.pause()
    const before = api.notifications.statistics.ended.slow
    let sent = 0
    await until('it is dropped', async () => {
      for (let each = 0; each < 20; each++) await tell('sloth', { type: 'note', text: 'x'.repeat(60_000), at: sent++ })
      api.notifications.beat()
      return api.notifications.statistics.ended.slow > before
    })
    await announce('others hear')
    await until('the other one heard', () => texts(fast).includes('others hear'))
    slow.resume()
    await until('it has what had come to it', () => slow.isOver)
    const back = await listen({ user: 'sloth' }, slow.lastEventId)
    const places = () =>
      [...slow.events, ...back.events].filter(({ type }) => type === 'note').map(({ data }) => data.at as number)
    await until('it has the rest', () => places().length >= sent)
    expect(places()).toEqual(Array.from({ length: sent }, (_, at) => at))
  })

  it('end when the service does', async () => {
    const other = await startTestService(servers.database)
    const client = await other.listen(clerk)
    await until('it is there', () => client.lastEventId !== undefined)
    const started = performance.now()
    await other.close()
    await until('it is over', () => client.isOver)
    expect(performance.now() - started).toBeLessThan(5_000)
    expect(other.notifications.statistics).toMatchObject({ open: 0, ended: { closed: 1 } })
  })
})

it('a stream that was about to begin when the service ends is refused, and its client does not wait', async () => {
  const api = await startTestService(servers.database)
  const messages = api.app.get(RedisPubSubService)
  const lastId = messages.lastId.bind(messages)
  messages.lastId = async (channel) => {
    const id = await lastId(channel)
    queueMicrotask(() => queueMicrotask(() => api.notifications.onModuleDestroy()))
    return id
  }
  const { status } = await api.send(clerk, 'GET', '/notifications')
  await api.close()
  expect(status).toBe(503)
})

it('without Redis there is no stream, and the client is told to come back', async () => {
  const api = await startTestService(servers.database, { url: servers.redis.url })
  await servers.redis.kill()
  try {
    const { status, body } = await api.send(clerk, 'GET', '/notifications')
    expect([status, body.code]).toEqual([503, 'PUBSUB_UNAVAILABLE'])
    expect(api.notifications.statistics.open).toBe(0)
  } finally {
    await api.close()
    await servers.redis.restart()
  }
})
