import { Command, Query } from '@nestjs/cqrs'
import { DomainEvent, type Page, type PageQuery, type Tenant } from '@vextrus/service-kit'
import type { CustomerChanges, CustomerInput, CustomerView } from './customer.schemas.js'

/** The queries and commands that customers understand, and the events that come of them. */

export class GetCustomer extends Query<CustomerView> {
  constructor(
    readonly tenantId: string,
    readonly id: number,
  ) {
    super()
  }
}

export class ListCustomers extends Query<Page<CustomerView>> {
  constructor(
    readonly tenantId: string,
    readonly page: PageQuery,
  ) {
    super()
  }
}

export class CreateCustomer extends Command<CustomerView> {
  constructor(
    readonly tenant: Tenant,
    readonly input: CustomerInput,
  ) {
    super()
  }
}

export class UpdateCustomer extends Command<CustomerView> {
  constructor(
    readonly tenantId: string,
    readonly id: number,
    readonly changes: CustomerChanges,
  ) {
    super()
  }
}

export class DeleteCustomer extends Command<void> {
  constructor(
    readonly tenantId: string,
    readonly id: number,
  ) {
    super()
  }
}

/** A customer was added or changed. */
export class CustomerUpdated extends DomainEvent {
  /** @param version of the row that was committed */
  constructor(
    readonly tenantId: string,
    readonly id: number,
    readonly version: number,
  ) {
    super()
  }
}

export class CustomerDeleted extends DomainEvent {
  constructor(
    readonly tenantId: string,
    readonly id: number,
  ) {
    super()
  }
}
