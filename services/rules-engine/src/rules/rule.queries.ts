import { Injectable, NotFoundException } from '@nestjs/common'
import { InjectRepository } from '@nestjs/typeorm'
import { type Page, pageFrom, tenantTag } from '@vextrus/service-kit'
import { CachePattern, CacheService, RedisCacheService } from '@vextrus/shared/cache'
import { Repository } from 'typeorm'
import { ruleListKey, ruleListsTag } from './rule.cache.js'
import { Rule } from './rule.entity.js'
import { type RuleListQuery, type RuleView, ruleView } from './rule.schemas.js'

/** Reads for those who edit rules. */
@Injectable()
export class RuleQueries {
  constructor(
    private readonly cache: RedisCacheService,
    private readonly presets: CacheService,
    @InjectRepository(Rule) private readonly rules: Repository<Rule>,
  ) {}

  /** From the database: whoever edits it needs its version of this moment. @throws NotFoundException */
  async get(tenantId: string, id: number): Promise<RuleView> {
    const rule = await this.rules.findOneBy({ tenantId, id })
    if (rule === null) throw new NotFoundException(`Rule ${id} was not found`)
    return ruleView(rule)
  }

  /** A page of rules by subject and priority: a query result, for a minute, or until a rule of the tenant changes. */
  list(tenantId: string, query: RuleListQuery): Promise<Page<RuleView>> {
    const { subject } = query
    const where = { tenantId, ...(subject === undefined ? {} : { subject }) }
    return this.cache.getOrSet(
      ruleListKey(tenantId, query),
      () => pageFrom(this.rules, query, { where, order: { subject: 'ASC', priority: 'DESC', id: 'ASC' } }, ruleView),
      { ttl: this.presets.getTTL(CachePattern.QUERY), tags: [tenantTag(tenantId), ruleListsTag(tenantId)] },
    )
  }
}
