import { BadRequestException, StandardSchemaValidationPipe } from '@nestjs/common'
import type { InputFault } from './problem.filter.js'

/** Checks parameters that name a `schema` and hands on what the schema made of them; the answer to bad input names every fault. */
export function validationPipe(): StandardSchemaValidationPipe {
  return new StandardSchemaValidationPipe({
    exceptionFactory: (issues) => {
      const errors = issues.map((issue): InputFault => ({
        path: (issue.path ?? []).map((part) => String(typeof part === 'object' ? part.key : part)).join('.'),
        message: issue.message,
      }))
      const detail = errors.map(({ path, message }) => (path === '' ? message : `${path}: ${message}`)).join('; ')
      return new BadRequestException({ message: detail, errors })
    },
  })
}
