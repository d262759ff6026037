import { STATUS_CODES } from 'node:http'
import { type ArgumentsHost, Catch, type ExceptionFilter, HttpException, Logger } from '@nestjs/common'
import { type Observable, throwError } from 'rxjs'
import { VextrusError } from '../kernel/errors.js'
import { RETRY_AFTER_S } from './http-reply.js'

/** What a client is told, as `application/problem+json` (RFC 9457). Nothing of the error's message: it names hosts, options and keys. */
export interface VextrusProblem {
  /** `about:blank`: the status says what kind of problem it is. */
  readonly type: 'about:blank'
  /** The status in words. */
  readonly title: string
  readonly status: number
  readonly detail: string
  /** The error's stable code, such as `CACHE_UNAVAILABLE`. */
  readonly code: string
}

/**
 * Answers the toolkit's errors that reach a client; all others are left to Nest and the application's own filters.
 *
 * What passes by itself – Redis is away, a lock was not free in time, a session was changed by others again and again – is 503 with `Retry-After`; a
 * session that has ended while a request worked with it is 401; anything else is 500 and is logged with its stack. Over HTTP, on Express and Fastify, the body is a {@link VextrusProblem}. A GraphQL resolver's error becomes an `HttpException` of that
 * status, which Nest's drivers format; a message handler answers `{ status: 'error', code, message }`, as Nest itself does.
 *
 * @example
 * ```ts
 * @Module({ providers: [{ provide: APP_FILTER, useClass: VextrusExceptionFilter }] })
 * // or: app.useGlobalFilters(new VextrusExceptionFilter())
 * ```
 */
@Catch(VextrusError)
export class VextrusExceptionFilter implements ExceptionFilter<VextrusError> {
  private readonly logger = new Logger('VextrusExceptionFilter')

  /** Called by Nest. */
  catch(error: VextrusError, host: ArgumentsHost): Observable<never> | void {
    const problem = problemOf(error)
    // An outage is reported once by the connection, not by every request.
    if (problem.status === 500) this.logger.error(`${error.code}: ${error.message}`, error.stack)
    switch (host.getType<string>()) {
      case 'http':
        return answer(host.switchToHttp().getResponse<HttpReply>(), problem, standingOf(error).retryAfter)
      case 'rpc':
        return throwError(() => messageOf(problem))
      case 'ws':
        host.switchToWs().getClient<{ emit(event: string, data: object): void }>().emit('exception', messageOf(problem))
        return
      default:
        throw new HttpException({ ...problem, message: problem.detail }, problem.status, { cause: error })
    }
  }
}

/** How an error is answered. */
interface Standing {
  readonly status: 401 | 500 | 503
  readonly detail: string
  /** Seconds. */
  readonly retryAfter?: number
}

const FAILED: Standing = { status: 500, detail: 'The server could not complete this request.' }
const LATER = 'Something that this request needs is not available at the moment. Try again later.'
const UNAVAILABLE: Standing = { status: 503, detail: LATER, retryAfter: RETRY_AFTER_S }
/** Others are soon done. */
const BUSY: Standing = { status: 503, detail: LATER, retryAfter: 1 }

const STANDINGS: Readonly<Record<string, Standing>> = {
  LOCK_TIMEOUT: BUSY,
  SESSION_CONFLICT: BUSY,
  // A log-out was faster than a request that had been let pass: nobody's mistake.
  SESSION_NOT_FOUND: { status: 401, detail: 'The session has ended. Log in again.' },
}

/** By code, since the errors belong to capabilities, which this stands below. */
function standingOf({ code }: VextrusError): Standing {
  if (code.endsWith('_UNAVAILABLE')) return UNAVAILABLE
  return Object.hasOwn(STANDINGS, code) ? STANDINGS[code]! : FAILED
}

function problemOf(error: VextrusError): VextrusProblem {
  const { status, detail } = standingOf(error)
  return { type: 'about:blank', title: STATUS_CODES[status] as string, status, detail, code: error.code }
}

function messageOf({ code, detail }: VextrusProblem): { status: 'error'; code: string; message: string } {
  return { status: 'error', code, message: detail }
}

/** What a response of Express and a reply of Fastify have in common. */
interface HttpReply {
  status(code: number): unknown
  header(name: string, value: string): unknown
  send(body: unknown): unknown
  /** Fastify's: the response of Node. */
  readonly raw?: NodeResponse
}

interface NodeResponse {
  readonly headersSent: boolean
  end(): unknown
}

function answer(reply: HttpReply, problem: VextrusProblem, retryAfter: number | undefined): void {
  const raw = reply.raw ?? (reply as unknown as NodeResponse)
  // An answer that has begun can't become another one.
  if (raw.headersSent) {
    raw.end()
    return
  }
  reply.status(problem.status)
  reply.header('Content-Type', 'application/problem+json; charset=utf-8')
  reply.header('Cache-Control', 'no-store')
  if (retryAfter !== undefined) reply.header('Retry-After', String(retryAfter))
  // As text: a serializer or schema that the route has for its own answers does not apply.
  reply.send(JSON.stringify(problem))
}
