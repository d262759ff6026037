import { type ArgumentsHost, Catch, type ExceptionFilter, HttpException, Logger } from '@nestjs/common'
import { HttpAdapterHost } from '@nestjs/core'
import { z } from 'zod'

/** One fault of a request's input. */
export interface InputFault {
  /** Where it is: `unitPrice`, `items.0.id`. */
  readonly path: string
  readonly message: string
}

/** An error answer, RFC 9457. */
export const problemSchema = z.object({
  type: z.string().meta({ example: 'about:blank' }),
  title: z.string().meta({ example: 'Not Found' }),
  status: z.number().int().meta({ example: 404 }),
  detail: z.string().meta({ example: 'Product 4711 was not found' }),
  errors: z.array(z.object({ path: z.string(), message: z.string() })).optional(),
})

/** Answers every error as `application/problem+json`. What was not expected is logged and answered without its details. */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  private readonly logger = new Logger('Http')

  constructor(private readonly adapterHost: HttpAdapterHost) {}

  catch(error: unknown, host: ArgumentsHost): void {
    const { httpAdapter } = this.adapterHost
    const response: unknown = host.switchToHttp().getResponse()
    const status = statusOf(error)
    if (status === 500) this.logger.error(error instanceof Error ? (error.stack ?? error.message) : String(error))
    const problem: z.infer<typeof problemSchema> = {
      type: 'about:blank',
      title: titles[status] ?? 'Error',
      status,
      detail: detailOf(error, status),
    }
    const faults = error instanceof HttpException ? faultsOf(error) : undefined
    if (faults !== undefined) problem.errors = [...faults]
    if (httpAdapter.isHeadersSent(response)) return httpAdapter.end(response)
    httpAdapter.setHeader(response, 'Content-Type', 'application/problem+json; charset=utf-8')
    httpAdapter.reply(response, ownProblemOf(error) ?? problem, status)
  }
}

/** An error that says of itself what the answer is, as a refused limit does. */
function ownProblemOf(error: unknown): object | undefined {
  const body = error instanceof HttpException ? error.getResponse() : undefined
  return typeof body === 'object' && 'type' in body && 'title' in body ? body : undefined
}

function detailOf(error: unknown, status: number): string {
  if (status === 500 || !(error instanceof Error)) return 'The request could not be answered'
  // Express's body parser quotes what it could not read, which may be a password.
  if (error.cause instanceof SyntaxError) return 'The body is not valid JSON'
  return error.message
}

const titles: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  408: 'Request Timeout',
  409: 'Conflict',
  413: 'Content Too Large',
  415: 'Unsupported Media Type',
  429: 'Too Many Requests',
  500: 'Internal Server Error',
  501: 'Not Implemented',
  502: 'Bad Gateway',
  503: 'Service Unavailable',
  504: 'Gateway Timeout',
}

/** Nest's own errors, and those of Express's body parser, which carry a `status`. */
function statusOf(error: unknown): number {
  if (error instanceof HttpException) return error.getStatus()
  const status: unknown = error instanceof Error && 'status' in error ? error.status : undefined
  return typeof status === 'number' && status >= 400 && status < 500 ? status : 500
}

function faultsOf(error: HttpException): readonly InputFault[] | undefined {
  const body = error.getResponse()
  return typeof body === 'object' && 'errors' in body ? (body.errors as InputFault[]) : undefined
}
