import { Injectable, NotFoundException } from '@nestjs/common'
import { InjectRepository } from '@nestjs/typeorm'
import { type Page, pageFrom, type PageQuery } from '@vextrus/service-kit'
import { Cacheable } from '@vextrus/shared/cache'
import { type FindOptionsWhere, Repository } from 'typeorm'
import {
  countsKey,
  countsTags,
  historyKey,
  LIST_TTL,
  listKey,
  listTags,
  mineKey,
  mineTags,
  TASK_TTL,
  taskKey,
  taskTags,
} from './task.cache.js'
import { Task, TaskChange } from './task.entities.js'
import {
  changeView,
  type History,
  type TaskCounts,
  type TaskListQuery,
  type TaskView,
  taskView,
} from './task.schemas.js'
import { taskStatus } from './task-status.js'

/** Reads of tasks: cached until an event says that they are old (`events/task-invalidation.ts`). */
@Injectable()
export class TaskQueries {
  constructor(
    @InjectRepository(Task) private readonly tasks: Repository<Task>,
    @InjectRepository(TaskChange) private readonly changes: Repository<TaskChange>,
  ) {}

  /** @throws NotFoundException */
  @Cacheable({
    ttl: TASK_TTL,
    keyGenerator: taskKey,
    tags: ({ tenantId, id }: TaskView) => taskTags(tenantId, id),
  })
  async get(tenantId: string, id: number): Promise<TaskView> {
    const task = await this.tasks.findOneBy({ tenantId, id })
    if (task === null) throw new NotFoundException(`Task ${id} was not found`)
    return taskView(task)
  }

  /** What became of a task, from the beginning. @throws NotFoundException */
  @Cacheable({
    ttl: TASK_TTL,
    keyGenerator: historyKey,
    tags: (_: History, tenantId: string, id: number) => taskTags(tenantId, id),
  })
  async history(tenantId: string, id: number): Promise<History> {
    const changes = await this.changes.find({ where: { tenantId, taskId: id }, order: { version: 'ASC' } })
    if (changes.length === 0) throw new NotFoundException(`Task ${id} was not found`)
    return { items: changes.map(changeView) }
  }

  /** A page of tasks, the newest first; of one status when it is named. */
  @Cacheable({
    ttl: LIST_TTL,
    keyGenerator: listKey,
    tags: (_: Page<TaskView>, tenantId: string, { status }: TaskListQuery) => listTags(tenantId, status),
  })
  list(tenantId: string, query: TaskListQuery): Promise<Page<TaskView>> {
    const { status } = query
    return this.page(query, { tenantId, ...(status === undefined ? {} : { status }) })
  }

  /** What a user has written, and what waits for their decision by name; the newest first. */
  @Cacheable({
    ttl: LIST_TTL,
    keyGenerator: (tenantId: string, user: string, { page, pageSize }: PageQuery) =>
      mineKey(tenantId, user, page, pageSize),
    tags: (_: Page<TaskView>, tenantId: string, user: string) => mineTags(tenantId, user),
  })
  mine(tenantId: string, user: string, query: PageQuery): Promise<Page<TaskView>> {
    return this.page(query, [
      { tenantId, requester: user },
      { tenantId, approver: user, status: 'SUBMITTED' },
    ])
  }

  /** How many tasks there are of each status. */
  @Cacheable({
    ttl: LIST_TTL,
    keyGenerator: countsKey,
    tags: (_: TaskCounts, tenantId: string) => countsTags(tenantId),
  })
  async counts(tenantId: string): Promise<TaskCounts> {
    const rows = await this.tasks
      .createQueryBuilder('task')
      .select('task.status', 'status')
      .addSelect('count(*)::int', 'count')
      .where('task.tenantId = :tenantId', { tenantId })
      .groupBy('task.status')
      .getRawMany<{ status: string; count: number }>()
    const counts = new Map(rows.map(({ status, count }) => [status, count]))
    return Object.fromEntries(taskStatus.options.map((status) => [status, counts.get(status) ?? 0])) as TaskCounts
  }

  private page(query: PageQuery, where: FindOptionsWhere<Task> | FindOptionsWhere<Task>[]): Promise<Page<TaskView>> {
    return pageFrom(this.tasks, query, { where, order: { id: 'DESC' } }, taskView)
  }
}
