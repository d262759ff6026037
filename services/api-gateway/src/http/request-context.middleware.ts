import { randomUUID } from 'node:crypto'
import { Injectable, type NestMiddleware } from '@nestjs/common'
import { type GatewayRequest, type GatewayResponse, headerOf } from './gateway-request.js'
import { traceContextOf } from './trace-context.js'

export const REQUEST_ID = 'x-request-id'

/** A name that can stand in a line of a log without being taken for something else. */
const USABLE_ID = /^[\w.:=+/@-]{1,128}$/

/** Gives every request a name and a trace, its own or the client's, and tells the client the name. */
@Injectable()
export class RequestContextMiddleware implements NestMiddleware<GatewayRequest, GatewayResponse> {
  use(request: GatewayRequest, response: GatewayResponse, next: () => void): void {
    const named = headerOf(request, REQUEST_ID)
    request.requestId = named !== undefined && USABLE_ID.test(named) ? named : randomUUID()
    request.trace = traceContextOf(headerOf(request, 'traceparent'), headerOf(request, 'tracestate'))
    response.setHeader(REQUEST_ID, request.requestId)
    next()
  }
}
