import type { OutgoingHttpHeader } from 'node:http'

/** What a request of Express and one of Fastify have in common. */
export interface HttpRequest {
  readonly method: string
  readonly url: string
  /** Express': the URL as it came, when the route stands on a router that cuts it. Fastify's: as it came before a rewrite. */
  readonly originalUrl?: string
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly query?: unknown
  readonly protocol?: string
  readonly hostname?: string
}

/** What a response of Express and a reply of Fastify have in common, and the Node response below. */
export interface HttpResponse {
  readonly statusCode: number
  getHeaders(): Record<string, OutgoingHttpHeader | undefined>
  header(name: string, value: OutgoingHttpHeader): unknown
  /** Fastify's. */
  readonly raw?: NodeResponse
}

interface NodeResponse {
  readonly headersSent: boolean
  readonly destroyed: boolean
  once(event: 'close', listener: () => void): unknown
}

/** Headers by name, in lower case. */
export type StoredHeaders = Readonly<Record<string, OutgoingHttpHeader>>

/**
 * One request and its response, on Express or Fastify.
 *
 * It knows which headers were there before the handler ran: those are of this request – CORS, a request id, a nonce – and whoever sets them
 * does so for every request. What the handler adds is part of its answer.
 */
export class HttpExchange {
  private readonly before: Readonly<Record<string, OutgoingHttpHeader | undefined>>
  private readonly node: NodeResponse

  constructor(
    readonly request: HttpRequest,
    private readonly response: HttpResponse,
  ) {
    this.before = { ...response.getHeaders() }
    this.node = response.raw ?? (response as unknown as NodeResponse)
  }

  /** A header of the request; several lines of one name are one text. */
  requestHeader(name: string): string | undefined {
    const value = this.request.headers[name]
    return Array.isArray(value) ? value.join(', ') : value
  }

  /** Sets what the client is told of the cache. */
  say(state: 'HIT' | 'MISS' | 'BYPASS'): void {
    if (!this.node.headersSent) this.response.header('X-Cache', state)
  }

  /** Adds these request headers to `Vary`, for the caches on the way to the client. */
  vary(names: readonly string[]): void {
    const known = tokensOf(this.response.getHeaders()['vary'])
    const added = names.filter((name) => !known.includes(name))
    if (added.length > 0) this.response.header('Vary', [...known, ...added].join(', '))
  }

  /** Headers that the handler set. */
  handlerHeaders(): StoredHeaders {
    const added: Record<string, OutgoingHttpHeader> = {}
    for (const [name, value] of Object.entries(this.response.getHeaders())) {
      if (value !== undefined && !OF_THE_CONNECTION.has(name) && String(value) !== String(this.before[name]))
        added[name] = value
    }
    return added
  }

  replay(headers: StoredHeaders): void {
    // A list of its own: the framework may add to it, and a hit of L1 may be everybody's.
    for (const [name, value] of Object.entries(headers))
      this.response.header(name, Array.isArray(value) ? [...value] : value)
  }

  /**
   * Whether the answer, as it stands after the handler, may be given to others: status 200, no cookie, not declared private or fresh, not yet
   * under way, and not varying by a header that is not among `vary`.
   */
  isShareable(vary: readonly string[]): boolean {
    const headers = this.response.getHeaders()
    const varying = tokensOf(headers['vary']).filter((name) => !tokensOf(this.before['vary']).includes(name))
    return (
      this.response.statusCode === 200 &&
      !this.node.headersSent &&
      headers['set-cookie'] === undefined &&
      !hasParkedCookies(this.response) &&
      !UNSHARED.test(String(headers['cache-control'] ?? '')) &&
      varying.every((name) => vary.includes(name))
    )
  }

  /**
   * Whether `body` is what is sent in the end, and not something that an interceptor further out made of it. Never sent, the client is gone:
   * false.
   */
  sends(body: unknown): Promise<boolean> {
    // Where Nest's adapters hand over an object.
    const method = this.response.raw === undefined ? 'json' : 'send'
    const response = this.response as unknown as Record<string, (...args: unknown[]) => unknown>
    const send = response[method]!
    return new Promise((resolve) => {
      if (this.node.destroyed) return resolve(false)
      const restore = replaceMethod(response, method, function (this: unknown, ...args) {
        restore()
        resolve(args[0] === body)
        return send.apply(this, args)
      })
      this.node.once('close', () => resolve(false))
    })
  }
}

/** Of this transfer, not of the answer; the framework sets them anew. */
const OF_THE_CONNECTION: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'date',
  'keep-alive',
  'transfer-encoding',
  'x-cache',
])

const UNSHARED = /(?:^|[\s,])(?:no-store|no-cache|private)(?:$|[\s,=])/i

function tokensOf(header: OutgoingHttpHeader | undefined): string[] {
  return String(header ?? '')
    .toLowerCase()
    .split(',')
    .map((token) => token.trim())
    .filter((token) => token !== '')
}

/** `@fastify/cookie` keeps what `setCookie` was given in a map of its own and makes the header of it only when the reply is sent. */
function hasParkedCookies(response: object): boolean {
  return Object.getOwnPropertySymbols(response).some((symbol) => {
    if (symbol.description !== 'fastify.reply.setCookies') return false
    const parked = (response as Record<symbol, unknown>)[symbol]
    return parked instanceof Map && parked.size > 0
  })
}

/** Until the answer of this is called. */
function replaceMethod(
  object: Record<string, unknown>,
  name: string,
  replacement: (this: unknown, ...args: unknown[]) => unknown,
): () => void {
  const own = Object.getOwnPropertyDescriptor(object, name)
  object[name] = replacement
  return () => {
    if (own === undefined) delete object[name]
    else Object.defineProperty(object, name, own)
  }
}
