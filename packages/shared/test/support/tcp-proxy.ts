import { connect, createServer, type Server, type Socket } from 'node:net'

/** A TCP proxy on a free port of this machine, for the faults that a server can't play itself. */
export class TcpProxy {
  private readonly pairs = new Set<readonly [Socket, Socket]>()
  private held = false
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

  /** Half-open: connections stay, new ones are taken, and nothing is passed on in either direction. */
  hold(): void {
    this.held = true
    for (const pair of this.pairs) for (const socket of pair) socket.pause()
  }

  /** Passes on what was held back, and all that comes. */
  release(): void {
    this.held = false
    for (const pair of this.pairs) for (const socket of pair) socket.resume()
  }

  /** Resets every connection. */
  cut(): void {
    for (const pair of this.pairs) for (const socket of pair) socket.resetAndDestroy()
  }

  async stop(): Promise<void> {
    const closed = new Promise((resolve) => this.server.close(resolve))
    this.cut()
    await closed
  }

  private join(near: Socket, far: Socket): void {
    const pair = [near, far] as const
    this.pairs.add(pair)
    this.accepted++
    for (const [from, to] of [pair, [far, near] as const]) {
      from.on('data', (chunk) => to.write(chunk))
      from.on('error', () => undefined)
      from.on('close', () => {
        this.pairs.delete(pair)
        to.destroy()
      })
      if (this.held) from.pause()
    }
  }
}
