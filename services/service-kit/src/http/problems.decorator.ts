import { applyDecorators } from '@nestjs/common'
import { ApiResponse } from '@nestjs/swagger'
import { z } from 'zod'
import { problemSchema } from './problem.filter.js'

const schema = z.toJSONSchema(problemSchema, { target: 'openapi-3.0' }) as object

/** Documents the error answers of an endpoint. */
export const ApiProblems = (problems: Readonly<Record<number, string>>): MethodDecorator & ClassDecorator =>
  applyDecorators(
    ...Object.entries(problems).map(([status, description]) =>
      ApiResponse({ status: Number(status), description, content: { 'application/problem+json': { schema } } }),
    ),
  )
