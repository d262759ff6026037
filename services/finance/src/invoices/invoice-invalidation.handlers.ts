import { EventsHandler, type IEventHandler } from '@nestjs/cqrs'
import { CacheWrites } from '@vextrus/service-kit'
import { CustomerDeleted } from '../customers/customer.events.js'
import { customerTag, invoiceKey, listTagsOf, revenueKey, statusTag } from './invoice.cache.js'
import { InvoiceCreated, InvoicesStatusChanged, InvoiceStatusChanged } from './invoice.events.js'
import { invoiceStatus } from './invoice-status.js'

/**
 * Event-driven invalidation: whoever reads after a write was answered finds it. The writer has had the narrow part of it held around the commit
 * already (`invoice.commands.ts`), for the case that its process dies before it publishes the event.
 */

/** A draft stands in the lists of drafts, and in no report. */
@EventsHandler(InvoiceCreated)
export class InvalidateOnInvoiceCreated implements IEventHandler<InvoiceCreated> {
  constructor(private readonly cacheWrites: CacheWrites) {}

  handle(event: InvoiceCreated): void {
    const { tenantId, customerId } = event
    event.settle(this.cacheWrites.invalidate({ tags: listTagsOf(tenantId, [customerId], ['DRAFT']) }))
  }
}

/** The invoice, and the lists that it leaves and enters. */
@EventsHandler(InvoiceStatusChanged)
export class InvalidateOnInvoiceStatusChanged implements IEventHandler<InvoiceStatusChanged> {
  constructor(private readonly cacheWrites: CacheWrites) {}

  handle(event: InvoiceStatusChanged): void {
    const { tenantId, invoiceId, customerId, oldStatus, newStatus } = event
    event.settle(
      this.cacheWrites.invalidate({
        keys: [invoiceKey(tenantId, invoiceId), revenueKey(tenantId)],
        tags: listTagsOf(tenantId, [customerId], [oldStatus, newStatus]),
      }),
    )
  }
}

/** All invoices that had the status, by one tag, however many there are; and both statuses' lists. */
@EventsHandler(InvoicesStatusChanged)
export class InvalidateOnInvoicesStatusChanged implements IEventHandler<InvoicesStatusChanged> {
  constructor(private readonly cacheWrites: CacheWrites) {}

  handle(event: InvoicesStatusChanged): void {
    const { tenantId, oldStatus, newStatus, customerIds } = event
    event.settle(
      this.cacheWrites.invalidate({
        keys: [revenueKey(tenantId)],
        tags: [statusTag(tenantId, oldStatus), ...listTagsOf(tenantId, customerIds, [oldStatus, newStatus])],
      }),
    )
  }
}

/** All invoices of the customer, by one tag, and every list that they may have stood in. */
@EventsHandler(CustomerDeleted)
export class InvalidateOnCustomerDeleted implements IEventHandler<CustomerDeleted> {
  constructor(private readonly cacheWrites: CacheWrites) {}

  handle(event: CustomerDeleted): void {
    const { tenantId, customerId } = event
    event.settle(
      this.cacheWrites.invalidate({
        keys: [revenueKey(tenantId)],
        tags: [customerTag(tenantId, customerId), ...listTagsOf(tenantId, [customerId], invoiceStatus.options)],
      }),
    )
  }
}
