import { Backoff } from '../../kernel/backoff.js'
import { type Clock, type Timer, systemClock } from '../../kernel/clock.js'
import { type RandomSource, systemRandom } from '../../kernel/random.js'
import type { DedicatedConnection, DedicatedOptions, RawCommand, RedisClientLike, RedisPort } from '../client.js'
import { RedisReplyError, RedisUnavailableError } from '../errors.js'
import type { NodeAddress } from '../slot-map.js'
import type { RedisReply } from '../topology.js'
import {
  acceptClient,
  commandPrototypeOf,
  type Ioredis,
  type IoredisClient,
  type IoredisStream,
  loadIoredis,
} from './ioredis-client.js'
import { openDedicated } from './ioredis-dedicated.js'
import { type SentinelSettings, SentinelSwitches } from './sentinel-switches.js'
import { isReplyError, WireBatch, type WireCommandClass, wireCommandClass, WireWriter } from './wire-command.js'

/** Where and how an owned connection is made. */
export interface IoredisSettings {
  readonly host?: string
  readonly port?: number
  readonly username?: string
  readonly password?: string
  readonly db: number
  readonly tls?: object
  /** Sentinels that know where the server is; then `host` and `port` say nothing. */
  readonly sentinels?: SentinelSettings | undefined
  /** Further options of ioredis; those that the toolkit needs otherwise were refused before. */
  readonly clientOptions?: object
}

/** Time and chance of the adapter; tests inject their own. */
export interface IoredisEnvironment {
  readonly clock?: Clock
  readonly random?: RandomSource
}

/** A connection of our own, not yet opened. @throws MissingPeerError ioredis is not installed */
export async function ownedPort(settings: IoredisSettings, environment: IoredisEnvironment = {}): Promise<IoredisPort> {
  return makePort(await loadIoredis(), settings, environment)
}

/** {@link ownedPort} with ioredis at hand. */
export function makePort(
  ioredis: Ioredis,
  { clientOptions, sentinels, ...where }: IoredisSettings,
  environment: IoredisEnvironment,
): IoredisPort {
  const backoff = new Backoff({ baseMs: 50, capMs: 1_000 }, environment.random ?? systemRandom)
  const client = new ioredis.Redis({
    connectTimeout: sentinels === undefined ? CONNECT_TIMEOUT_MS : MASTER_TIMEOUT_MS,
    maxLoadingRetryTime: LOADING_RETRY_MS,
    retryStrategy: (attempt: number) => {
      if (attempt === 1) backoff.reset()
      return backoff.next()
    },
    ...clientOptions,
    ...(sentinels === undefined ? where : { ...where, ...bySentinels(sentinels) }),
    lazyConnect: true,
    // RESP2 replies are what RedisReply describes; ioredis 5 has no other and ignores this.
    protocol: 2,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    // 0: what is in flight is rejected when the connection is lost, not at a later attempt.
    maxRetriesPerRequest: 0,
  })
  const port = new IoredisPort(client, true, environment.clock)
  if (sentinels !== undefined) {
    port.follow(new SentinelSwitches(ioredis, sentinels, clientOptions ?? {}, (to) => port.switched(to)))
  }
  return port
}

/** ioredis asks the Sentinels in turn at each attempt to connect, and takes no server that is not master. */
function bySentinels({ nodes, name, username, password, tls }: SentinelSettings): object {
  return {
    host: undefined,
    port: undefined,
    sentinels: nodes,
    name,
    role: 'master',
    sentinelUsername: username,
    sentinelPassword: password,
    sentinelTLS: tls,
    // `tls` is for the master, as it is without Sentinels.
    enableTLSForSentinelMode: true,
    // A Sentinel that was stopped takes the connection and says nothing.
    sentinelCommandTimeout: SENTINEL_TIMEOUT_MS,
    sentinelRetryStrategy: (attempt: number) => Math.min(attempt * 50, 500),
  }
}

/** What stands for `host:port` where Sentinels say which server it is. */
export function sentinelId(name: string): string {
  return `${name} (Sentinel)`
}

/** The port on a client that belongs to the user. @throws ConfigurationError it can't be worked with */
export function givenPort(client: RedisClientLike, environment: IoredisEnvironment = {}): IoredisPort {
  return new IoredisPort(acceptClient(client), false, environment.clock)
}

/** The client port on a `Redis` of ioredis 5 or 6. */
export class IoredisPort implements RedisPort {
  readonly id: string
  private readonly Command: WireCommandClass
  private readonly watchers = new Set<Watcher>()
  /** The socket that is ready, with its database selected. Commands go to this one or nowhere. */
  private stream: IoredisStream | undefined
  private failure: Error | undefined
  private sentinelFailure: Error | undefined
  /** How often in a row no Sentinel had an answer. */
  private emptyRounds = 0
  private patience: Timer | undefined
  private switches: SentinelSwitches | undefined
  /** The server that became the master while a connection was being made, perhaps to another one. */
  private promoted: NodeAddress | undefined

