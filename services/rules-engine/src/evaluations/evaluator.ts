import { Injectable } from '@nestjs/common'
import { compile, type Predicate } from '../conditions/compile.js'
import type { Facts } from '../conditions/condition.js'
import { type RuleSet, RuleSets } from '../rules/rule-sets.js'
import type { Evaluation, EvaluationInput } from './evaluation.schemas.js'

/** Answers which rules of a subject hold for some facts. */
@Injectable()
export class Evaluator {
  /** By the identity of the rule set: while the process's memory answers with the same frozen object, its conditions are compiled once. */
  private readonly compiled = new WeakMap<RuleSet, readonly Predicate[]>()

  constructor(private readonly ruleSets: RuleSets) {}

  async evaluate(tenantId: string, { subject, facts }: EvaluationInput): Promise<Evaluation> {
    return this.applied(await this.ruleSets.get(tenantId, subject), facts)
  }

  /** Several evaluations, each subject read once. The answers are in the order of the questions. */
  async evaluateMany(tenantId: string, inputs: readonly EvaluationInput[]): Promise<Evaluation[]> {
    const subjects = [...new Set(inputs.map(({ subject }) => subject))]
    const sets = await Promise.all(subjects.map((subject) => this.ruleSets.get(tenantId, subject)))
    const bySubject = new Map(subjects.map((subject, at) => [subject, sets[at] as RuleSet]))
    return inputs.map(({ subject, facts }) => this.applied(bySubject.get(subject) as RuleSet, facts))
  }

  private applied(ruleSet: RuleSet, facts: Facts): Evaluation {
    const predicates = this.predicatesOf(ruleSet)
    const matches = ruleSet.rules
      .filter((_, at) => predicates[at]?.(facts) === true)
      .map(({ id, name, priority, version, outcome }) => ({ ruleId: id, name, priority, version, outcome }))
    return { subject: ruleSet.subject, evaluated: ruleSet.rules.length, matches }
  }

  private predicatesOf(ruleSet: RuleSet): readonly Predicate[] {
    let predicates = this.compiled.get(ruleSet)
    if (predicates === undefined) {
      predicates = ruleSet.rules.map(({ condition }) => compile(condition))
      this.compiled.set(ruleSet, predicates)
    }
    return predicates
  }
}
