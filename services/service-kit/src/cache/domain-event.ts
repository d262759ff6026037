import { Injectable } from '@nestjs/common'
import { EventBus } from '@nestjs/cqrs'
import { runAsTenant } from '@vextrus/shared/cache'

/**
 * Something that happened, and is committed. Handlers that a writer must not be answered before – those that invalidate what
 * clients would read next – hand in their work with {@link DomainEvent.settle}.
 */
export abstract class DomainEvent {
  private readonly work: Promise<unknown>[] = []

  abstract readonly tenantId: string

  settle(work: Promise<unknown>): void {
    this.work.push(work)
  }

  async settled(): Promise<void> {
    await Promise.all(this.work)
  }
}

/**
 * Publishes events on the bus of `@nestjs/cqrs`, which calls the handlers at once and waits for none; so this does. A client that reads a list
 * after its write was answered finds the write in it. Handlers run as the tenant of the event, whoever published it and however late they do
 * their work.
 */
@Injectable()
export class DomainEvents {
  constructor(private readonly bus: EventBus) {}

  async publish(event: DomainEvent): Promise<void> {
    runAsTenant(event.tenantId, () => this.bus.publish(event))
    await event.settled()
  }
}
