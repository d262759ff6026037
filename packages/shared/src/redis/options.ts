import { type Duration, durationToMs } from '../kernel/duration.js'
import { ConfigurationError } from '../kernel/errors.js'
import type { RedisClientLike } from './client.js'
import {
  type ClusterOptions,
  type ClusterSettings,
  resolveCluster,
  resolveSentinels,
  type ResolvedSentinels,
  type SentinelOptions,
} from './node-options.js'

export type { ClusterOptions, SentinelOptions } from './node-options.js'

/**
 * Where Redis is: `host` and `port`, or `url`, or `sentinels`, or `cluster`, or a `client` of your own. Every field also accepts undefined, as environment variables give it.
 * What contradicts another field is refused with a ConfigurationError that names the option.
 */
export interface RedisConnectionOptions {
  /** @default 'localhost' */
  readonly host?: string | undefined
  /** @default 6379 */
  readonly port?: number | undefined
  /** ACL user. @default the server's default user */
  readonly username?: string | undefined
  /** An empty one is none. @default none */
  readonly password?: string | undefined
  /** Number of the database. @default 0 */
  readonly db?: number | undefined
  /** True, or options of Node's `tls.connect`. @default false */
  readonly tls?: boolean | object | undefined
  /** `redis://[[user]:password@]host[:port][/db]`, or `rediss://…` for TLS; in place of the six fields above. */
  readonly url?: string | undefined
  /** Sentinels that know the master; in place of `host`, `port` and `url`. The other fields above are for the master. */
  readonly sentinels?: SentinelOptions | undefined
  /** A Redis Cluster; in place of `host`, `port`, `url` and `sentinels`. The other fields above are for all of its nodes; `db` can only be 0. */
  readonly cluster?: ClusterOptions | undefined
  /**
   * A `Redis` or `Cluster` of ioredis 5.4 or later, or 6, that you open and close; in place of all fields above. It must have no `keyPrefix`. The
   * toolkit's commands go over the very connection of a `Redis`; of a `Cluster` it takes nodes and options, and makes connections of its own.
   */
  readonly client?: RedisClientLike | undefined
  /** Further options for the ioredis client that is made, such as `family`, `natMap` or `retryStrategy`. */
  readonly clientOptions?: object | undefined
  /** How long an answer is waited for. A number is milliseconds. @default 500 ms */
  readonly commandTimeout?: Duration | undefined
}

/** Where an owned connection goes, after all options were read. */
export interface RedisAddress {
  readonly host: string
  readonly port: number
  readonly username?: string
  readonly password?: string
  readonly db: number
  readonly tls?: object
  readonly clientOptions: object
}

/** The options as the connection needs them: a client, or the nodes of a Cluster, or Sentinels or one server with what is in `address`. */
export interface ResolvedRedisOptions {
  readonly client: RedisClientLike | undefined
  readonly address: RedisAddress
  readonly sentinels: ResolvedSentinels | undefined
  readonly cluster: ClusterSettings | undefined
  readonly commandTimeoutMs: number
}

/** Reads, checks and completes the options. @throws ConfigurationError, InvalidDurationError */
export function resolveOptions(options: RedisConnectionOptions): ResolvedRedisOptions {
  const { client, url } = options
  const commandTimeoutMs = durationToMs(options.commandTimeout ?? DEFAULT_COMMAND_TIMEOUT_MS, 'commandTimeout')
  if (client !== undefined) {
    refuseBeside('client', [...ADDRESS_FIELDS, 'url', 'sentinels', 'cluster', 'clientOptions'], options)
  }
  if (url !== undefined) refuseBeside('url', [...ADDRESS_FIELDS, 'sentinels', 'cluster'], options)
  if (options.sentinels !== undefined) refuseBeside('sentinels', ['host', 'port', 'cluster'], options)
  if (options.cluster !== undefined) refuseBeside('cluster', ['host', 'port'], options)
  const { host, port, username, password, db, tls } = url === undefined ? options : parseUrl(url)
  const address: RedisAddress = {
    host: nonEmpty('host', host) ?? 'localhost',
    port: integer('port', port, 1, 65_535) ?? 6_379,
    db: integer('db', db, 0, Number.MAX_SAFE_INTEGER) ?? 0,
    ...(username === undefined || username === '' ? {} : { username }),
    ...(password === undefined || password === '' ? {} : { password }),
    ...(tls === undefined || tls === false ? {} : { tls: tls === true ? {} : tls }),
    clientOptions: checkClientOptions(options.clientOptions ?? {}),
  }
  if (address.username !== undefined && address.password === undefined) {
    throw new ConfigurationError('username', 'needs `password`')
  }
  const sentinels = options.sentinels === undefined ? undefined : resolveSentinels(options.sentinels)
  const cluster = options.cluster === undefined ? undefined : resolveCluster(options.cluster, address)
  return Object.freeze({ client, address, sentinels, cluster, commandTimeoutMs })
}

