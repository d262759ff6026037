import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http'
import { type Caller, type GatewayRequest, headerOf } from '../http/gateway-request.js'
import { REQUEST_ID } from '../http/request-context.middleware.js'
import type { ServiceTraits } from './service-names.js'

/** By which the services know whose data is meant. The gateway alone says it. */
export const TENANT = 'x-tenant-id'

/** Of one connection, not of the message: RFC 9110, 7.6.1. */
const HOP_BY_HOP = [
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]

/**
 * What the gateway says itself, or nobody, whatever the client said. The token is passed on to the service that made it alone: the
 * others believe the gateway, and what they don't get they can't lose. `Expect` was answered by the gateway's own server.
 */
const OF_THE_GATEWAY = [
  TENANT,
  'x-user-id',
  'x-user-roles',
  REQUEST_ID,
  'traceparent',
  'tracestate',
  'authorization',
  'forwarded',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto',
  'x-real-ip',
  'host',
  'expect',
]

const DROPPED_REQUEST = new Set([...HOP_BY_HOP, ...OF_THE_GATEWAY])
const DROPPED_ANSWER = new Set([...HOP_BY_HOP, REQUEST_ID])

/** Headers of a client's request as its service gets them: all that are about the message, and who asks. The token only where it was made. */
export function passedRequestHeaders(
  request: GatewayRequest,
  { getsToken }: Pick<ServiceTraits, 'getsToken'>,
): OutgoingHttpHeaders {
  const token = getsToken ? headerOf(request, 'authorization') : undefined
  return {
    ...passed(request.headers, DROPPED_REQUEST),
    ...framing(request),
    ...(request.user && userHeaders(request.user)),
    ...(token === undefined ? {} : { authorization: token }),
    ...contextHeaders(request),
    ...wayHeaders(request),
  }
}

/** Whose data is meant. */
export const tenantHeaders = ({ tenantId }: Caller): OutgoingHttpHeaders => ({ [TENANT]: tenantId })

/** Who asks, of which tenant. */
export const userHeaders = (caller: Caller): OutgoingHttpHeaders => ({
  ...tenantHeaders(caller),
  'x-user-id': caller.id,
  'x-user-roles': caller.roles.join(','),
})

/** What the request belongs to. */
export function contextHeaders({ requestId, trace }: GatewayRequest): OutgoingHttpHeaders {
  return { ...(requestId === undefined ? {} : { [REQUEST_ID]: requestId }), ...trace }
}

/** How the request came to the gateway. */
function wayHeaders(request: GatewayRequest): OutgoingHttpHeaders {
  const host = headerOf(request, 'host')
  return {
    ...(request.ip === undefined ? {} : { 'x-forwarded-for': request.ip }),
    'x-forwarded-proto': request.protocol,
    ...(host === undefined ? {} : { 'x-forwarded-host': host }),
  }
}

/** Headers of a service's answer as the client gets them. */
export function passedAnswerHeaders(headers: IncomingHttpHeaders): OutgoingHttpHeaders {
  return passed(headers, DROPPED_ANSWER)
}

/** Whether a body comes with the request. Without both headers there is none: RFC 9112, 6.3. */
export function hasBody({ headers }: Pick<GatewayRequest, 'headers'>): boolean {
  const { 'content-length': length, 'transfer-encoding': coding } = headers
  return coding !== undefined || (length !== undefined && length !== '0')
}

/**
 * How long the body is, always said here: for methods that usually have none Node would send it without any frame, and what the client wrote
 * into it would be the next request.
 */
function framing(request: GatewayRequest): OutgoingHttpHeaders {
  if (!hasBody(request)) return {}
  const length = request.headers['content-length']
  return length === undefined ? { 'transfer-encoding': 'chunked' } : { 'content-length': length }
}

function passed(headers: IncomingHttpHeaders, dropped: ReadonlySet<string>): OutgoingHttpHeaders {
  const named = new Set((headers.connection ?? '').split(',').map((name) => name.trim().toLowerCase()))
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !dropped.has(name) && !named.has(name)))
}
