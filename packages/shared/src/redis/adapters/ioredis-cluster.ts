import type { RedisClientLike } from '../client.js'
import type { ClusterTools } from '../cluster-servers.js'
import type { ClusterSettings } from '../node-options.js'
import type { NatMap, NodeAddress } from '../slot-map.js'
import { makePort, type IoredisEnvironment } from './ioredis.js'
import { checkOptions, type IoredisCluster, type IoredisOptions, loadIoredis, refuse } from './ioredis-client.js'

/**
 * What makes the connections to the nodes of a Cluster: each is a `Redis` of its own. A cluster client of ioredis is made only for the user's
 * own commands, if they ask for it.
 * @throws MissingPeerError ioredis is not installed
 */
export async function clusterTools(settings: ClusterSettings, environment: IoredisEnvironment): Promise<ClusterTools> {
  const ioredis = await loadIoredis()
  const { seeds, natMap, clientOptions, ...user } = settings
  let client: IoredisCluster | undefined
  return {
    makePort: ({ host, port }) => makePort(ioredis, { host, port, db: 0, ...user, clientOptions }, environment),
    userClient() {
      if (client === undefined) {
        client = new ioredis.Cluster(seeds, {
          lazyConnect: true,
          ...(natMap === undefined ? {} : { natMap }),
          redisOptions: { ...clientOptions, ...user },
        })
        // Their commands report what happens to it; the event alone would be printed to the console.
        client.on('error', () => undefined)
      }
      return client as unknown as RedisClientLike
    },
    async close() {
      client?.disconnect()
    },
  }
}

/**
 * Where and how the nodes of a user's `Cluster` are reached.
 * @throws ConfigurationError it was made in a way that the toolkit can't work with
 */
export function givenCluster(given: RedisClientLike): ClusterSettings {
  const { options, startupNodes } = given as unknown as GivenCluster
  if (!Array.isArray(startupNodes) || startupNodes.length === 0 || typeof options !== 'object') {
    refuse('is not a Cluster of ioredis 5.4 or later: it has no nodes')
  }
  const { redisOptions = {}, scaleReads = 'master', natMap, keyPrefix } = options
  if (scaleReads !== 'master') refuse("was made with scaleReads; the toolkit needs 'master', the default")
  checkOptions({ ...redisOptions, ...(keyPrefix === undefined ? {} : { keyPrefix }) })
  const nodes = (startupNodes as readonly StartupNode[]).map(readNode)
  const { username, password, tls } = { ...nodes[0], ...redisOptions }
  const rest: Record<string, unknown> = { ...redisOptions }
  for (const name of OURS) delete rest[name]
  return {
    seeds: nodes.map(({ host, port }) => ({ host, port })),
    natMap,
    ...(username === undefined || username === '' ? {} : { username }),
    ...(password === undefined || password === '' ? {} : { password }),
    ...(tls === undefined ? {} : { tls }),
    clientOptions: rest,
  }
}

/** Options of the nodes that say where one is, or that a connection of ours sets otherwise. */
const OURS = [
  'host',
  'port',
  'path',
  'db',
  'username',
  'password',
  'tls',
  'sentinels',
  'name',
  'role',
  'natMap',
  'retryStrategy',
  'reconnectOnError',
  'commandTimeout',
  'monitor',
  'connectionName',
]

interface GivenCluster {
  readonly startupNodes: readonly StartupNode[] | undefined
  readonly options: {
    readonly redisOptions?: NodeOptions
    readonly scaleReads?: unknown
    readonly natMap?: NatMap
    readonly keyPrefix?: string
  }
}

type NodeOptions = IoredisOptions & { readonly username?: string; readonly password?: string }

/** As ioredis takes them: a port, a URL or `host:port`, or options. */
type StartupNode = number | string | (NodeOptions & { readonly port?: number | string })

interface SeedNode extends NodeAddress {
  readonly username?: string
  readonly password?: string
  readonly tls?: object
}

function readNode(node: StartupNode): SeedNode {
  if (typeof node === 'object') {
    const { host = LOCAL, port = PORT, username, password, tls } = node
    return {
      host,
      port: Number(port),
      ...(username === undefined ? {} : { username }),
      ...(password === undefined ? {} : { password }),
      ...(tls === undefined ? {} : { tls }),
    }
  }
  const text = String(node)
  if (/^\d+$/.test(text)) return { host: LOCAL, port: Number(text) }
  const url = text.includes('://') ? text : `redis://${text}`
  if (!URL.canParse(url)) refuse('has a node that is neither { host, port } nor a URL')
  const { hostname, port, username, password, protocol } = new URL(url)
  return {
    host: hostname.replace(/^\[(.*)\]$/, '$1'),
    port: port === '' ? PORT : Number(port),
    ...(username === '' ? {} : { username: decodeURIComponent(username) }),
    ...(password === '' ? {} : { password: decodeURIComponent(password) }),
    ...(protocol === 'rediss:' ? { tls: {} } : {}),
  }
}

const LOCAL = '127.0.0.1'
const PORT = 6_379
