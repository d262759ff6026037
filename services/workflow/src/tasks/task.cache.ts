import { tenantTag } from '@vextrus/service-kit'
import { userSegment } from '../http/user-segment.js'
import type { TaskEvent } from '../events/task-event.js'
import type { TaskListQuery } from './task.schemas.js'
import type { TaskStatus } from './task-status.js'

/**
 * Every cache key and tag of tasks. The tenant is a whole segment of each; the cache refuses those that have none.
 *
 * | entry | key | tags, beside the tenant's and `workflow:<tenant>` |
 * |---|---|---|
 * | task | `task:<tenant>:<id>` | `task:<tenant>:<id>` |
 * | its history | `task:<tenant>:<id>:history` | `task:<tenant>:<id>` |
 * | list | `tasks:<tenant>:…:<page>:<size>` | `tasks:<tenant>:all`, or the status' |
 * | my tasks | `tasks:<tenant>:of:<user>:<page>:<size>` | `tasks:<tenant>:of:<user>` |
 * | counts | `tasks:<tenant>:counts` | `tasks:<tenant>:all` |
 */
export const TASK_TTL = 300
/** Seconds: what a list shows beyond what events tell of is right soon. */
export const LIST_TTL = 60

export const taskKey = (tenant: string, id: number): string => `task:${tenant}:${id}`
export const historyKey = (tenant: string, id: number): string => `task:${tenant}:${id}:history`
export const countsKey = (tenant: string): string => `tasks:${tenant}:counts`

export const listKey = (tenant: string, { status, page, pageSize }: TaskListQuery): string =>
  ['tasks', tenant, ...(status === undefined ? ['all'] : ['status', status]), page, pageSize].join(':')

export const mineKey = (tenant: string, user: string, page: number, pageSize: number): string =>
  ['tasks', tenant, 'of', userSegment(user), page, pageSize].join(':')

/** Carried by everything that this service caches of a tenant. */
export const workflowTag = (tenant: string): string => `workflow:${tenant}`
const always = (tenant: string): string[] => [tenantTag(tenant), workflowTag(tenant)]

const taskTag = (tenant: string, id: number): string => `task:${tenant}:${id}`
const allTag = (tenant: string): string => `tasks:${tenant}:all`
const statusTag = (tenant: string, status: TaskStatus): string => `tasks:${tenant}:status:${status}`
const mineTag = (tenant: string, user: string): string => `tasks:${tenant}:of:${userSegment(user)}`

export const taskTags = (tenant: string, id: number): string[] => [...always(tenant), taskTag(tenant, id)]
export const countsTags = (tenant: string): string[] => [...always(tenant), allTag(tenant)]
export const mineTags = (tenant: string, user: string): string[] => [...always(tenant), mineTag(tenant, user)]
export const listTags = (tenant: string, status: TaskStatus | undefined): string[] => [
  ...always(tenant),
  status === undefined ? allTag(tenant) : statusTag(tenant, status),
]

/** Everything that is old when this has happened. */
export const tagsOf = ({ tenantId, taskId, oldStatus, newStatus, requester, approver }: TaskEvent): string[] => [
  taskTag(tenantId, taskId),
  allTag(tenantId),
  ...(oldStatus === null ? [] : [statusTag(tenantId, oldStatus)]),
  statusTag(tenantId, newStatus),
  mineTag(tenantId, requester),
  ...(approver === null ? [] : [mineTag(tenantId, approver)]),
]
