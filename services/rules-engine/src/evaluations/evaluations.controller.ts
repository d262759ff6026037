import { Body, Controller, HttpCode, Post } from '@nestjs/common'
import { ApiOperation, ApiTags } from '@nestjs/swagger'
import { CachedRead, CurrentTenant, type Tenant, TenantScoped } from '@vextrus/service-kit'
import { z } from 'zod'
import {
  type Evaluation,
  evaluationBatch,
  type EvaluationInput,
  evaluationInput,
  evaluationSchema,
} from './evaluation.schemas.js'
import { Evaluator } from './evaluator.js'

@ApiTags('evaluations')
@Controller('evaluations')
@TenantScoped()
export class EvaluationsController {
  constructor(private readonly evaluator: Evaluator) {}

  @Post()
  @HttpCode(200)
  @ApiOperation({ summary: 'The outcomes of the rules of a subject that hold for some facts' })
  @CachedRead(evaluationSchema)
  evaluate(
    @CurrentTenant() tenant: Tenant,
    @Body({ schema: evaluationInput }) input: EvaluationInput,
  ): Promise<Evaluation> {
    return this.evaluator.evaluate(tenant.id, input)
  }

  @Post('batch')
  @HttpCode(200)
  @ApiOperation({ summary: 'Up to 200 evaluations, answered in their order' })
  @CachedRead(z.array(evaluationSchema))
  evaluateMany(
    @CurrentTenant() tenant: Tenant,
    @Body({ schema: evaluationBatch }) { evaluations }: z.infer<typeof evaluationBatch>,
  ): Promise<Evaluation[]> {
    return this.evaluator.evaluateMany(tenant.id, evaluations)
  }
}
