import { DomainEvent } from '@vextrus/service-kit'

/** A customer was deleted, its drafts with it; what it owed was made void. */
export class CustomerDeleted extends DomainEvent {
  constructor(
    readonly tenantId: string,
    readonly customerId: number,
  ) {
    super()
  }
}
