import { ConfigurationError } from '../kernel/errors.js'
import type { NatMap, NodeAddress } from './slot-map.js'

/** The Sentinels that watch over a master. */
export interface SentinelOptions {
  /** Some of them, at least one: the others are found. `port` is 26379 unless given. */
  readonly nodes: readonly NodeOption[]
  /** What the Sentinels call the master: `mymaster` in `sentinel monitor mymaster …`. */
  readonly name: string
  /** ACL user of the Sentinels themselves. @default their default user */
  readonly username?: string | undefined
  /** Of the Sentinels themselves; that of the master stands beside `sentinels`. @default none */
  readonly password?: string | undefined
  /** For the connections to the Sentinels: true, or options of Node's `tls.connect`. @default false */
  readonly tls?: boolean | object | undefined
}

/** A Redis Cluster. */
export interface ClusterOptions {
  /** Some nodes, at least one, masters or replicas: the others are found. `port` is 6379 unless given. */
  readonly nodes: readonly NodeOption[]
}

/** `{ host, port }`, or `'host:port'`. */
export type NodeOption = { readonly host: string; readonly port?: number | undefined } | string

export interface ResolvedSentinels {
  readonly nodes: readonly NodeAddress[]
  readonly name: string
  readonly username?: string
  readonly password?: string
  readonly tls?: object
}

/** What connections to the nodes of a Cluster are made from. */
export interface ClusterSettings {
  readonly seeds: readonly NodeAddress[]
  readonly natMap: NatMap | undefined
  readonly username?: string
  readonly password?: string
  readonly tls?: object
  readonly clientOptions: object
}

/** @throws ConfigurationError */
export function resolveSentinels(sentinels: SentinelOptions): ResolvedSentinels {
  if (typeof sentinels !== 'object' || sentinels === null) {
    throw new ConfigurationError('sentinels', 'must be an object: { nodes: [{ host, port }], name }')
  }
  const { nodes, name, username, password, tls } = sentinels
  if (typeof name !== 'string' || name === '') {
    throw new ConfigurationError(
      'sentinels.name',
      'must be the name that the Sentinels have for the master, such as "mymaster"',
    )
  }
  if (given(username) && !given(password))
    throw new ConfigurationError('sentinels.username', 'needs `sentinels.password`')
  return {
    nodes: readNodes('sentinels.nodes', nodes, 26_379),
    name,
    ...(given(username) ? { username } : {}),
    ...(given(password) ? { password } : {}),
    ...(tls === undefined || tls === false ? {} : { tls: tls === true ? {} : tls }),
  }
}

/** What stands beside `cluster` and is the same for all of its nodes. */
interface SharedByNodes {
  readonly username?: string
  readonly password?: string
  readonly db: number
  readonly tls?: object
  readonly clientOptions: object
}

/** @throws ConfigurationError */
export function resolveCluster(cluster: ClusterOptions, address: SharedByNodes): ClusterSettings {
  if (typeof cluster !== 'object' || cluster === null) {
    throw new ConfigurationError('cluster', 'must be an object: { nodes: [{ host, port }] }')
  }
  const { username, password, tls, db, clientOptions } = address
  if (db !== 0) throw new ConfigurationError('db', 'contradicts `cluster`, which has database 0 only; leave it out')
  const { natMap, ...rest } = clientOptions as { readonly natMap?: NatMap }
  return {
    seeds: readNodes('cluster.nodes', cluster.nodes, 6_379),
    natMap,
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(tls === undefined ? {} : { tls }),
    clientOptions: rest,
  }
}

function readNodes(option: string, nodes: readonly NodeOption[], defaultPort: number): NodeAddress[] {
  if (!Array.isArray(nodes) || nodes.length === 0) {
    throw new ConfigurationError(option, "must be a list of at least one { host, port } or 'host:port'")
  }
  return (nodes as readonly NodeOption[]).map((node) => {
    const { host, port = defaultPort } = typeof node === 'string' ? readText(node) : (node ?? {})
    if (typeof host !== 'string' || host === '' || !Number.isInteger(port) || port < 1 || port > 65_535) {
      throw new ConfigurationError(
        option,
        "must hold { host, port } or 'host:port'; `port` is an integer from 1 to 65535",
      )
    }
    return { host, port }
  })
}

/** `host`, `host:port`, `[::1]:port`. */
function readText(text: string): { host?: string; port?: number } {
  const [, bracketed, plain, port] = /^(?:\[([^\]]+)\]|([^:/@[\]]+))(?::(\d+))?$/.exec(text) ?? []
  const host = bracketed ?? plain
  return { ...(host === undefined ? {} : { host }), ...(port === undefined ? {} : { port: Number(port) }) }
}

function given(text: string | undefined): text is string {
  return text !== undefined && text !== ''
}