  constructor(
    private readonly ioredis: IoredisClient,
    private readonly owned: boolean,
    private readonly clock: Clock = systemClock,
  ) {
    const { path, host, port, sentinels, name } = ioredis.options
    this.id = sentinels ? sentinelId(name ?? '') : (path ?? `${host ?? 'localhost'}:${port ?? 6379}`)
    this.Command = wireCommandClass(commandPrototypeOf(ioredis)!)
    ioredis.on('connect', this.onConnect)
    ioredis.on('ready', this.onReady)
    ioredis.on('close', this.onClose)
    ioredis.on('error', this.onError)
    ioredis.on('sentinelError', this.onSentinelError)
    if (ioredis.status === 'ready') queueMicrotask(this.onReady)
  }

  /** The raw client, for commands that the toolkit does not have. */
  get client(): RedisClientLike {
    return this.ioredis as unknown as RedisClientLike
  }

  get ready(): boolean {
    return this.stream !== undefined && this.ioredis.status === 'ready'
  }

  pipeline(commands: readonly RawCommand[]): Promise<RedisReply[]> {
    const { stream } = this
    // One socket for all commands and the replies of all: ioredis itself would queue or go on with the next socket.
    if (stream === undefined || stream !== this.ioredis.stream || this.ioredis.status !== 'ready' || !stream.writable) {
      return Promise.reject(new RedisUnavailableError(this.id, 'not-connected', { cause: this.failure }))
    }
    if (commands.length === 0) return Promise.resolve([])
    return this.send(commands)
  }

  watch(events: Watcher): () => void {
    this.watchers.add(events)
    if (this.ready) events.ready()
    return () => this.watchers.delete(events)
  }

  /** Leaves the server as soon as these say that it was replaced. */
  follow(switches: SentinelSwitches): void {
    this.switches = switches
  }

  /** This server is the master now: any other one is left for it, whatever it says of itself. */
  switched(to: NodeAddress): void {
    // A connection that is being made must not be ended: ioredis would make no other.
    if (!this.ready) this.promoted = to
    else if (!this.isAt(to)) this.reset()
  }

  connect(): void {
    if (this.ioredis.status === 'wait') this.switches?.start()
    // Events tell how it went; the promise would only say it again.
    if (this.ioredis.status === 'wait') this.ioredis.connect().catch(() => undefined)
  }

  dedicated(options: DedicatedOptions): Promise<DedicatedConnection> {
    const { sentinels, tls, enableTLSForSentinelMode } = this.ioredis.options
    if (!sentinels) return openDedicated(this.ioredis, this.id, this.clock, options)
    // To the server of this connection: the Sentinels may be naming the next one by now.
    const { remoteAddress: host, remotePort: port } = this.stream ?? {}
    if (host === undefined) {
      return Promise.reject(new RedisUnavailableError(this.id, 'not-connected', { cause: this.failure }))
    }
    const there = { sentinels: undefined, host, port, tls: enableTLSForSentinelMode === true ? tls : undefined }
    return openDedicated(this.ioredis, this.id, this.clock, options, there)
  }

  reset(): void {
    if (!this.owned) return
    this.ioredis.disconnect(true)
    // A server that does not answer does not answer our FIN either.
    this.ioredis.stream?.destroy()
  }

  async close(): Promise<void> {
    this.switches?.close()
    this.patience?.cancel()
    this.watchers.clear()
    this.stream = undefined
    this.ioredis.off('connect', this.onConnect)
    this.ioredis.off('ready', this.onReady)
    this.ioredis.off('close', this.onClose)
    this.ioredis.off('sentinelError', this.onSentinelError)
    if (!this.owned) {
      this.ioredis.off('error', this.onError)
      return
    }
    // The listener for errors stays: one that comes late would be printed to the console.
    const { status } = this.ioredis
    const ended = new Promise<void>((resolve) => this.ioredis.on('end', resolve))
    this.ioredis.disconnect()
    this.ioredis.stream?.destroy()
    // Between two attempts there is nothing that could end, and no event.
    if (status !== 'end' && status !== 'close' && status !== 'reconnecting') await ended
  }

  /** False where names are announced in place of addresses. */
  private isAt({ host, port }: NodeAddress): boolean {
    return this.stream?.remotePort === port && this.stream.remoteAddress === host
  }

