import { Agent, type ClientRequest, type IncomingMessage, type OutgoingHttpHeaders, request } from 'node:http'
import { Agent as TlsAgent, request as tlsRequest } from 'node:https'
import {
  BadGatewayException,
  GatewayTimeoutException,
  Logger,
  RequestTimeoutException,
  ServiceUnavailableException,
} from '@nestjs/common'
import type { Readable } from 'node:stream'

/** A request to a service. */
export interface UpstreamRequest {
  readonly method: string
  /** Path and query, as the service is asked for them. Begins with a slash. */
  readonly target: string
  readonly headers: OutgoingHttpHeaders
  /** Undefined: none. The headers say how long it is. It is not destroyed when the request fails: its sender must still be answered. */
  readonly body?: Readable
  /** Ends it, wherever it is; its reason is thrown. */
  readonly signal?: AbortSignal
}

/** More at a time are refused: a service that has become slow is not helped by more, and each costs the gateway a connection. */
const MOST_REQUESTS = 512
/**
 * Streams of events that are open at a time. They last, and cost a connection and no work while nothing happens: counted for themselves, or some
 * hundred browsers that listen would be all that a service can have.
 */
const MOST_STREAMS = 10_000
/** Shorter than services keep theirs (65 s), so that it is mostly the gateway that ends one. */
const IDLE_CONNECTION_MS = 30_000

/** Methods that change nothing: RFC 9110, 9.2.1. */
export const SAFE: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS'])

/**
 * A service behind the gateway, over kept HTTP/1.1 connections. Where it is comes from the configuration alone: a request brings a path, which is
 * never resolved against anything.
 *
 * A request is given up when nothing has moved for a while: no connection comes about, no byte is sent or received.
 */
export class Upstream {
  private readonly agent: Agent
  private readonly send: typeof request
  private readonly logger = new Logger('Upstream')
  private running = 0
  private streams = 0

  /** @param patienceMs for how long nothing may move @param mostRequests that run at a time @param mostStreams of events, beside them */
  constructor(
    readonly name: string,
    private readonly base: URL,
    private readonly patienceMs: number,
    private readonly mostRequests = MOST_REQUESTS,
    private readonly mostStreams = MOST_STREAMS,
  ) {
    const isTls = base.protocol === 'https:'
    const options = { keepAlive: true, timeout: IDLE_CONNECTION_MS }
    this.agent = isTls ? new TlsAgent(options) : new Agent(options)
    this.send = isTls ? tlsRequest : request
  }

  /**
   * The head of the answer, whatever its status; its body is to be read, or destroyed.
   * @throws BadGatewayException the service can't be reached, or breaks off @throws GatewayTimeoutException it says nothing
   * @throws RequestTimeoutException the sender of the body says nothing @throws ServiceUnavailableException it has too much to do
   */
  async open(upstream: UpstreamRequest): Promise<IncomingMessage> {
    const { method, body, signal } = upstream
    for (;;) {
      signal?.throwIfAborted()
      if (this.running >= this.mostRequests)
        throw new ServiceUnavailableException(`The service ${this.name} has too much to do`)
      const sent = this.start(upstream)
      let answer: IncomingMessage
      try {
        answer = await headOf(sent)
      } catch (error) {
        if (signal?.aborted) throw signal.reason
        // The service closed the kept connection while it was taken up again. A body can't be sent twice, and what writes may have been done.
        const isStale = sent.reusedSocket && codeOf(error) === 'ECONNRESET'
        if (!isStale || body !== undefined || !SAFE.has(method)) throw this.faultOf(error, body)
        continue
      }
      return this.admitted(answer)
    }
  }

  close(): void {
    this.agent.destroy()
  }

  /** @throws BadGatewayException its status is none @throws ServiceUnavailableException it is one stream too many */
  private admitted(answer: IncomingMessage): IncomingMessage {
    const { statusCode = 0 } = answer
    // Node reads any three digits, and writes no less than 100: RFC 9110, 15.
    if (statusCode < 200 || statusCode > 599) {
      answer.destroy()
      throw new BadGatewayException(`The service ${this.name} answered nonsense`)
    }
    if (!isEventStream(answer) || this.streams <= this.mostStreams) return answer
    answer.destroy()
    throw new ServiceUnavailableException(`The service ${this.name} has too many listeners`)
  }

  private start({ method, target, headers, body, signal }: UpstreamRequest): ClientRequest {
    const { hostname, port, pathname } = this.base
    const sent = this.send({
      agent: this.agent,
      // An IPv6 address has brackets in a URL alone.
      hostname: hostname.replace(/^\[|\]$/g, ''),
      port,
      method,
      path: `${pathname.replace(/\/$/, '')}${target}`,
      headers,
      // From the connection on, whose silence it counts.
      timeout: this.patienceMs,
    })
    this.running++
    let counted: 'running' | 'streams' | undefined = 'running'
    const end = (): void => {
      if (counted !== undefined) this[counted]--
      counted = undefined
      signal?.removeEventListener('abort', abort)
      // The rest is nobody's, and behind it comes the next request of the connection.
      body?.unpipe(sent).resume()
    }
    const abort = () => sent.destroy()
    signal?.addEventListener('abort', abort)
    sent.once('response', (answer) => {
      if (counted === undefined || !isEventStream(answer)) return
      this.running--
      this.streams++
      counted = 'streams'
    })
    sent.on('timeout', () => sent.destroy(new SilentError()))
    // Both, for what fails fails before it closes, and whoever hears of it may ask again at once.
    sent.once('error', end).once('close', end)
    if (body === undefined) sent.end()
    else body.pipe(sent)
    return sent
  }

  private faultOf(error: unknown, body: (Readable & { readonly complete?: boolean }) | undefined): Error {
    if (error instanceof SilentError) {
      return body?.complete === false
        ? new RequestTimeoutException('The rest of the body did not come')
        : new GatewayTimeoutException(`The service ${this.name} did not answer in time`)
    }
    this.logger.warn(`${this.name} could not be asked: ${codeOf(error) ?? String(error)}`)
    return new BadGatewayException(`The service ${this.name} could not be reached`)
  }
}

const isEventStream = ({ headers }: IncomingMessage): boolean =>
  /^text\/event-stream\b/i.test(headers['content-type'] ?? '')

class SilentError extends Error {}

function headOf(sent: ClientRequest): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    sent.once('response', resolve)
    // Once the answer has begun, it is the answer that fails, and nobody hears this.
    sent.on('error', reject)
    // Without an error, as after a 101 that nobody asked for.
    sent.once('close', () => reject(new Error('the connection ended without an answer')))
  })
}

function codeOf(error: unknown): string | undefined {
  const code: unknown = error instanceof Error && 'code' in error ? error.code : undefined
  return typeof code === 'string' ? code : undefined
}
