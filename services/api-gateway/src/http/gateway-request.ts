import type { IncomingMessage, ServerResponse } from 'node:http'
import type { TraceContext } from './trace-context.js'

/** Who asks, as the token says. */
export interface Caller {
  /** The token's `sub`. Printable ASCII without spaces: it travels in a header. */
  readonly id: string
  readonly tenantId: string
  readonly roles: readonly string[]
}

/** A request of Express, as far as the gateway looks at it, and what the gateway's own middleware leaves on it. */
export interface GatewayRequest extends IncomingMessage {
  readonly method: string
  /** The URL as it came. */
  readonly originalUrl: string
  /** `https` where TLS ends here, or at a proxy that is trusted. */
  readonly protocol: string
  /** The sender's address: the socket's, or what a proxy says that is trusted. */
  readonly ip?: string
  /** Undefined: nobody, or somebody whose token can't be believed. */
  user?: Caller
  /** Why the token that came with the request is not believed, in words for its sender. */
  tokenFault?: string
  /** Why nobody can say whether it is to be believed, in words for its sender. */
  undecided?: string
  /** Names this request in the logs of all services; the client's own, or a new one. */
  requestId?: string
  trace?: TraceContext
}

export type GatewayResponse = ServerResponse

/** A header that came; several lines of one name are one text. */
export function headerOf({ headers }: Pick<IncomingMessage, 'headers'>, name: string): string | undefined {
  const value = headers[name]
  return Array.isArray(value) ? value.join(', ') : value
}
