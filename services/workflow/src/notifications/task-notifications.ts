import type { TaskEvent } from '../events/task-event.js'
import { tenantChannel, userChannel } from './channels.js'

/** What a browser is told: `type` is the name of the event, the rest its data. */
export interface Notification {
  readonly type: 'task' | 'announcement'
  readonly [field: string]: unknown
}

/** Who is to hear of an event, and what. A draft is nobody's business; whoever did something hears nothing of it. */
export function notificationsOf(
  event: TaskEvent,
): readonly { readonly channel: string; readonly message: Notification }[] {
  const { tenantId, taskId, version, newStatus: status, title, actor, comment, invoiceId, at } = event
  const message = { type: 'task', taskId, version, status, title, actor, comment, invoiceId, at } as const
  switch (status) {
    case 'DRAFT':
      return []
    case 'SUBMITTED':
      // Nobody is named: somebody is to take it.
      return [
        { channel: event.approver === null ? tenantChannel(tenantId) : userChannel(tenantId, event.approver), message },
      ]
    default:
      return [{ channel: userChannel(tenantId, event.requester), message }]
  }
}
