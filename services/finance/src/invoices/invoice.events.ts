import { DomainEvent } from '@vextrus/service-kit'
import type { InvoiceStatus } from './invoice-status.js'

/** A draft was added. */
export class InvoiceCreated extends DomainEvent {
  constructor(
    readonly tenantId: string,
    readonly invoiceId: number,
    readonly customerId: number,
  ) {
    super()
  }
}

/** One invoice was issued, paid or made void. */
export class InvoiceStatusChanged extends DomainEvent {
  constructor(
    readonly tenantId: string,
    readonly invoiceId: number,
    readonly customerId: number,
    readonly oldStatus: InvoiceStatus,
    readonly newStatus: InvoiceStatus,
  ) {
    super()
  }
}

/** Many invoices got another status in one statement. */
export class InvoicesStatusChanged extends DomainEvent {
  /** @param customerIds of the invoices that changed, each once */
  constructor(
    readonly tenantId: string,
    readonly oldStatus: InvoiceStatus,
    readonly newStatus: InvoiceStatus,
    readonly customerIds: readonly number[],
  ) {
    super()
  }
}
