import { startEmbeddedPostgres } from '@vextrus/service-kit'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { patient, startServers } from '../../service-kit/test/support/servers.js'
import { craftedIds, craftedTenants } from '../../service-kit/test/support/crafted-ids.js'
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
} from './support/service.js'

const servers = startServers(startEmbeddedPostgres)

describe.each(['memory', 'redis'] as const)('tasks, with the %s driver', (driver) => {
  let api: TestService

  beforeAll(async () => {
    const redis = driver === 'redis' ? patient(servers.redis) : undefined
    api = await startTestService(servers.database, redis)
  })

  afterAll(async () => {
    await api?.close()
  })

  const get = (path: string, as: As = clerk) => api.send(as, 'GET', path)

  const expectHit = async (path: string, as?: As) => {
    const { status, cache, queries, body } = await get(path, as)
    expect({ path, status, cache, queries }).toEqual({ path, status: 200, cache: 'HIT', queries: 0 })
    return body
  }

  it('go from draft to submitted to approved, and the history tells who did what', async () => {
    const id = await api.draft({ invoiceId: 7 })
    expect(await get(`/tasks/${id}`)).toMatchObject({
      body: { id, tenantId: TENANT, status: 'DRAFT', requester: 'carl', approver: null, invoiceId: 7, version: 1 },
    })
    expect(await api.become(clerk, id, 'SUBMITTED')).toMatchObject({ status: 200, body: { version: 2 } })
    const decided = await api.become(approver, id, 'APPROVED', { version: 2, comment: 'fine' })
    expect(decided).toMatchObject({ status: 200, body: { status: 'APPROVED', decidedBy: 'ann', version: 3 } })
    expect((await get(`/tasks/${id}`)).body).toEqual(decided.body)
    const { body } = await get(`/tasks/${id}/history`)
    expect(body.items).toMatchObject([
      { version: 1, oldStatus: null, newStatus: 'DRAFT', actor: 'carl', comment: null },
      { version: 2, oldStatus: 'DRAFT', newStatus: 'SUBMITTED', actor: 'carl' },
      { version: 3, oldStatus: 'SUBMITTED', newStatus: 'APPROVED', actor: 'ann', comment: 'fine' },
    ])
  })

  it('go no other way, and not from a version that somebody has changed', async () => {
    const id = await api.draft()
    expect((await api.become(approver, id, 'APPROVED')).status).toBe(409)
    await api.become(clerk, id, 'SUBMITTED')
    expect(await api.become(approver, id, 'REJECTED', { version: 1 })).toMatchObject({ status: 409 })
    expect((await api.become(approver, id, 'REJECTED', { version: 2 })).status).toBe(200)
    for (const status of ['APPROVED', 'SUBMITTED']) {
      const as = status === 'SUBMITTED' ? clerk : approver
      expect((await api.become(as, id, status)).status).toBe(409)
    }
    expect((await api.become(approver, 2_000_000_000, 'APPROVED')).status).toBe(404)
    expect((await api.become(clerk, id, 'DRAFT')).status).toBe(400)
  })

  it('are submitted by whoever wrote them, and decided by another one who may', async () => {
    const boss: As = { user: 'bea', roles: ['approver'] }
    const id = await api.draft({ approver: boss.user }, approver)
    expect((await api.become(clerk, id, 'SUBMITTED')).status).toBe(403)
    await api.become(approver, id, 'SUBMITTED')
    const refused: [As, RegExp][] = [
      [clerk, /role approver/],
      [{ user: 'eve', roles: ['admin'] }, /role approver/],
      [{ user: 'eve', roles: ['approvers', 'APPROVER'] }, /role approver/],
      [approver, /of their own/],
      [{ ...admin, user: approver.user }, /of their own/],
      [{ user: 'eve', roles: ['approver'] }, /Another approver/],
    ]
    for (const [as, detail] of refused) {
      const { status, body } = await api.become(as, id, 'APPROVED')
      expect({ as, status, detail: body.detail }).toEqual({ as, status: 403, detail: expect.stringMatching(detail) })
    }
    expect((await api.become(boss, id, 'APPROVED')).status).toBe(200)
    const other = await api.draft({ approver: boss.user })
    await api.become(clerk, other, 'SUBMITTED')
    expect((await api.become(admin, other, 'REJECTED')).status).toBe(200)
  })

  it('are asked for by somebody, of some tenant', async () => {
    const statusOf = async (headers: Record<string, string>) =>
      (await fetch(`${api.url}/tasks/mine`, { headers })).status
    const { 'x-tenant-id': tenant, 'x-user-id': user } = headersOf(clerk)
    expect(await statusOf({ 'x-tenant-id': tenant! })).toBe(401)
    expect(await statusOf({ 'x-tenant-id': tenant!, 'x-user-id': 'a b' })).toBe(401)
    expect(await statusOf({ 'x-user-id': user! })).toBe(400)
    for (const crafted of craftedTenants(TENANT, OTHER))
      expect([400, 404]).toContain(await statusOf({ ...headersOf(clerk), 'x-tenant-id': crafted }))
  })

  it('of a tenant are nobody else’s, neither by their ids nor by those that one could make up', async () => {
    const id = await api.draft()
    const stranger: As = { ...admin, tenant: OTHER }
    expect((await get(`/tasks/${id}`)).status).toBe(200)
    for (const path of [`/tasks/${id}`, `/tasks/${id}/history`]) expect((await get(path, stranger)).status).toBe(404)
    expect((await api.become(stranger, id, 'SUBMITTED')).status).toBe(404)
    for (const crafted of craftedIds(TENANT, id)) {
      expect([400, 404]).toContain((await get(`/tasks/${encodeURIComponent(crafted)}`, stranger)).status)
    }
    const same: As = { user: clerk.user, tenant: OTHER }
    expect((await get('/tasks/mine', same)).body.items).toEqual([])
  })

  it('are cached, and a change is read at once in every view that shows it, and no other view is read anew', async () => {
    const id = await api.draft({ approver: approver.user })
    const other = await api.draft()
    const changed = ['/tasks', '/tasks?status=DRAFT', '/tasks?status=SUBMITTED', '/tasks/mine', '/tasks/counts']
    const paths = [...changed, `/tasks/${id}`, `/tasks/${id}/history`]
    const kept = [`/tasks/${other}`, '/tasks?status=REJECTED']
    for (const path of [...paths, ...kept]) {
      await get(path)
      await expectHit(path)
    }
    await get('/tasks/mine', approver)
    await expectHit('/tasks/mine', approver)
    const before = (await get('/tasks/counts')).body

    // Past the helper: it is read before the event has made its way.
    const { body: submitted } = await api.send(clerk, 'PATCH', `/tasks/${id}/status`, { status: 'SUBMITTED' })

    for (const path of paths) expect([path, (await get(path)).cache]).toEqual([path, 'MISS'])
    await api.told(id, 2)
    for (const path of kept) await expectHit(path)
    expect((await get('/tasks/mine', approver)).body.items[0]).toEqual(submitted)
    expect((await get('/tasks?status=SUBMITTED')).body.items[0]).toEqual(submitted)
    expect((await get('/tasks/counts')).body).toEqual({
      ...before,
      DRAFT: before.DRAFT - 1,
      SUBMITTED: before.SUBMITTED + 1,
    })
  })

  it('of users whose ids look like patterns or like two segments are theirs alone', async () => {
    const names = ['*', 'a:b', 'a', 'b?'].map((name) => name + driver)
    for (const user of names) await api.draft({ title: `of ${user}` }, { user })
    for (const user of names) {
      const { items } = (await get('/tasks/mine', { user })).body
      expect(items).toMatchObject([{ title: `of ${user}`, requester: user }])
    }
  })
})
