import { Module } from '@nestjs/common'
import { RulesModule } from '../rules/rules.module.js'
import { EvaluationsController } from './evaluations.controller.js'
import { Evaluator } from './evaluator.js'

@Module({ imports: [RulesModule], controllers: [EvaluationsController], providers: [Evaluator] })
export class EvaluationsModule {}
