import { ConflictException, Injectable, NotFoundException } from '@nestjs/common'
import { InjectDataSource } from '@nestjs/typeorm'
import { FencedWrites, StaleWriterError, updatedRow } from '@vextrus/service-kit'
import { RedisLockService } from '@vextrus/shared/lock'
import { DataSource, type EntityManager } from 'typeorm'
import { Outbox } from '../events/outbox.js'
import type { TaskEvent } from '../events/task-event.js'
import { TaskInvalidation } from '../events/task-invalidation.js'
import type { Caller } from '../http/caller.js'
import { Task, TaskChange } from './task.entities.js'
import { type StatusChange, type TaskInput, type TaskView, taskView } from './task.schemas.js'
import { assertMayMake, mayBecome, type TaskStatus } from './task-status.js'

/**
 * Writes of tasks. Each is one transaction, with the task, its history and its event in it; then what is cached goes, then comes the answer, and
 * the event is told to everybody else behind its back (`events/outbox.ts`).
 */
@Injectable()
export class TaskCommands {
  private readonly writes: FencedWrites

  constructor(
    @InjectDataSource() private readonly dataSource: DataSource,
    locks: RedisLockService,
    private readonly outbox: Outbox,
    private readonly invalidation: TaskInvalidation,
  ) {
    this.writes = new FencedWrites(dataSource, locks)
  }

  /** Writes a draft. Nobody else can know of it yet, so it takes no lock. */
  async create(tenantId: string, { id: requester }: Caller, input: TaskInput): Promise<TaskView> {
    const { title, approver = null, invoiceId = null } = input
    const draft = { tenantId, title, status: 'DRAFT', requester, approver, invoiceId } as const
    const written = await this.dataSource.transaction(async (transaction) => {
      const task = await transaction.save(Task, { ...draft, decidedBy: null, version: 1, fence: '0' })
      return this.recorded(transaction, task, { oldStatus: null, actor: requester, comment: null })
    })
    return this.told(written)
  }

  /**
   * Submits, approves or rejects a task, under its lock; its row checks the fence, and the version that the decision was made from.
   * @throws NotFoundException; ForbiddenException whoever asks may not; ConflictException it can't get this status, or has another version by now
   * @throws StaleWriterError, LockTimeoutError, LockUnavailableError nothing was done
   */
  async changeStatus(tenantId: string, id: number, caller: Caller, change: StatusChange): Promise<TaskView> {
    const key = `lock:task:${tenantId}:${id}`
    const written = await this.writes.run(nameOf(id), [key], async ({ transaction, fenceOf }) => {
      const task = await transaction.findOneBy(Task, { tenantId, id })
      if (task === null) throw new NotFoundException(`${nameOf(id)} was not found`)
      const { version = task.version, status, comment = null } = change
      if (version !== task.version) throw changedMeanwhile(id)
      assertMayMake(status, task, caller)
      if (!mayBecome(task.status, status)) {
        throw new ConflictException(`${nameOf(id)} is ${task.status}, not to be ${status}`)
      }
      await moveTask(transaction, task, status, caller.id, fenceOf(key))
      const changed = await transaction.findOneByOrFail(Task, { tenantId, id })
      return this.recorded(transaction, changed, { oldStatus: task.status, actor: caller.id, comment })
    })
    return this.told(written)
  }

  /** After the commit. A process that dies before has told nobody; its event is in the outbox then. */
  private async told({ task, event }: Written): Promise<TaskView> {
    await this.invalidation.forget(event)
    this.outbox.publishSoon()
    return taskView(task)
  }

  private async recorded(
    transaction: EntityManager,
    task: Task,
    { oldStatus, actor, comment }: Pick<TaskEvent, 'oldStatus' | 'actor' | 'comment'>,
  ): Promise<Written> {
    const { tenantId, id: taskId, version, status: newStatus, requester, approver, title, invoiceId } = task
    await transaction.insert(TaskChange, { tenantId, taskId, version, oldStatus, newStatus, actor, comment })
    const at = task.updatedAt.toISOString()
    const event: TaskEvent = {
      ...{ tenantId, taskId, version, oldStatus, newStatus, requester, approver },
      ...{ actor, title, comment, invoiceId, at },
    }
    await this.outbox.add(transaction, event)
    return { task, event }
  }
}

/**
 * Gives a task another status. The two walls: a writer whose lock went to another one has an older fence, one that saw another task an older version.
 * @param fence of the lock that the writer holds @throws StaleWriterError, ConflictException
 */
export async function moveTask(
  transaction: EntityManager,
  { tenantId, id, version }: Pick<Task, 'tenantId' | 'id' | 'version'>,
  status: TaskStatus,
  actor: string,
  fence: bigint,
): Promise<void> {
  const decidedBy = status === 'APPROVED' || status === 'REJECTED' ? actor : null
  const row = await updatedRow<{ id: number }>(
    transaction,
    `UPDATE workflow.tasks
        SET status = $4, version = version + 1, fence = $5, updated_at = now(), decided_by = coalesce($6, decided_by)
      WHERE tenant_id = $1 AND id = $2 AND version = $3 AND fence <= $5
     RETURNING id`,
    [tenantId, id, version, status, fence.toString(), decidedBy],
  )
  if (row !== undefined) return
  const now = await transaction.findOneBy(Task, { tenantId, id })
  throw now !== null && BigInt(now.fence) > fence ? new StaleWriterError(nameOf(id)) : changedMeanwhile(id)
}

interface Written {
  readonly task: Task
  readonly event: TaskEvent
}

const nameOf = (id: number): string => `Task ${id}`

const changedMeanwhile = (id: number): ConflictException =>
  new ConflictException(`${nameOf(id)} was changed by somebody else: read it again`)
