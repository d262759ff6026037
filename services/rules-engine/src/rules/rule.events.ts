import { DomainEvent } from '@vextrus/service-kit'

/** Rules of a tenant came, went or changed. */
export class RulesChanged extends DomainEvent {
  constructor(readonly tenantId: string) {
    super()
  }
}
