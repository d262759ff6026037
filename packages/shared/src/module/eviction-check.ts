import type { RedisConnection } from '../redis/connection.js'
import { RedisUnavailableError } from '../redis/errors.js'
import { command } from '../redis/script.js'
import type { Shard } from '../redis/topology.js'
import { CAPABILITIES, type Capability } from './module-options.js'

/** What is lost where memory is short, and what a connection for it alone might be called. */
const LOSSES: Readonly<Record<Capability, { readonly data: string; readonly loss: string; readonly home: string }>> = {
  lock: { data: 'locks', loss: 'evicts locks that are held', home: 'locks' },
  rateLimit: {
    data: 'rate limits',
    loss: 'forgets counters, and lets through more than the limit',
    home: 'limits',
  },
  session: { data: 'sessions', loss: 'ends sessions of users who are at work', home: 'sessions' },
  jwt: { data: 'revoked tokens', loss: 'accepts tokens that were revoked', home: 'tokens' },
  pubsub: { data: 'durable messages', loss: 'forgets messages that nobody has had yet', home: 'messages' },
}
const LIST = new Intl.ListFormat('en')

/**
 * Says once when a master of `connection` may throw away what must not be lost: where memory is short, one whose `maxmemory-policy` is not
 * `noeviction` evicts keys; then somebody else gets a lock that is held, a limit begins anew, a user is logged out, and a revoked token is good
 * again. The `volatile-*` policies as well: all of these have a time to live, and most a short one. A server that is away is asked when it is back.
 *
 * Resolves when the servers that can be reached have answered.
 *
 * @param wanted what lives there and is used; asked for when the servers have answered
 */
export async function warnOfEviction(
  connection: RedisConnection,
  wanted: () => readonly Capability[],
  warn: (message: string) => void,
): Promise<void> {
  if (connection.status !== 'ready') {
    const stop = connection.onSession((session) => {
      if (session === undefined) return
      stop()
      void look(connection, wanted, warn)
    })
    return
  }
  await look(connection, wanted, warn)
}

async function look(...[connection, wanted, warn]: Parameters<typeof warnOfEviction>): Promise<void> {
  const masters = await Promise.all(
    connection.shards().map(async (shard) => ({ id: shard.id, policy: await policyOf(shard) })),
  )
  const evicting = masters.find(({ policy = 'noeviction' }) => policy !== 'noeviction')
  const there = new Set(wanted())
  const found = CAPABILITIES.filter((capability) => there.has(capability))
  if (evicting === undefined || found.length === 0) return
  const losses = found.map((capability) => LOSSES[capability])
  const name = losses.length === 1 ? losses[0]!.home : 'kept'
  const use = found.map((capability) => `${capability}: '${name}'`).join(', ')
  warn(
    `${LIST.format(losses.map(({ data }) => data))} live on ${evicting.id}, whose maxmemory-policy is ${evicting.policy}: short of memory, ` +
      `it ${losses.map(({ loss }) => loss).join('; it ')}. Keep them on a server that evicts nothing: give it a forRoot of its own, ` +
      `and its name in \`use\`, as in use: { ${use} }`,
  )
}

/** Undefined: it does not say. */
async function policyOf(shard: Shard): Promise<string | undefined> {
  try {
    const { replies } = await shard.exec([command('INFO', ['memory'])])
    return /^maxmemory_policy:(\S+)/m.exec(String(replies[0]))?.[1]
  } catch (error) {
    if (error instanceof RedisUnavailableError) return undefined
    throw error
  }
}