  private send(commands: readonly RawCommand[]): Promise<RedisReply[]> {
    return new Promise((resolve, reject) => {
      const batch = new WireBatch(commands.length, resolve, (cause) =>
        reject(new RedisUnavailableError(this.id, 'lost', { cause: this.failure ?? cause })),
      )
      const writer = new WireWriter({ redis: this.ioredis as { readonly stream: IoredisStream } })
      for (let i = 0; i < commands.length; i++) {
        this.ioredis.sendCommand(new this.Command(batch, i, commands[i]!), writer)
      }
      writer.flush()
    })
  }

  /** The socket is open and the handshake of ioredis begins, which has no deadline of its own. */
  private readonly onConnect = (): void => {
    this.failure = undefined
    this.patience?.cancel()
    const timeoutMs = this.ioredis.options.connectTimeout ?? CONNECT_TIMEOUT_MS
    this.patience = this.clock.timer(timeoutMs, () => {
      this.onError(new Error(`connected, but not answered within ${timeoutMs} ms; the server may be loading its data`))
      this.reset()
    })
  }

  /** ioredis goes on when SELECT was refused, with database 0: so it is asked again, and its refusal taken for what it is. */
  private readonly onReady = (): void => {
    const { stream } = this.ioredis
    if (stream === undefined || this.ioredis.status !== 'ready') return
    const db = this.ioredis.condition?.select ?? this.ioredis.options.db ?? 0
    if (db === 0) this.begin(stream)
    else void this.beginIn(db, stream)
  }

  private async beginIn(db: number, stream: IoredisStream): Promise<void> {
    let reply: RedisReply | undefined
    try {
      ;[reply] = await this.send([{ name: 'SELECT', args: [db] }])
    } catch (cause) {
      // The connection is lost, and its events say so.
      if (cause instanceof RedisUnavailableError) return
      throw cause
    }
    if (reply instanceof RedisReplyError) this.onError(reply)
    else this.begin(stream)
  }

  private begin(stream: IoredisStream): void {
    if (stream !== this.ioredis.stream || this.ioredis.status !== 'ready') return
    this.patience?.cancel()
    this.failure = undefined
    this.stream = stream
    const { promoted } = this
    this.promoted = undefined
    if (promoted !== undefined && !this.isAt(promoted)) return this.reset()
    for (const watcher of this.watchers) watcher.ready()
  }

  private readonly onClose = (): void => {
    this.patience?.cancel()
    const wasReady = this.stream !== undefined
    this.stream = undefined
    if (wasReady) for (const watcher of this.watchers) watcher.lost()
    // A server that wants TLS, or has no room, may hang up without a word.
    else if (this.failure === undefined) this.onError(new Error('Connection closed during the handshake'))
  }

  /** One Sentinel had no answer, which is no failure while another has; why the last one had none is told with the failure of all. */
  private readonly onSentinelError = (error: Error): void => {
    this.sentinelFailure = error
  }

  private readonly onError = (error: Error): void => {
    let failure = readable(error, this.ioredis.options.tls !== undefined)
    if (/sentinels are unreachable/.test(error.message)) {
      const { sentinelFailure } = this
      // ioredis says so too when it has come to the end of its list, and has asked each one on the way with success.
      // It goes on where it was in its list: only the second time in a row have all been asked.
      if (sentinelFailure === undefined || ++this.emptyRounds < 2) return
      failure = new Error(`no Sentinel names a master: ${sentinelFailure.message}`, { cause: error })
      this.sentinelFailure = undefined
    } else this.emptyRounds = 0
    this.failure = failure
    for (const watcher of this.watchers) watcher.error(failure)
  }
}

const CONNECT_TIMEOUT_MS = 5_000
/** A master that takes the connection and says nothing is soon replaced by the Sentinels: then the next one is to be asked for. */
const MASTER_TIMEOUT_MS = 2_000
const SENTINEL_TIMEOUT_MS = 1_000
/** How often a server that loads its data is asked whether it has finished. */
const LOADING_RETRY_MS = 500

/** What may be shown, and says what happened. */
function readable(error: Error, tls: boolean): Error {
  // An error reply of ioredis has its command with it, and so the password of an AUTH.
  if (isReplyError(error)) return new RedisReplyError(error.message)
  // A server without TLS waits for the rest of what it takes for a command.
  if (tls && (error as NodeJS.ErrnoException).code === 'ETIMEDOUT')
    return new Error('no TLS handshake in time', { cause: error })
  // A name with several addresses that all refuse makes an error without a message.
  if (error instanceof AggregateError && error.message === '') {
    return new Error(error.errors.map((one: Error) => one.message).join('; '), { cause: error })
  }
  return error
}

type Watcher = Parameters<RedisPort['watch']>[0]
