import { EventsHandler, type IEventHandler } from '@nestjs/cqrs'
import { InjectRepository } from '@nestjs/typeorm'
import { CacheWrites } from '@vextrus/service-kit'
import { Repository } from 'typeorm'
import { customerKey, customerListsTag } from './customer.cache.js'
import { Customer } from './customer.entity.js'
import { CustomerDeleted, CustomerUpdated } from './customer.messages.js'

/** Event-driven invalidation: forgets the tenant's customer lists when one of its customers changed. */
@EventsHandler(CustomerUpdated, CustomerDeleted)
export class InvalidateCustomerLists implements IEventHandler<CustomerUpdated | CustomerDeleted> {
  constructor(private readonly cacheWrites: CacheWrites) {}

  handle(event: CustomerUpdated | CustomerDeleted): void {
    event.settle(this.cacheWrites.invalidate({ tags: [customerListsTag(event.tenantId)] }))
  }
}

/** The second half of `@CachePut`: a customer that was deleted meanwhile may have been stored after it was evicted. */
@EventsHandler(CustomerUpdated)
export class ConfirmCustomer implements IEventHandler<CustomerUpdated> {
  constructor(
    private readonly cacheWrites: CacheWrites,
    @InjectRepository(Customer) private readonly customers: Repository<Customer>,
  ) {}

  handle(event: CustomerUpdated): void {
    const { tenantId, id, version } = event
    event.settle(
      this.cacheWrites.confirm(customerKey(tenantId, id), version, async () => {
        const row = await this.customers.findOne({ select: { id: true, version: true }, where: { tenantId, id } })
        return row?.version
      }),
    )
  }
}
