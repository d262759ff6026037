import type { IncomingHttpHeaders, IncomingMessage, OutgoingHttpHeaders } from 'node:http'
import { BadGatewayException, Inject, Injectable } from '@nestjs/common'
import { callerOf } from '../auth/signed-in.guard.js'
import type { GatewayRequest, GatewayResponse } from '../http/gateway-request.js'
import { contextHeaders, passedAnswerHeaders, tenantHeaders, userHeaders } from '../proxy/passed-headers.js'
import type { ServiceName } from '../proxy/service-names.js'
import { Services } from '../proxy/services.js'

/** Who will be given the answer, and so all that the service is told of who asks. */
export type Audience = 'everybody' | 'tenant' | 'user'

/** What a cached read asks for. */
export interface ServiceRead {
  readonly service: ServiceName
  /** Path and query as the service is asked for them. */
  readonly target: string
  readonly for: Audience
}

/** The toolkit stores less than that anyway. */
const MOST_BYTES = 8 * 1_048_576

/**
 * Reads of services whose answers are cached, and so given to others than the one who asks: the service is told of the request what the cache
 * tells apart, and nothing else. No header of the client's reaches it, so none can be answered to somebody else.
 *
 * A client that leaves does not cancel such a read: others may be waiting for it, here and in other processes, and who comes next is served by it.
 */
@Injectable()
export class ServiceReads {
  constructor(@Inject(Services) private readonly services: Services) {}

  /**
   * What the service answers, with its status and headers set on the response: data of JSON, else its text.
   * @throws BadGatewayException it broke off, is too long, or is no JSON although it says so; as `Upstream.open`
   */
  async read(read: ServiceRead, request: GatewayRequest, response: GatewayResponse): Promise<unknown> {
    const answer = await this.services.get(read.service).open({
      // A HEAD is answered with the length that a GET would have.
      method: 'GET',
      target: read.target,
      headers: { ...aboutCaller(read.for, request, response), ...contextHeaders(request), ...ASKED_FOR },
    })
    const text = await textOf(answer)
    const data = isJson(answer.headers) && text !== '' ? dataOf(text) : text
    response.statusCode = answer.statusCode ?? 502
    for (const [name, value] of Object.entries(storedHeaders(answer.headers)))
      if (value !== undefined) response.setHeader(name, value)
    return data
  }
}

const ASKED_FOR: OutgoingHttpHeaders = { accept: 'application/json', 'accept-encoding': 'identity' }

function aboutCaller(audience: Audience, request: GatewayRequest, response: GatewayResponse): OutgoingHttpHeaders {
  if (audience === 'everybody') return {}
  const caller = callerOf(request, response)
  return audience === 'tenant' ? tenantHeaders(caller) : userHeaders(caller)
}

/** The body is written anew from its data, so its length and its tag are the gateway's; `X-Cache` says what the gateway's cache did. */
function storedHeaders(headers: IncomingHttpHeaders): OutgoingHttpHeaders {
  const {
    'content-length': _length,
    etag: _etag,
    'x-cache': _cache,
    date: _date,
    ...others
  } = passedAnswerHeaders(headers)
  return others
}

const isJson = (headers: IncomingHttpHeaders): boolean =>
  /^application\/([\w.-]+\+)?json\b/i.test(headers['content-type'] ?? '')

/** What is no object or list is sent as it came: Nest takes a text for one, and null for nothing. @throws BadGatewayException it is no JSON */
function dataOf(text: string): unknown {
  try {
    const data: unknown = JSON.parse(text)
    return typeof data === 'object' && data !== null ? data : text
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    throw new BadGatewayException('The answer of the service is not the JSON that it says it is')
  }
}

/** @throws BadGatewayException it broke off, or goes on for ever */
async function textOf(answer: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let bytes = 0
  try {
    for await (const chunk of answer as AsyncIterable<Buffer>) {
      chunks.push(chunk)
      bytes += chunk.length
      if (bytes > MOST_BYTES) break
    }
  } catch (error) {
    throw new BadGatewayException('The answer of the service broke off', { cause: error })
  }
  if (bytes > MOST_BYTES) throw new BadGatewayException('The answer of the service is too long')
  return Buffer.concat(chunks).toString()
}
