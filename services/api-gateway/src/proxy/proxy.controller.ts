import { pipeline } from 'node:stream/promises'
import {
  All,
  Controller,
  Inject,
  Logger,
  MethodNotAllowedException,
  NotImplementedException,
  PayloadTooLargeException,
  Req,
  Res,
} from '@nestjs/common'
import { ApiExcludeController } from '@nestjs/swagger'
import { callerOf } from '../auth/signed-in.guard.js'
import { GATEWAY_CONFIG, type GatewayConfig } from '../config.js'
import type { GatewayRequest, GatewayResponse } from '../http/gateway-request.js'
import { PlanLimited } from '../limits/plan-limited.decorator.js'
import { ServiceWrites } from '../routes/service-writes.js'
import { hasBody, passedAnswerHeaders, passedRequestHeaders } from './passed-headers.js'
import { Services } from './services.js'
import { targetOf } from './target-path.js'
import { SAFE } from './upstream.js'

const METHODS = [...SAFE, 'POST', 'PUT', 'PATCH', 'DELETE']

/**
 * Everything that has no route of its own: handed to the service that its first segment names, and what the service answers handed back, both as
 * they come and neither kept in memory. When the client leaves, the service's work is cancelled.
 */
@ApiExcludeController()
@Controller()
@PlanLimited()
export class ProxyController {
  private readonly logger = new Logger('Proxy')

  constructor(
    @Inject(Services) private readonly services: Services,
    @Inject(ServiceWrites) private readonly writes: ServiceWrites,
    @Inject(GATEWAY_CONFIG) private readonly config: GatewayConfig,
  ) {}

  @All('{*path}')
  async forward(@Req() request: GatewayRequest, @Res() response: GatewayResponse): Promise<void> {
    const client = new Client(request, response, this.config.maxBodyBytes)
    try {
      const { service, upstream, target, traits } = this.services.destinationOf(targetOf(request.originalUrl))
      const tenantId = traits.open.includes(target.path) ? undefined : callerOf(request, response).tenantId
      checkMethod(request, response)
      client.checkBody()
      const open = () =>
        upstream.open({
          method: request.method,
          target: target.path + target.query,
          headers: passedRequestHeaders(request, traits),
          signal: client.signal,
          ...(hasBody(request) ? { body: request } : {}),
        })
      const changes = traits.isCached && !SAFE.has(request.method) && !traits.questions.includes(target.path)
      const answer = await (changes && tenantId !== undefined ? this.writes.around(tenantId, service, open) : open())
      // Without the service's words for the status: nobody reads them, and those that Node does not write would be an error of the gateway's.
      response.writeHead(answer.statusCode ?? 502, passedAnswerHeaders(answer.headers))
      // Of an unknown length: perhaps nothing comes for a while that the head could travel with.
      if (answer.headers['content-length'] === undefined) response.flushHeaders()
      await pipeline(answer, response)
    } catch (error) {
      client.end()
      if (client.isGone) return
      if (!response.headersSent) throw error
      // Cut off, which is all that can be said to a client that has the head already.
      response.destroy()
      this.logger.warn(`an answer broke off: ${error instanceof Error ? error.message : String(error)}`)
    }
  }
}

function checkMethod({ method }: GatewayRequest, response: GatewayResponse): void {
  if (METHODS.includes(method)) return
  response.setHeader('Allow', METHODS.join(', '))
  throw new MethodNotAllowedException(`The method must be one of ${METHODS.join(', ')}`)
}

/** The sender of a request: how much it may send, and whether it is still there. */
class Client {
  private readonly controller = new AbortController()
  private bytes = 0
  isGone = false

  constructor(
    private readonly request: GatewayRequest,
    private readonly response: GatewayResponse,
    private readonly maxBodyBytes: number,
  ) {
    const leave = (): void => {
      this.isGone = true
      this.controller.abort()
    }
    if (response.destroyed) leave()
    else response.once('close', () => void (response.writableFinished || leave()))
  }

  /** Fires when the client has left, or has sent too much; its reason is the answer then. */
  get signal(): AbortSignal {
    return this.controller.signal
  }

  /** @throws PayloadTooLargeException, NotImplementedException at once when the headers say so; else the signal fires when it turns out */
  checkBody(): void {
    const { 'content-length': length, 'transfer-encoding': coding } = this.request.headers
    if (coding !== undefined && coding.toLowerCase() !== 'chunked') {
      throw new NotImplementedException('The body must be sent with Content-Length, or chunked and nothing else')
    }
    if (length !== undefined && Number(length) > this.maxBodyBytes) throw this.tooLarge()
    if (coding === undefined) return
    this.request.on('data', (chunk: Buffer) => {
      this.bytes += chunk.length
      if (this.bytes <= this.maxBodyBytes) return
      this.controller.abort(this.tooLarge())
      // Answered before its end, it might go on for ever.
      if (this.response.writableFinished) this.request.destroy()
    })
  }

  /** It got no answer of the service: the service's work ends, and the connection does with the answer, rather than wait for the rest of a body. */
  end(): void {
    this.controller.abort()
    if (!this.request.complete && !this.response.headersSent) this.response.setHeader('Connection', 'close')
  }

  private tooLarge(): PayloadTooLargeException {
    return new PayloadTooLargeException(`The body must be ${this.maxBodyBytes} bytes at most`)
  }
}
