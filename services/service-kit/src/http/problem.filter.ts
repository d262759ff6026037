import { type ArgumentsHost, Catch, type ExceptionFilter, HttpException, Logger } from '@nestjs/common'
import { HttpAdapterHost } from '@nestjs/core'
import { z } from 'zod'
import { isDatabaseAway } from '../database/database-away.js'

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

/** Before it is worth another try, seconds, where an error says nothing of it: a database needs a failover or a restart. */
const RETRY_AFTER_S = 5
/** An outage is told so often, and not by every request. */
const TELL_EVERY_MS = 10_000

/**
 * Answers every error as `application/problem+json`. What was not expected is logged and answered without its details; a database that is away is
 * 503. Each 503 has a `Retry-After`.
 */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  private readonly logger = new Logger('Http')
  private toldAt = -Infinity

  constructor(private readonly adapterHost: HttpAdapterHost) {}

  catch(error: unknown, host: ArgumentsHost): void {
    const { httpAdapter } = this.adapterHost
    const response: unknown = host.switchToHttp().getResponse()
    const status = statusOf(error)
    if (status === 500) this.logger.error(error instanceof Error ? (error.stack ?? error.message) : String(error))
    if (error instanceof Error && isOutage(error)) this.tellOutage(error)
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
    if (status === 503 && httpAdapter.getHeader(response, 'Retry-After') === undefined) {
      httpAdapter.setHeader(response, 'Retry-After', String(RETRY_AFTER_S))
    }
    httpAdapter.reply(response, ownProblemOf(error) ?? problem, status)
  }

  private tellOutage({ message }: Error): void {
    const now = performance.now()
    if (now - this.toldAt < TELL_EVERY_MS) return
    this.toldAt = now
    this.logger.warn(`The database is away, and requests that need it are answered with 503: ${message}`)
  }
}

/** What a handler has thrown for its client is not looked into. */
function isOutage(error: unknown): boolean {
  return !(error instanceof HttpException) && isDatabaseAway(error)
}

/** An error that says of itself what the answer is, as a refused limit does. */
function ownProblemOf(error: unknown): object | undefined {
  const body = error instanceof HttpException ? error.getResponse() : undefined
  return typeof body === 'object' && 'type' in body && 'title' in body ? body : undefined
}

function detailOf(error: unknown, status: number): string {
  if (status === 500 || !(error instanceof Error)) return 'The request could not be answered'
  // What the driver says names hosts.
  if (isOutage(error)) return 'The database is away at the moment: try again later'
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

/** Nest's own errors, a database that is away, and errors of Express's body parser, which carry a `status`. */
function statusOf(error: unknown): number {
  if (error instanceof HttpException) return error.getStatus()
  if (isOutage(error)) return 503
  const status: unknown = error instanceof Error && 'status' in error ? error.status : undefined
  return typeof status === 'number' && status >= 400 && status < 500 ? status : 500
}

function faultsOf(error: HttpException): readonly InputFault[] | undefined {
  const body = error.getResponse()
  return typeof body === 'object' && 'errors' in body ? (body.errors as InputFault[]) : undefined
}
