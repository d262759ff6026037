import { ForbiddenException } from '@nestjs/common'
import { z } from 'zod'
import { assertRole, type Caller } from '../http/caller.js'

/** Where a task is in its life. */
export const taskStatus = z.enum(['DRAFT', 'SUBMITTED', 'APPROVED', 'REJECTED'])
export type TaskStatus = z.infer<typeof taskStatus>

const next: Readonly<Record<TaskStatus, readonly TaskStatus[]>> = {
  DRAFT: ['SUBMITTED'],
  SUBMITTED: ['APPROVED', 'REJECTED'],
  APPROVED: [],
  REJECTED: [],
}

/** Whether a task may go from one status to the other. */
export const mayBecome = (from: TaskStatus, to: TaskStatus): boolean => next[from].includes(to)

/** Whose a task is. */
export interface TaskPeople {
  readonly requester: string
  /** Null: anybody who approves. */
  readonly approver: string | null
}

/**
 * Whoever wrote a task submits it. Another one decides on it, who approves: the one that is named, when one is, or an admin in their place. Nobody
 * decides on what they asked for, whatever their roles: `CHECK (decided_by <> requester)` stands behind it.
 * @throws ForbiddenException
 */
export function assertMayMake(to: TaskStatus, { requester, approver }: TaskPeople, caller: Caller): void {
  if (to === 'SUBMITTED') {
    if (caller.id !== requester) throw new ForbiddenException('A task is submitted by whoever wrote it')
    return
  }
  assertRole(caller, 'approver')
  if (caller.id === requester) throw new ForbiddenException('Nobody decides on a task of their own')
  if (approver !== null && approver !== caller.id && !caller.roles.has('admin')) {
    throw new ForbiddenException('Another approver is named for this task')
  }
}
