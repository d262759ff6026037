import type { ExecutionContext } from '@nestjs/common'

/** What a response of Express and a reply of Fastify have in common. */
export interface HttpReply {
  header(name: string, value: string): unknown
  readonly headersSent?: boolean
  /** Fastify's: the response of Node. */
  readonly raw?: { readonly headersSent: boolean }
}

/** Undefined: there is none, or it has begun and can't be told more. */
export function httpReplyOf(context: ExecutionContext): HttpReply | undefined {
  if (context.getType() !== 'http') return undefined
  const response = context.switchToHttp().getResponse<Partial<HttpReply> | null | undefined>()
  if (typeof response?.header !== 'function') return undefined
  return (response.raw ?? response).headersSent === true ? undefined : (response as HttpReply)
}

/** Headers of a refusal. Nest sends the body of an HttpException as JSON, of the type that the response has by then. */
export function announceProblem(response: HttpReply, headers: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(headers)) response.header(name, value)
  response.header('Content-Type', 'application/problem+json; charset=utf-8')
  response.header('Cache-Control', 'no-store')
}
