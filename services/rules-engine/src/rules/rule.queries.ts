import { Injectable, NotFoundException } from '@nestjs/common'
import { InjectRepository } from '@nestjs/typeorm'
import { type Page, tenantTag } from '@vextrus/service-kit'
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
    const { subject, page, pageSize } = query
    return this.cache.getOrSet(
      ruleListKey(tenantId, query),
      async () => {
        const [rules, total] = await this.rules.findAndCount({
          where: { tenantId, ...(subject === undefined ? {} : { subject }) },
          order: { subject: 'ASC', priority: 'DESC', id: 'ASC' },
          skip: (page - 1) * pageSize,
          take: pageSize,
        })
        return { items: rules.map(ruleView), page, pageSize, total }
      },
      { ttl: this.presets.getTTL(CachePattern.QUERY), tags: [tenantTag(tenantId), ruleListsTag(tenantId)] },
    )
  }
}
