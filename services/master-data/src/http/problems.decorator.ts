import { applyDecorators } from '@nestjs/common'
import { ApiResponse } from '@nestjs/swagger'
import { problemSchema } from './problem.filter.js'

/** Documents the error answers of an endpoint. */
export const ApiProblems = (problems: Readonly<Record<number, string>>): MethodDecorator & ClassDecorator =>
  applyDecorators(
    ...Object.entries(problems).map(([status, description]) =>
      ApiResponse({ status: Number(status), description, standardSchema: problemSchema }),
    ),
  )
