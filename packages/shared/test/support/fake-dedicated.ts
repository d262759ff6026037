import type { DedicatedConnection, RedisPort } from '../../src/redis/client.js'
import type { RedisArg, RedisReply } from '../../src/redis/topology.js'

type Answer = RedisReply | Promise<RedisReply>

/** A door that hands out {@link FakeDedicated} connections and keeps all of them. */
export class FakePort implements Pick<RedisPort, 'id' | 'dedicated'> {
  readonly id: string
  readonly opened: FakeDedicated[] = []
  /** What the next attempts to connect do. Default: they succeed. */
  connect: () => Promise<void> = async () => undefined
  /** Overrides the answer of a command; undefined: the usual one. */
  answer: (command: string, connection: FakeDedicated) => Answer | undefined = () => undefined
  runId = 'aaaa'
  /** How connections begin; see {@link FakeDedicated}. */
  autoPong = true

  constructor(id = 'fake:1') {
    this.id = id
  }

  async dedicated(): Promise<FakeDedicated> {
    await this.connect()
    const connection = new FakeDedicated(this)
    this.opened.push(connection)
    return connection
  }

  /** The newest connection. */
  get last(): FakeDedicated {
    const last = this.opened.at(-1)
    if (last === undefined) throw new Error('no connection was opened')
    return last
  }
}

/** One connection of a {@link FakePort}. Without `autoPong` its PINGs wait for {@link pong}. */
export class FakeDedicated implements DedicatedConnection {
  readonly sent: string[] = []
  autoPong: boolean
  closed = false
  private message: Parameters<DedicatedConnection['onMessage']>[0] = () => undefined
  private ended: Parameters<DedicatedConnection['onClose']>[0] = () => undefined
  private readonly waiting = new Set<{ resolve: (reply: RedisReply) => void; reject: (cause: Error) => void }>()

  constructor(private readonly port: FakePort) {
    this.autoPong = port.autoPong
  }

  async call(name: string, args: readonly RedisArg[]): Promise<RedisReply> {
    if (this.closed) throw new Error('connection is closed')
    const command = [name, ...args].join(' ')
    this.sent.push(command)
    const answer = await this.port.answer(command, this)
    if (answer !== undefined) return answer
    if (command === 'CLIENT ID') return 7
    if (command === 'INFO server') return `# Server\r\nrun_id:${this.port.runId}\r\nuptime_in_seconds:1\r\n`
    if (command !== 'PING') return 'OK'
    if (this.autoPong) return ['pong', '']
    return new Promise((resolve, reject) => this.waiting.add({ resolve, reject }))
  }

  /** Answers the outstanding PINGs. */
  pong(reply: RedisReply = ['pong', '']): void {
    for (const { resolve } of this.waiting) resolve(reply)
    this.waiting.clear()
  }

  get pingsOutstanding(): number {
    return this.waiting.size
  }

  onMessage(listener: typeof this.message): void {
    this.message = listener
  }

  onClose(listener: typeof this.ended): void {
    this.ended = listener
  }

  /** Something was published, or is pushed. */
  publish(channel: string, payload: string | readonly string[] | null, pattern: string | null = null): void {
    if (payload === null) this.message(channel, null, pattern)
    else if (typeof payload === 'string') this.message(channel, Buffer.from(payload), pattern)
    else
      this.message(
        channel,
        payload.map((key) => Buffer.from(key)),
        pattern,
      )
  }

  push(...keys: string[]): void {
    this.publish('__redis__:invalidate', keys)
  }

  /** The network ends it. */
  lose(cause: Error | null = new Error('ECONNRESET')): void {
    if (this.closed) return
    this.closed = true
    for (const { reject } of this.waiting) reject(new Error('connection is closed'))
    this.waiting.clear()
    this.ended(cause)
  }

  close(): void {
    this.lose(null)
  }
}
