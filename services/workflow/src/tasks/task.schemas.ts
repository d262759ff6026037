import { idField, label, pageOf, pageQuery, versionField } from '@vextrus/service-kit'
import { z } from 'zod'
import type { Task, TaskChange } from './task.entities.js'
import { taskStatus } from './task-status.js'

/** Input and output of the task endpoints: checked at run time, and the source of the OpenAPI document. */

const userId = z
  .string()
  .regex(/^[\x21-\x7e]{1,255}$/, 'must be the id of a user')
  .meta({ example: 'u-b2903e5a' })

export const taskSchema = z.object({
  id: idField,
  tenantId: z.string(),
  title: z.string(),
  status: taskStatus,
  requester: userId,
  approver: userId.nullable().meta({ description: 'Null: anybody who approves' }),
  invoiceId: idField.nullable().meta({ description: 'An invoice of finance that it is about' }),
  decidedBy: userId.nullable(),
  version: versionField.meta({ description: 'Grows by one with every change' }),
  createdAt: z.string().meta({ format: 'date-time' }),
  updatedAt: z.string().meta({ format: 'date-time' }),
})
export type TaskView = z.infer<typeof taskSchema>

/** What answers carry and the cache holds: plain JSON data. */
export function taskView(task: Task): TaskView {
  const { id, tenantId, title, status, requester, approver, invoiceId, decidedBy, version, createdAt, updatedAt } = task
  return {
    ...{ id, tenantId, title, status, requester, approver, invoiceId, decidedBy, version },
    createdAt: createdAt.toISOString(),
    updatedAt: updatedAt.toISOString(),
  }
}

export const taskPage = pageOf(taskSchema)

export const changeSchema = z.object({
  version: versionField,
  oldStatus: taskStatus.nullable().meta({ description: 'Null: it was written' }),
  newStatus: taskStatus,
  actor: userId,
  comment: z.string().nullable(),
  at: z.string().meta({ format: 'date-time' }),
})
export type ChangeView = z.infer<typeof changeSchema>

export function changeView({ version, oldStatus, newStatus, actor, comment, createdAt }: TaskChange): ChangeView {
  return { version, oldStatus, newStatus, actor, comment, at: createdAt.toISOString() }
}

export const historySchema = z.object({ items: z.array(changeSchema) })
export type History = z.infer<typeof historySchema>

export const countsSchema = z.record(taskStatus, z.number().int())
export type TaskCounts = z.infer<typeof countsSchema>

export const taskInput = z.strictObject({
  title: label(200),
  approver: userId.optional().meta({ description: 'Who is to decide; none: anybody who approves' }),
  invoiceId: idField.optional(),
})
export type TaskInput = z.infer<typeof taskInput>

export const statusChange = z.strictObject({
  status: taskStatus.exclude(['DRAFT']),
  version: versionField.optional().meta({ description: 'The one that the client has seen; none: any' }),
  comment: label(1_000).optional(),
})
export type StatusChange = z.infer<typeof statusChange>

export const taskListQuery = pageQuery.extend({ status: taskStatus.optional() })
export type TaskListQuery = z.infer<typeof taskListQuery>
