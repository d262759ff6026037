import { Module } from '@nestjs/common'
import { TypeOrmModule } from '@nestjs/typeorm'
import { InvalidateRuleLists } from './rule-invalidation.handlers.js'
import { RuleSets } from './rule-sets.js'
import { RuleCommands } from './rule.commands.js'
import { Rule } from './rule.entity.js'
import { RuleQueries } from './rule.queries.js'
import { RulesController } from './rules.controller.js'

@Module({
  imports: [TypeOrmModule.forFeature([Rule])],
  controllers: [RulesController],
  providers: [RuleSets, RuleQueries, RuleCommands, InvalidateRuleLists],
  exports: [RuleSets],
})
export class RulesModule {}
