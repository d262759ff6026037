import { EventsHandler, type IEventHandler } from '@nestjs/cqrs'
import { CacheWrites } from '@vextrus/service-kit'
import { ruleListsTag } from './rule.cache.js'
import { RulesChanged } from './rule.events.js'

/** Event-driven invalidation: forgets the pages of rules. What is in force is the writer's matter, who has it held while it writes. */
@EventsHandler(RulesChanged)
export class InvalidateRuleLists implements IEventHandler<RulesChanged> {
  constructor(private readonly cacheWrites: CacheWrites) {}

  handle(event: RulesChanged): void {
    event.settle(this.cacheWrites.invalidate({ tags: [ruleListsTag(event.tenantId)] }))
  }
}
