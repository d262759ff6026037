import { Agent, request } from 'node:http'

/** The answer to one request, and how long it took. */
export interface Answer {
  readonly status: number
  readonly body: unknown
  /** `X-Cache`; undefined when the answer has none. */
  readonly cache: 'HIT' | 'MISS' | undefined
  /** From the first byte sent to the last byte received. */
  readonly ms: number
}

/** A plain HTTP client with a few kept connections: what it measures is the service and hardly itself. */
export class Client {
  private readonly agent: Agent

  constructor(
    private readonly url: string,
    connections: number,
  ) {
    this.agent = new Agent({ keepAlive: true, maxSockets: connections })
  }

  /** @throws the error of the socket; a status of any kind is an answer */
  send(method: string, path: string, tenant?: string, body?: unknown): Promise<Answer> {
    const { promise, resolve, reject } = withResolvers<Answer>()
    const started = performance.now()
    const call = request(`${this.url}${path}`, {
      method,
      agent: this.agent,
      headers: {
        ...(tenant === undefined ? {} : { 'x-tenant-id': tenant }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
    })
    call.on('error', reject)
    call.on('response', (response) => {
      const chunks: Buffer[] = []
      response.on('error', reject)
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('end', () => {
        const ms = performance.now() - started
        const cache = response.headers['x-cache']
        const text = Buffer.concat(chunks).toString()
        resolve({
          status: response.statusCode ?? 0,
          body: text === '' ? undefined : (JSON.parse(text) as unknown),
          cache: cache === 'HIT' || cache === 'MISS' ? cache : undefined,
          ms,
        })
      })
    })
    call.end(body === undefined ? undefined : JSON.stringify(body))
    return promise
  }

  close(): void {
    this.agent.destroy()
  }
}

/** `Promise.withResolvers`, which Node 20 lacks. */
function withResolvers<T>() {
  let resolve!: (value: T) => void
  let reject!: (reason: unknown) => void
  const promise = new Promise<T>((yes, no) => {
    resolve = yes
    reject = no
  })
  return { promise, resolve, reject }
}
