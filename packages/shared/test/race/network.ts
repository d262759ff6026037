import { connect, createServer, type Server, type Socket } from 'node:net'
import type { SeededRandom } from '../support/seeded-random.js'

/**
 * The network between one process and a server, as it is and not as on one machine: each packet takes its time, in its order, and is
 * delivered even when its sender has hung up meanwhile. What a process has given up may so arrive after what it did next.
 */
export class Network {
  /** A way to `targetPort` with delays of its own, on a free port. */
  static async to(targetPort: number, random: SeededRandom): Promise<Network> {
    const server = createServer({ noDelay: true })
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(0, '127.0.0.1', resolve)
    })
    const address = server.address()
    if (address === null || typeof address === 'string') throw new Error('the network has no port')
    return new Network(address.port, server, targetPort, random)
  }

  private readonly lines = new Set<Line>()

  private constructor(
    readonly port: number,
    private readonly server: Server,
    private readonly targetPort: number,
    private readonly random: SeededRandom,
  ) {
    server.on('connection', (socket) => this.join(socket))
  }

  /** For so long nothing arrives on either side of the connections that there are; then everything does. */
  holdFor(ms: number): void {
    for (const line of this.lines) line.heldUntil = performance.now() + ms
  }

  /** The process loses its connections; what it has sent is on its way all the same. */
  cut(): void {
    for (const { near } of this.lines) near.resetAndDestroy()
  }

  /** Whether something with this text is on its way to the server. */
  carries(text: string): boolean {
    return [...this.lines].some(({ sent }) => sent.some(({ chunk }) => chunk?.includes(text) === true))
  }

  async stop(): Promise<void> {
    const closed = new Promise((resolve) => this.server.close(resolve))
    for (const { near, far } of this.lines) {
      near.destroy()
      far.destroy()
    }
    await closed
  }

  private join(near: Socket): void {
    const far = connect({ port: this.targetPort, host: '127.0.0.1', noDelay: true })
    const line: Line = { near, far, heldUntil: 0, sent: [] }
    this.lines.add(line)
    far.on('close', () => this.lines.delete(line))
    this.pass(line, near, far, line.sent)
    this.pass(line, far, near, [])
  }

  private pass(line: Line, from: Socket, to: Socket, packets: Packet[]): void {
    const deliver = (): void => {
      for (let [first] = packets; first !== undefined; [first] = packets) {
        const leftMs = Math.max(first.dueAt, line.heldUntil) - performance.now()
        if (leftMs > 0) return void setTimeout(deliver, leftMs)
        packets.shift()
        if (first.chunk === null) to.destroySoon()
        else to.write(first.chunk)
      }
    }
    const send = (chunk: Buffer | null): void => {
      // One at a time is waited for, so none overtakes another.
      if (packets.push({ chunk, dueAt: performance.now() + this.delay() }) === 1) deliver()
    }
    from.on('data', send)
    // The other end is told by 'close'.
    from.on('error', () => undefined)
    from.on('close', () => send(null))
  }

  private delay(): number {
    const kind = this.random.float()
    if (kind < 0.6) return 0
    return this.random.float() * (kind < 0.95 ? 3 : 20)
  }
}

/** A connection of the process, and the one to the server behind it. */
interface Line {
  readonly near: Socket
  readonly far: Socket
  heldUntil: number
  /** On their way to the server. */
  readonly sent: Packet[]
}

/** Null: the sender has hung up. */
interface Packet {
  readonly chunk: Buffer | null
  readonly dueAt: number
}
