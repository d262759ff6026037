import { ConfigurationError, MissingPeerError } from '../../kernel/errors.js'
import type { RedisClientLike } from '../client.js'

/** What the adapter uses of a `Redis` of ioredis 5 and 6: public members, and `sendCommand` and `stream`, which are public but undocumented. */
export interface IoredisClient {
  readonly status: string
  readonly isCluster?: boolean
  readonly mode?: string
  readonly options: IoredisOptions
  readonly condition?: { readonly select?: number } | null
  /** Undefined before the first connection. */
  readonly stream?: IoredisStream
  connect(): Promise<unknown>
  disconnect(reconnect?: boolean): void
  duplicate(override: object): IoredisClient
  sendCommand(command: unknown, stream: unknown): unknown
  call(name: string, ...args: readonly (string | number | Buffer)[]): Promise<unknown>
  on(event: 'error', listener: (error: Error) => void): unknown
  on(event: string, listener: (...args: never[]) => void): unknown
  off(event: string, listener: (...args: never[]) => void): unknown
}

export interface IoredisOptions {
  readonly host?: string
  readonly port?: number
  readonly path?: string
  readonly db?: number
  readonly tls?: object
  readonly connectTimeout?: number
  readonly keyPrefix?: string
  readonly replyMapping?: string
  readonly stringNumbers?: boolean
  readonly monitor?: boolean
  readonly readOnly?: boolean
  readonly sentinels?: readonly object[]
  /** What Sentinels call the master. */
  readonly name?: string
  /** `slave`: a client of replicas, by Sentinels. */
  readonly role?: string
  readonly enableTLSForSentinelMode?: boolean
}

export type IoredisStream = NodeJS.WritableStream & {
  readonly remoteAddress?: string
  readonly remotePort?: number
  cork(): void
  uncork(): void
  destroy(): void
}

/** The ioredis that is installed. */
export interface Ioredis {
  readonly Redis: new (options: object) => IoredisClient
  readonly Cluster: new (nodes: readonly object[], options: object) => IoredisCluster
}

/** What is used of an ioredis `Cluster`. */
export interface IoredisCluster {
  readonly isCluster: boolean
  readonly status: string
  readonly options: object
  disconnect(): void
  on(event: string, listener: (...args: never[]) => void): unknown
}

/** @throws MissingPeerError there is none */
export async function loadIoredis(): Promise<Ioredis> {
  let loaded: { readonly default: unknown }
  try {
    loaded = (await import('ioredis')) as { readonly default: unknown }
  } catch (cause) {
    throw new MissingPeerError('ioredis', "driver: 'redis'", cause)
  }
  const exported = loaded.default as Partial<Ioredis> & Ioredis['Redis']
  return { Redis: exported.Redis ?? exported, Cluster: exported.Cluster! }
}

/**
 * The prototype of the commands that this client makes itself. A client is not told from its class (ioredis mixes EventEmitter's `constructor`
 * into it), so one command is made on a derived object that sends nothing. Undefined: this is no ioredis.
 */
export function commandPrototypeOf(client: IoredisClient): object | undefined {
  let made: unknown
  const silent = Object.create(client, {
    // Otherwise a client with auto-pipelining would put it into a pipeline.
    isPipeline: { value: true },
    sendCommand: { value: (command: unknown) => void (made = command) },
  }) as IoredisClient
  void silent.call('ping')
  if (made === null || typeof made !== 'object') return undefined
  const prototype = Object.getPrototypeOf(made) as { readonly toWritable?: unknown } | null
  return typeof prototype?.toWritable === 'function' ? prototype : undefined
}

/** The given client, if it can be worked with. @throws ConfigurationError it can't, and why */
export function acceptClient(given: RedisClientLike): IoredisClient {
  const client = given as unknown as IoredisClient
  if (client === null || typeof client !== 'object') refuse('must be a client of ioredis 5.4 or later')
  const lacking = (['sendCommand', 'call', 'duplicate', 'connect', 'disconnect', 'on', 'off'] as const).find(
    (method) => typeof client[method] !== 'function',
  )
  if (lacking !== undefined) refuse(`is not a Redis of ioredis 5.4 or later: it has no ${lacking}()`)
  if (commandPrototypeOf(client) === undefined) refuse('is not a Redis of ioredis 5.4 or later: its commands differ')

  checkOptions(client.options)
  const { role, monitor } = client.options
  if (role === 'slave') refuse("was made with role: 'slave'; the toolkit needs a master")
  if (monitor === true || client.mode === 'monitor') refuse('is in monitor mode; give a client of its own')
  if (client.mode === 'subscriber') refuse('has subscriptions, and sends no other commands; give a client of its own')
  return client
}

/** What no client may have been made with, neither a `Redis` nor the nodes of a `Cluster`. @throws ConfigurationError */
export function checkOptions({ keyPrefix, replyMapping, stringNumbers, readOnly }: IoredisOptions): void {
  if (keyPrefix !== undefined && keyPrefix !== null && keyPrefix.length > 0) {
    refuse('was made with a keyPrefix of its own; make it without, and give `keyPrefix` to the toolkit')
  }
  if (replyMapping === 'resp3') refuse("was made with replyMapping: 'resp3'; the toolkit needs 'legacy', the default")
  if (stringNumbers === true) refuse('was made with stringNumbers: true; the toolkit needs numbers as numbers')
  if (readOnly === true) refuse('was made with readOnly: true; the toolkit needs masters')
}

export function refuse(problem: string): never {
  throw new ConfigurationError('client', problem)
}
