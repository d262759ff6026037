import { Body, Controller, Get, Param, Patch, Post, Query } from '@nestjs/common'
import { ApiCreatedResponse, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger'
import {
  ApiProblems,
  CachedRead,
  CurrentTenant,
  idParam,
  type Page,
  type PageQuery,
  pageQuery,
  type Tenant,
  TenantScoped,
} from '@vextrus/service-kit'
import { type Caller, CurrentCaller } from '../http/caller.js'
import { TaskCommands } from './task.commands.js'
import { TaskQueries } from './task.queries.js'
import {
  countsSchema,
  type History,
  historySchema,
  type StatusChange,
  statusChange,
  type TaskCounts,
  type TaskInput,
  taskInput,
  type TaskListQuery,
  taskListQuery,
  taskPage,
  taskSchema,
  type TaskView,
} from './task.schemas.js'

@ApiTags('tasks')
@Controller('tasks')
@TenantScoped()
@ApiProblems({ 401: 'The header x-user-id is missing' })
export class TasksController {
  constructor(
    private readonly queries: TaskQueries,
    private readonly commands: TaskCommands,
  ) {}

  @Get()
  @ApiOperation({ summary: 'A page of tasks, the newest first; of one status when it is named' })
  @CachedRead(taskPage)
  list(
    @CurrentTenant() tenant: Tenant,
    @Query({ schema: taskListQuery }) query: TaskListQuery,
  ): Promise<Page<TaskView>> {
    return this.queries.list(tenant.id, query)
  }

  @Get('mine')
  @ApiOperation({ summary: 'What the user has written, and what waits for their decision; the newest first' })
  @CachedRead(taskPage)
  mine(
    @CurrentTenant() tenant: Tenant,
    @CurrentCaller() caller: Caller,
    @Query({ schema: pageQuery }) query: PageQuery,
  ): Promise<Page<TaskView>> {
    return this.queries.mine(tenant.id, caller.id, query)
  }

  @Get('counts')
  @ApiOperation({ summary: 'How many tasks there are of each status' })
  @CachedRead(countsSchema)
  counts(@CurrentTenant() tenant: Tenant): Promise<TaskCounts> {
    return this.queries.counts(tenant.id)
  }

  @Get(':id')
  @ApiOperation({ summary: 'One task' })
  @CachedRead(taskSchema)
  get(@CurrentTenant() tenant: Tenant, @Param('id', { schema: idParam }) id: number): Promise<TaskView> {
    return this.queries.get(tenant.id, id)
  }

  @Get(':id/history')
  @ApiOperation({ summary: 'What became of a task, from the beginning' })
  @CachedRead(historySchema)
  history(@CurrentTenant() tenant: Tenant, @Param('id', { schema: idParam }) id: number): Promise<History> {
    return this.queries.history(tenant.id, id)
  }

  @Post()
  @ApiOperation({ summary: 'Writes a draft' })
  @ApiCreatedResponse({ standardSchema: taskSchema })
  create(
    @CurrentTenant() tenant: Tenant,
    @CurrentCaller() caller: Caller,
    @Body({ schema: taskInput }) input: TaskInput,
  ): Promise<TaskView> {
    return this.commands.create(tenant.id, caller, input)
  }

  @Patch(':id/status')
  @ApiOperation({ summary: 'Submits a draft; approves or rejects what was submitted' })
  @ApiOkResponse({ standardSchema: taskSchema })
  @ApiProblems({
    403: 'It is not the user’s to do this',
    409: 'It can’t get this status, or was changed by somebody else',
    503: 'The lock of the task was not to be had',
  })
  changeStatus(
    @CurrentTenant() tenant: Tenant,
    @CurrentCaller() caller: Caller,
    @Param('id', { schema: idParam }) id: number,
    @Body({ schema: statusChange }) change: StatusChange,
  ): Promise<TaskView> {
    return this.commands.changeStatus(tenant.id, id, caller, change)
  }
}
