import { connect, createServer, type Server, type Socket } from 'node:net'

/** A TCP proxy on a free port of this machine, for the faults that a server can't play itself. */
export class TcpProxy {
  private readonly pairs = new Set<Pair>()
  private held = false
  private late: { readonly said: string; readonly ms: number } | null = null
  /** Connections taken since the start. */
  accepted = 0

  private constructor(
    readonly port: number,
    private readonly server: Server,
  ) {}

  static async to(targetPort: number): Promise<TcpProxy> {
    const server = createServer()
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(0, '127.0.0.1', resolve)
    })
    const address = server.address()
    if (address === null || typeof address === 'string') throw new Error('the proxy has no port')
    const proxy = new TcpProxy(address.port, server)
    server.on('connection', (socket) => proxy.join(socket, connect(targetPort, '127.0.0.1')))
    return proxy
  }

  /** Connections open now. */
  get connections(): number {
    return this.pairs.size
  }

  /**
   * Half-open: connections stay, new ones are taken, and nothing is passed on in either direction.
   * @param said only the connections of now on which the client has sent this text
   */
  hold(said?: string): void {
    this.held = said === undefined
    for (const pair of this.pairs) {
      if (said === undefined || pair.said.includes(said)) for (const socket of pair.sockets) socket.pause()
    }
  }

  /** Passes on what was held back, and all that comes. */
  release(): void {
    this.held = false
    for (const { sockets } of this.pairs) for (const socket of sockets) socket.resume()
  }

  /** On connections on which the client has sent this text, what the server sends comes so much later. */
  delay(said: string, ms: number): void {
    this.late = { said, ms }
  }

  /** Resets every connection. */
  cut(): void {
    for (const { sockets } of this.pairs) for (const socket of sockets) socket.resetAndDestroy()
  }

  async stop(): Promise<void> {
    const closed = new Promise((resolve) => this.server.close(resolve))
    this.cut()
    await closed
  }

  private join(near: Socket, far: Socket): void {
    const pair: Pair = { sockets: [near, far], said: '' }
    this.pairs.add(pair)
    this.accepted++
    near.on('data', (chunk) => {
      if (pair.said.length < REMEMBERED) pair.said += chunk.toString('latin1')
    })
    for (const [from, to] of [pair.sockets, [far, near] as const]) {
      from.on('data', (chunk) => {
        const { late } = this
        if (from === near || late === null || !pair.said.includes(late.said)) to.write(chunk)
        // What waits equally long stays in order.
        else setTimeout(() => to.writable && to.write(chunk), late.ms)
      })
      from.on('error', () => undefined)
      from.on('close', () => {
        this.pairs.delete(pair)
        to.destroy()
      })
      if (this.held) from.pause()
    }
  }
}

/** Characters of what a client sends first, enough for a handshake. */
const REMEMBERED = 4_096

interface Pair {
  readonly sockets: readonly [Socket, Socket]
  /** By the client, at first. */
  said: string
}
