import type { TaskStatus } from '../tasks/task-status.js'

/** A task was written, or got another status: committed, and told to whoever listens to {@link eventsChannel}. Plain JSON data. */
export interface TaskEvent {
  readonly tenantId: string
  readonly taskId: number
  /** The one that the task has now. With the task's id it names the event: each is told once, and whoever wants an order has one. */
  readonly version: number
  /** Null: it was written. */
  readonly oldStatus: TaskStatus | null
  readonly newStatus: TaskStatus
  readonly requester: string
  readonly approver: string | null
  readonly actor: string
  readonly title: string
  readonly comment: string | null
  readonly invoiceId: number | null
  /** ISO 8601. */
  readonly at: string
}

/** The durable log of a tenant's events. */
export const eventsChannel = (tenant: string): string => `workflow:${tenant}`

/** The channels of all tenants. */
export const ALL_EVENTS = 'workflow:*'

/** By it a log takes the event once, however often the outbox tells it. */
export const messageIdOf = ({ taskId, version }: TaskEvent): string => `task:${taskId}:${version}`
