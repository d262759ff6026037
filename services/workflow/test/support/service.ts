import type { DatabaseConfig, RedisConfig } from '@vextrus/service-kit'
import { Outbox } from '../../src/events/outbox.js'
import { messageIdOf, type TaskEvent } from '../../src/events/task-event.js'
import { TaskInvalidation } from '../../src/events/task-invalidation.js'
import { Notifications } from '../../src/notifications/notifications.js'
import * as kit from '../../../service-kit/test/support/test-service.js'
import { workflow } from '../../src/service.js'
import { SseClient } from './sse-client.js'

export {
  OTHER,
  startDatabase,
  TENANT,
  type TestDatabase,
  until,
} from '../../../service-kit/test/support/test-service.js'

/** Who asks, as the gateway would say. */
export interface As {
  readonly user: string
  readonly roles?: readonly string[]
  readonly tenant?: string
}

export const clerk: As = { user: 'carl' }
export const approver: As = { user: 'ann', roles: ['approver'] }
export const admin: As = { user: 'adam', roles: ['admin', 'approver'] }

export const headersOf = ({ user, roles = [], tenant = kit.TENANT }: As): Record<string, string> => ({
  'x-tenant-id': tenant,
  'x-user-id': user,
  'x-user-roles': roles.join(','),
})

export type TestService = Awaited<ReturnType<typeof startTestService>>

export async function startTestService(database: DatabaseConfig, redis?: RedisConfig) {
  const base = await kit.startTestService(workflow, database, redis)
  const { url, service } = base
  const outbox = base.app.get(Outbox)
  const heard = new Set<string>()
  const invalidation = base.app.get(TaskInvalidation)
  const changed = invalidation.changed.bind(invalidation)
  // The decorator asks for the method at each call.
  invalidation.changed = async (event: TaskEvent) => {
    await changed(event)
    heard.add(messageIdOf(event))
  }
  /** This process has heard the event, and nothing of it is under way: what is cached from here on stays. */
  const told = async (taskId: number, version: number) => {
    await kit.until('the event is told', () => heard.has(`task:${taskId}:${version}`))
    await outbox.publish()
  }
  const send = async (as: As, method: string, path: string, body?: object) => {
    const before = service.queryLog.total
    const response = await fetch(`${url}${path}`, {
      method,
      headers: { ...headersOf(as), ...(body && { 'content-type': 'application/json' }) },
      ...(body && { body: JSON.stringify(body) }),
    })
    return {
      status: response.status,
      cache: response.headers.get('x-cache'),
      // oxlint-disable-next-line typescript/no-explicit-any -- what a test expects of it, it checks
      body: (await response.json()) as any,
      queries: service.queryLog.total - before,
    }
  }
  return {
    ...base,
    send,
    notifications: base.app.get(Notifications),
    outbox,
    /** A draft of the clerk's. */
    draft: async (input: object = {}, as: As = clerk): Promise<number> => {
      const { status, body } = await send(as, 'POST', '/tasks', { title: 'Credit note', ...input })
      if (status !== 201) throw new Error(`No draft: ${status} ${JSON.stringify(body)}`)
      await told(body.id, 1)
      return body.id as number
    },
    become: async (as: As, id: number, status: string, more: object = {}) => {
      const answer = await send(as, 'PATCH', `/tasks/${id}/status`, { status, ...more })
      if (answer.status === 200) await told(id, answer.body.version)
      return answer
    },
    told,
    listen: (as: As, lastEventId?: string) => SseClient.open(`${url}/notifications`, headersOf(as), lastEventId),
  }
}
