import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A request as it came to the service. */
export interface Seen {
  readonly method: string
  readonly url: string
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

type Handler = (request: IncomingMessage, response: ServerResponse) => void

/** A service behind the gateway: a real server that answers as a test says, and remembers what it was asked. */
export class TestUpstream {
  readonly seen: Seen[] = []
  handler: Handler = () => undefined

  private constructor(private readonly server: Server) {
    server.on('request', (request, response) => this.handler(request, response))
    this.answers(({ url }) => ({ url }))
  }

  static async start(port = 0): Promise<TestUpstream> {
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
    return new TestUpstream(server)
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port
  }

  get url(): URL {
    return new URL(`http://127.0.0.1:${this.port}`)
  }

  /** Answers with JSON, and remembers the request. */
  answers(body: (request: Seen) => unknown, status = 200, headers: Record<string, string | string[]> = {}): void {
    this.handler = (request, response) => {
      this.remember(request).then(
        (seen) => json(response, body(seen), status, headers),
        // Its sender has left.
        () => undefined,
      )
    }
  }

  private async remember(request: IncomingMessage): Promise<Seen> {
    const chunks: Buffer[] = []
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk)
    const { method = '', url = '', headers } = request
    const seen = { method, url, headers, body: Buffer.concat(chunks).toString() }
    this.seen.push(seen)
    return seen
  }

  /** Cuts kept connections too, as a service that is restarted does. */
  async stop(): Promise<void> {
    const closed = new Promise((resolve) => this.server.close(resolve))
    this.server.closeAllConnections()
    await closed
  }
}

export function json(
  response: ServerResponse,
  body: unknown,
  status = 200,
  headers: Record<string, string | string[]> = {},
): void {
  response.writeHead(status, { 'content-type': 'application/json; charset=utf-8', ...headers })
  response.end(JSON.stringify(body))
}
