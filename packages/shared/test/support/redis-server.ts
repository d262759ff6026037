import { type ChildProcess, spawn } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { Redis } from 'ioredis'

/** A real Redis (or Valkey) server of a test: on a free port, with a folder of its own, ended by process id. */
export interface RedisServer {
  readonly host: string
  readonly port: number
  /** `redis://…`, with the password when there is one. */
  readonly url: string
  /** Of the process that runs now; another one after {@link restart}. */
  readonly pid: number
  readonly dir: string
  /** Ends the server and removes the folder that was made for it. Doing it twice is fine. */
  stop(): Promise<void>
  /** SIGKILL: nothing is saved, every connection is reset. */
  kill(): Promise<void>
  /** SIGSTOP: connections stay open and nobody answers. */
  pause(): void
  /** SIGCONT. */
  resume(): void
  /** Starts it again on the same port and folder; ends it first when it still runs. */
  restart(): Promise<void>
  /** Sends one command over a plain connection and answers its reply. */
  command(name: string, ...args: (string | number | Buffer)[]): Promise<unknown>
  /** Keys that never expire and are not in the list. */
  scanKeysWithoutTtl(allowed: readonly string[]): Promise<string[]>
}

export interface RedisServerOptions {
  /** More command-line arguments for the server, such as `['--maxmemory', '10mb']`. */
  args?: string[]
  /** Lines of a configuration file, which the server may rewrite. It stands in the folder. */
  config?: readonly string[]
  password?: string
  /** Default: a free one. */
  port?: number
  /** Default: a temporary folder, removed at {@link RedisServer.stop}. */
  dir?: string
  /** Keeps the data through a {@link RedisServer.kill}. Default: nothing is written to disk. */
  appendonly?: boolean
}

/** Starts a server and waits until it answers. */
export async function startRedis(options: RedisServerOptions = {}): Promise<RedisServer> {
  const dir = options.dir ?? mkdtempSync(join(tmpdir(), 'vextrus-redis-'))
  const removeDir = (): void => {
    if (options.dir === undefined) rmSync(dir, { recursive: true, force: true })
  }
  // Between finding a free port and binding it another process may take it: then the next one is tried.
  for (let attempt = 1; ; attempt++) {
    const port = options.port ?? (await freePort())
    const server = new LocalRedis(port, dir, options, removeDir)
    try {
      await server.start()
      return server
    } catch (cause) {
      await server.stop({ keepDir: true })
      if (attempt < 5 && options.port === undefined && cause instanceof PortTaken) continue
      removeDir()
      throw cause
    }
  }
}

/**
 * A port that nobody listens on at the moment. It lies below those that systems give to outgoing connections, of which tests make thousands:
 * one of them could take it before it is bound, or between the end of a server and its restart.
 */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const port = randomInt(10_000, 32_000)
    if (await canListen(port)) return port
  }
  throw new Error('No free port was found')
}

async function canListen(port: number): Promise<boolean> {
  const probe = createServer()
  try {
    probe.listen(port, '127.0.0.1')
    await once(probe, 'listening')
  } catch {
    return false
  }
  probe.close()
  await once(probe, 'close')
  return true
}

const START_DEADLINE_MS = 15_000

/** Another process took a port between its finding and its binding. */
export class PortTaken extends Error {}

class LocalRedis implements RedisServer {
  readonly host = '127.0.0.1'
  private process: ChildProcess | undefined
  private plain: Redis | undefined
  private output = ''

  constructor(
    readonly port: number,
    readonly dir: string,
    private readonly options: RedisServerOptions,
    private readonly removeDir: () => void,
  ) {}

  get url(): string {
    const { password } = this.options
    return `redis://${password === undefined ? '' : `:${encodeURIComponent(password)}@`}${this.host}:${this.port}`
  }

  get pid(): number {
    if (this.process?.pid === undefined) throw new Error('The server is not running')
    return this.process.pid
  }

  async start(): Promise<void> {
    const { password, appendonly, args = [], config } = this.options
    const file = join(this.dir, 'redis.conf')
    // Kept at a restart: the server may have written into it.
    if (config !== undefined && !existsSync(file)) writeFileSync(file, `${config.join('\n')}\n`)
    this.output = ''
    const child = spawn(
      serverBinary(),
      [
        config === undefined ? [] : [file],
        `--port ${this.port} --bind ${this.host} --appendfsync always`.split(' '),
        ['--dir', this.dir, '--save', '', '--appendonly', appendonly === true ? 'yes' : 'no'],
        password === undefined ? [] : ['--requirepass', password],
        args,
      ].flat(),
      { stdio: ['ignore', 'pipe', 'pipe'] },
    )
    this.process = child
    running.add(child)
    const guard = guardOf(child)
    child.once('exit', () => {
      running.delete(child)
      guard?.kill('SIGKILL')
    })
    const collect = (chunk: Buffer): void => {
      this.output = (this.output + chunk.toString()).slice(-4_000)
    }
    child.stdout.on('data', collect)
    child.stderr.on('data', collect)
    await this.answering(child)
  }

