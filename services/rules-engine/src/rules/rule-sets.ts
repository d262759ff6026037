import { Injectable } from '@nestjs/common'
import { InjectRepository } from '@nestjs/typeorm'
import { CachePattern, CacheService, RedisCacheService } from '@vextrus/shared/cache'
import { Repository } from 'typeorm'
import { NO_RULES_TTL, ruleSetKey, ruleSetTags } from './rule.cache.js'
import { Rule } from './rule.entity.js'

/** A rule in force, with what an evaluation needs of it. */
export type ActiveRule = Readonly<Pick<Rule, 'id' | 'name' | 'priority' | 'condition' | 'outcome' | 'version'>>

/** The rules in force of one subject of a tenant, highest priority first. One cache entry. */
export interface RuleSet {
  readonly subject: string
  readonly rules: readonly ActiveRule[]
}

/**
 * What evaluations read. A rule set is asked for thousands of times a second and changed a few times a day: a day in Redis, and in the memory of
 * each process for as long as the module keeps things there; an edit is pushed to all of them.
 */
@Injectable()
export class RuleSets {
  constructor(
    private readonly cache: RedisCacheService,
    private readonly presets: CacheService,
    @InjectRepository(Rule) private readonly rules: Repository<Rule>,
  ) {}

  get(tenantId: string, subject: string): Promise<RuleSet> {
    return this.cache.getOrSet(ruleSetKey(tenantId, subject), () => this.load(tenantId, subject), {
      ttl: ({ rules }) => (rules.length === 0 ? NO_RULES_TTL : this.presets.getTTL(CachePattern.CONFIG)),
      tags: ruleSetTags(tenantId),
    })
  }

  /** Straight from the database. */
  async load(tenantId: string, subject: string): Promise<RuleSet> {
    const rules = await this.rules.find({
      select: { id: true, name: true, priority: true, condition: true, outcome: true, version: true },
      where: { tenantId, subject, enabled: true },
      order: { priority: 'DESC', id: 'ASC' },
    })
    return {
      subject,
      rules: rules.map(({ id, name, priority, condition, outcome, version }) => ({
        id,
        name,
        priority,
        condition,
        outcome,
        version,
      })),
    }
  }
}