const DEFAULT_COMMAND_TIMEOUT_MS = 500

const ADDRESS_FIELDS = ['host', 'port', 'username', 'password', 'db', 'tls'] as const

type Option = keyof RedisConnectionOptions

function refuseBeside(chosen: Option, others: readonly Option[], options: RedisConnectionOptions): void {
  const other = others.find((name) => options[name] !== undefined)
  if (other !== undefined) throw new ConfigurationError(other, `contradicts \`${chosen}\`; leave out one of the two`)
}

function parseUrl(text: string): RedisConnectionOptions {
  // The text may hold a password: no error shows it.
  const problem = 'must look like redis://user:password@host:6379/0, or rediss://… for TLS'
  if (typeof text !== 'string' || !URL.canParse(text)) throw new ConfigurationError('url', problem)
  const { protocol, hostname, port, username, password, pathname, search, hash } = new URL(text)
  const [, db] = /^\/?(\d*)$/.exec(pathname) ?? []
  if ((protocol !== 'redis:' && protocol !== 'rediss:') || hostname === '' || db === undefined) {
    throw new ConfigurationError('url', problem)
  }
  if (search !== '' || hash !== '') {
    throw new ConfigurationError('url', 'must have no part after "?" or "#"; put further options into `clientOptions`')
  }
  return {
    host: hostname.replace(/^\[(.*)\]$/, '$1'),
    port: port === '' ? undefined : Number(port),
    username: decode(username),
    password: decode(password),
    db: db === '' ? undefined : Number(db),
    tls: protocol === 'rediss:',
  }
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    // The cause would show the text.
    throw new ConfigurationError('url', 'has a user name or password that is not percent-encoded')
  }
}

function nonEmpty(option: Option, value: string | undefined): string | undefined {
  if (value === undefined || (typeof value === 'string' && value !== '')) return value
  throw new ConfigurationError(option, 'must be a non-empty string')
}

function integer(option: Option, value: number | undefined, min: number, max: number): number | undefined {
  if (value === undefined || (Number.isInteger(value) && value >= min && value <= max)) return value
  throw new ConfigurationError(option, `must be an integer from ${min} to ${max}`)
}

/** Options of ioredis that have a field of ours, or that the toolkit sets because it relies on them, each with the mend. */
const REFUSED_CLIENT_OPTIONS: Readonly<Record<string, string>> = {
  ...Object.fromEntries(ADDRESS_FIELDS.map((name) => [name, `give \`${name}\` beside \`clientOptions\``])),
  keyPrefix: 'give `keyPrefix` beside `clientOptions`',
  commandTimeout: 'give `commandTimeout` beside `clientOptions`',
  sentinels: 'give `sentinels` beside `clientOptions`',
  name: 'give `sentinels.name` beside `clientOptions`',
  sentinelUsername: 'give `sentinels.username` beside `clientOptions`',
  sentinelPassword: 'give `sentinels.password` beside `clientOptions`',
  sentinelTLS: 'give `sentinels.tls` beside `clientOptions`',
  role: 'the toolkit works on masters only; leave it out',
  ...Object.fromEntries(
    [
      'lazyConnect',
      'enableOfflineQueue',
      'autoResendUnfulfilledCommands',
      'autoResubscribe',
      'maxRetriesPerRequest',
      'protocol',
      'replyMapping',
      'stringNumbers',
      'readOnly',
      'monitor',
      'reconnectOnError',
      'enableTLSForSentinelMode',
      'failoverDetector',
    ].map((name) => [name, 'is set by the toolkit, which relies on it; leave it out']),
  ),
}

function checkClientOptions(clientOptions: object): object {
  for (const [name, value] of Object.entries(clientOptions)) {
    const mend = value === undefined ? undefined : REFUSED_CLIENT_OPTIONS[name]
    if (mend !== undefined) throw new ConfigurationError(`clientOptions.${name}`, mend)
  }
  return clientOptions
}
