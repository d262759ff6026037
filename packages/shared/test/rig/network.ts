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
  private slowed: Slowed = { of: 'data', byMs: 0, until: 0 }

  private constructor(
    readonly port: number,
    private readonly server: Server,
    private readonly targetPort: number,
    private readonly random: SeededRandom,
  ) {
    server.on('connection', (socket) => this.join(socket))
  }

  /** For so long nothing arrives on either side of the connections that there are; then everything does. */
  holdFor(ms: number, of?: LineKind): void {
    for (const line of this.of(of)) line.heldUntil = performance.now() + ms
  }

  /** The process loses its connections; what it has sent is on its way all the same. */
  cut(of?: LineKind): void {
    for (const { near } of this.of(of)) near.resetAndDestroy()
  }

  /**
   * Half-open: nothing arrives any more on the connections that there are, not even their end, and nobody is told.
   * @param deaf only what the server sends is lost: it still hears the process
   */
  lose(of: LineKind, deaf = false): void {
    for (const line of this.of(of)) {
      line.deaf = true
      line.mute = !deaf
    }
  }

  /** For so long each packet takes so much longer, on these connections and not on the others. */
  slow(of: LineKind, byMs: number, forMs: number): void {
    this.slowed = { of, byMs, until: performance.now() + forMs }
  }

  /** Whether the process has such a connection now. */
  has(of: LineKind): boolean {
    return this.of(of).length > 0
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

  private of(kind: LineKind | undefined): Line[] {
    return [...this.lines].filter((line) => !line.near.destroyed && (kind === undefined || line.kind === kind))
  }

  private join(near: Socket): void {
    const far = connect({ port: this.targetPort, host: '127.0.0.1', noDelay: true })
    const line: Line = { near, far, kind: 'data', heard: 0, heldUntil: 0, deaf: false, mute: false, sent: [] }
    this.lines.add(line)
    far.on('close', () => this.lines.delete(line))
    const classify = (chunk: Buffer): void => {
      line.heard += chunk.length
      if (TRACKS.test(chunk.toString('latin1'))) line.kind = 'tracking'
      if (line.kind === 'tracking' || line.heard > HANDSHAKE_BYTES) near.off('data', classify)
    }
    near.on('data', classify)
    this.pass(line, near, far, line.sent)
    this.pass(line, far, near, [])
  }

  private pass(line: Line, from: Socket, to: Socket, packets: Packet[]): void {
    const deliver = (): void => {
      for (let [first] = packets; first !== undefined; [first] = packets) {
        const leftMs = Math.max(first.dueAt, line.heldUntil) - performance.now()
        if (leftMs > 0) return void setTimeout(deliver, leftMs)
        packets.shift()
        // It may have been lost on its way.
        if (to === line.near ? line.deaf : line.mute) continue
        if (first.chunk === null) to.destroySoon()
        else to.write(first.chunk)
      }
    }
    const send = (chunk: Buffer | null): void => {
      // One at a time is waited for, so none overtakes another.
      if (to === line.near ? line.deaf : line.mute) return
      if (packets.push({ chunk, dueAt: performance.now() + this.delay(line) }) === 1) deliver()
    }
    from.on('data', send)
    // The other end is told by 'close'.
    from.on('error', () => undefined)
    from.on('close', () => send(null))
  }

  private delay({ kind }: Line): number {
    const { of, byMs, until } = this.slowed
    const added = of === kind && performance.now() < until ? byMs * (0.5 + this.random.float()) : 0
    const chance = this.random.float()
    if (chance < 0.6) return added
    return added + this.random.float() * (chance < 0.95 ? 3 : 20)
  }
}

/** What a connection is for: to hear of writes, or everything else. */
export type LineKind = 'tracking' | 'data'

/** What a process says on a connection on which it wants to hear of writes, with tracking and without (R23). */
const TRACKS = /\bsubscribe\b/i
/** It says so at its beginning. */
const HANDSHAKE_BYTES = 2_000

interface Slowed {
  readonly of: LineKind
  readonly byMs: number
  readonly until: number
}

/** A connection of the process, and the one to the server behind it. */
interface Line {
  readonly near: Socket
  readonly far: Socket
  kind: LineKind
  /** Bytes, until it was told what the connection is for. */
  heard: number
  heldUntil: number
  /** Nothing reaches the process any more. */
  deaf: boolean
  /** Nothing reaches the server any more. */
  mute: boolean
  /** On their way to the server. */
  readonly sent: Packet[]
}

/** Null: the sender has hung up. */
interface Packet {
  readonly chunk: Buffer | null
  readonly dueAt: number
}
