import type { ExecutionContext } from '@nestjs/common'

/** What a response of Express and a reply of Fastify have in common. */
export interface HttpReply {
  header(name: string, value: string): unknown
  /** Express': ends the response. */
  json?(body: unknown): unknown
  readonly headersSent?: boolean
  /** Fastify's: the response of Node. */
  readonly raw?: { readonly headersSent: boolean }
}

/** In how many seconds a request is worth another try while a server is away: that needs a failover or a restart. */
export const RETRY_AFTER_S = 5

/** Undefined: there is none, or it has begun and can't be told more. */
export function httpReplyOf(context: ExecutionContext): HttpReply | undefined {
  if (context.getType() !== 'http') return undefined
  const response = context.switchToHttp().getResponse<Partial<HttpReply> | null | undefined>()
  if (typeof response?.header !== 'function') return undefined
  return (response.raw ?? response).headersSent === true ? undefined : (response as HttpReply)
}

/**
 * Headers of a refusal. Nest sends the body of an HttpException as JSON, of the type that the response has by then.
 *
 * But on Express the adapter of Nest 11 takes another type than `application/json` for a mistake: it puts its own in its place, and warns of it at
 * each response. So there the type is set behind its back, when a problem leaves; what a filter of the application answers instead keeps its own.
 */
export function announceProblem(response: HttpReply, headers: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(headers)) response.header(name, value)
  response.header('Cache-Control', 'no-store')
  const { json } = response
  if (json === undefined) {
    response.header('Content-Type', PROBLEM)
    return
  }
  response.json = (body) => {
    if (isProblem(body)) response.header('Content-Type', PROBLEM)
    return json.call(response, body)
  }
}

const PROBLEM = 'application/problem+json; charset=utf-8'

/** RFC 9457. */
function isProblem(body: unknown): boolean {
  return typeof body === 'object' && body !== null && 'type' in body && 'title' in body && 'status' in body
}
