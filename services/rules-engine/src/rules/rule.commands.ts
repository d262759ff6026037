import { Injectable, NotFoundException } from '@nestjs/common'
import { InjectDataSource } from '@nestjs/typeorm'
import { CacheWrites, DomainEvents, explained, lockedRow, removedRow } from '@vextrus/service-kit'
import { DataSource, Not } from 'typeorm'
import { ruleSetKey, ruleSetsTag } from './rule.cache.js'
import { Rule } from './rule.entity.js'
import { RulesChanged } from './rule.events.js'
import { type RuleChanges, type RuleInput, type RuleSwitch, type RuleView, ruleView } from './rule.schemas.js'

const mistakes = { missing: 'The tenant does not exist', taken: 'The subject has a rule of this name already' }

/**
 * Writes of rules. Each has the invalidation of the rule sets that it touches around it (`CacheWrites.around`): when it is answered, no process
 * evaluates the rules from before any more, and a crash half-way leaves a miss and no old rules.
 */
@Injectable()
export class RuleCommands {
  constructor(
    private readonly cacheWrites: CacheWrites,
    private readonly events: DomainEvents,
    @InjectDataSource() private readonly dataSource: DataSource,
  ) {}

  /** @throws ConflictException the name is taken */
  async create(tenantId: string, input: RuleInput): Promise<RuleView> {
    const rules = this.dataSource.getRepository(Rule)
    return this.changing(tenantId, input.subject, async () =>
      ruleView(await rules.save(rules.create({ ...input, tenantId }))),
    )
  }

  /** @throws NotFoundException @throws ConflictException the rule has another version by now, or the name is taken */
  async update(tenantId: string, id: number, { version, ...changes }: RuleChanges): Promise<RuleView> {
    return this.changing(tenantId, await this.subjectOf(tenantId, id), () =>
      this.dataSource.transaction(async (transaction) => {
        const row = await lockedRow(transaction, Rule, { tenantId, id }, `Rule ${id}`, version)
        return ruleView(await transaction.save(Object.assign(row, changes)))
      }),
    )
  }

  /** @throws NotFoundException @throws ConflictException the rule has another version than the one that was named */
  async delete(tenantId: string, id: number, version: number | undefined): Promise<void> {
    await this.changing(tenantId, await this.subjectOf(tenantId, id), () =>
      removedRow(this.dataSource, Rule, { tenantId, id }, `Rule ${id}`, version),
    )
  }

  /** Turns all rules of a subject, or of the tenant, on or off: one statement, and one tag for whatever is cached of them. */
  async switch(tenantId: string, { enabled, subject }: RuleSwitch): Promise<number> {
    return this.changing(tenantId, subject, async () => {
      const { affected } = await this.dataSource
        .createQueryBuilder()
        .update(Rule)
        .set({ enabled, version: () => 'version + 1', updatedAt: () => 'now()' })
        .where({ tenantId, enabled: Not(enabled), ...(subject === undefined ? {} : { subject }) })
        .execute()
      return affected ?? 0
    })
  }

  /** @param subject whose rules are written; undefined: all of the tenant's */
  private async changing<T>(tenantId: string, subject: string | undefined, write: () => Promise<T>): Promise<T> {
    const targets =
      subject === undefined ? { tags: [ruleSetsTag(tenantId)] } : { keys: [ruleSetKey(tenantId, subject)] }
    const written = await explained(this.cacheWrites.around(targets, write), mistakes)
    await this.events.publish(new RulesChanged(tenantId))
    return written
  }

  /** It is the rule's for ever, so it may be read before the hold is placed. */
  private async subjectOf(tenantId: string, id: number): Promise<string> {
    const rule = await this.dataSource
      .getRepository(Rule)
      .findOne({ select: { id: true, subject: true }, where: { tenantId, id } })
    if (rule === null) throw new NotFoundException(`Rule ${id} was not found`)
    return rule.subject
  }
}