  async stop({ keepDir = false } = {}): Promise<void> {
    this.forgetConnection()
    await this.end('SIGKILL')
    if (!keepDir) this.removeDir()
  }

  async kill(): Promise<void> {
    this.forgetConnection()
    await this.end('SIGKILL')
  }

  pause(): void {
    process.kill(this.pid, 'SIGSTOP')
  }

  resume(): void {
    process.kill(this.pid, 'SIGCONT')
  }

  async restart(): Promise<void> {
    await this.kill()
    await this.start()
  }

  async command(name: string, ...args: (string | number | Buffer)[]): Promise<unknown> {
    return this.connection().call(name, args)
  }

  async scanKeysWithoutTtl(allowed: readonly string[]): Promise<string[]> {
    const found: string[] = []
    let cursor = '0'
    do {
      const [next, keys] = (await this.command('SCAN', cursor, 'COUNT', 1_000)) as [string, string[]]
      cursor = next
      const unknown = keys.filter((key) => !allowed.includes(key))
      const ttls = await Promise.all(unknown.map((key) => this.command('PTTL', key)))
      found.push(...unknown.filter((_, i) => ttls[i] === -1))
    } while (cursor !== '0')
    return [...new Set(found)].sort()
  }

  private connection(): Redis {
    // Sentinels end all connections of a server when its role changes.
    if (this.plain === undefined || this.plain.status === 'end') {
      const { password } = this.options
      this.plain = new Redis({
        host: this.host,
        port: this.port,
        password,
        retryStrategy: null,
        maxRetriesPerRequest: 0,
      })
      // Commands report what happens to the connection; the event alone would end the process.
      this.plain.on('error', () => undefined)
    }
    return this.plain
  }

  private forgetConnection(): void {
    this.plain?.disconnect()
    this.plain = undefined
  }

  /** Waits for the first PONG that comes from `child` itself, and not from a stranger on the same port. */
  private async answering(child: ChildProcess): Promise<void> {
    const deadline = performance.now() + START_DEADLINE_MS
    for (;;) {
      if (child.exitCode !== null || child.signalCode !== null) {
        const Failure = /Address already in use|Failed listening/.test(this.output) ? PortTaken : Error
        throw new Failure(`The Redis server on port ${this.port} ended at start:\n${this.output}`)
      }
      try {
        const info = String(await this.command('INFO', 'server'))
        if (info.includes(`process_id:${child.pid}`)) return
      } catch {
        // Not there yet, or loading: asked again until the deadline.
      }
      this.forgetConnection()
      if (performance.now() > deadline) {
        throw new Error(
          `No answer from the Redis server on port ${this.port} within ${START_DEADLINE_MS} ms:\n${this.output}`,
        )
      }
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  }

  private async end(signal: NodeJS.Signals): Promise<void> {
    const child = this.process
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const exited = new Promise((resolve) => child.once('exit', resolve))
    child.kill(signal)
    await exited
  }
}

/** Servers that would outlive the test process if it ended without `stop()`. SIGKILL also ends a paused one. */
const running = new Set<ChildProcess>()
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

/** Ends the server when this process is killed and can't: then the guard's standard input ends. */
function guardOf({ pid }: ChildProcess): ChildProcess | undefined {
  if (pid === undefined) return undefined
  const guard = spawn('sh', ['-c', 'read line; kill -9 "$0"', String(pid)], { stdio: ['pipe', 'ignore', 'ignore'] })
  guard.unref()
  ;(guard.stdin as Socket).unref()
  return guard
}

let binary: string | undefined

function serverBinary(): string {
  const folders = (process.env['PATH'] ?? '').split(delimiter)
  binary ??= ['redis-server', 'valkey-server']
    .flatMap((name) => folders.map((folder) => join(folder, name)))
    .find((file) => existsSync(file))
  if (binary === undefined) {
    throw new Error('These tests need redis-server (7.0 or later) or valkey-server (7.2 or later) on PATH')
  }
  return binary
}
