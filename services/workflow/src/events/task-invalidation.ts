import { Injectable } from '@nestjs/common'
import { InjectRepository } from '@nestjs/typeorm'
import { CacheWrites, Tenant } from '@vextrus/service-kit'
import { runAsTenant } from '@vextrus/shared/cache'
import { OnMessage } from '@vextrus/shared/pubsub'
import { Repository } from 'typeorm'
import { tagsOf, workflowTag } from '../tasks/task.cache.js'
import { ALL_EVENTS, type TaskEvent } from './task-event.js'

/**
 * Event-driven invalidation: what is cached of tasks goes by tags when an event tells that it is old, in every process that hears it. The writer
 * does the same before it answers, so that its client reads what it wrote; should it die between its commit and that, the outbox tells the event
 * from another process, and this forgets what the dead one could not.
 */
@Injectable()
export class TaskInvalidation {
  constructor(
    private readonly cacheWrites: CacheWrites,
    @InjectRepository(Tenant) private readonly tenants: Repository<Tenant>,
  ) {}

  @OnMessage(ALL_EVENTS, {
    onMissed(this: TaskInvalidation) {
      return this.forgetAll()
    },
  })
  async changed(event: TaskEvent): Promise<void> {
    await runAsTenant(event.tenantId, () => this.forget(event))
  }

  /** As the tenant of the event. */
  async forget(event: TaskEvent): Promise<void> {
    await this.cacheWrites.invalidate({ tags: tagsOf(event) })
  }

  /** Events may have been missed, and nobody knows of which tenant. */
  private async forgetAll(): Promise<void> {
    for (const { id } of await this.tenants.find({ select: { id: true } })) {
      await runAsTenant(id, () => this.cacheWrites.invalidate({ tags: [workflowTag(id)] }))
    }
  }
}
