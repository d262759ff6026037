import type { RedisConnection } from '../redis/connection.js'
import { RedisUnavailableError } from '../redis/errors.js'
import { command } from '../redis/script.js'
import type { Shard } from '../redis/topology.js'

/**
 * Says once when a master of `connection` may throw away locks that are held: where memory is short, one whose `maxmemory-policy` is not
 * `noeviction` evicts keys, and somebody else gets the lock. The `volatile-*` policies as well: every lock has a time to live, and a short one.
 * A server that is away is asked when it is back.
 *
 * Resolves when the servers that can be reached have answered.
 */
export async function warnOfEviction(connection: RedisConnection, warn: (message: string) => void): Promise<void> {
  if (connection.status !== 'ready') {
    const stop = connection.onSession((session) => {
      if (session === undefined) return
      stop()
      void look(connection, warn)
    })
    return
  }
  await look(connection, warn)
}

async function look(connection: RedisConnection, warn: (message: string) => void): Promise<void> {
  const masters = await Promise.all(
    connection.shards().map(async (shard) => ({ id: shard.id, policy: await policyOf(shard) })),
  )
  const evicting = masters.find(({ policy = 'noeviction' }) => policy !== 'noeviction')
  if (evicting === undefined) return
  warn(
    `locks live on ${evicting.id}, whose maxmemory-policy is ${evicting.policy}: short of memory, it evicts locks that are held. ` +
      "Keep them on a server that evicts nothing: give it a forRoot of its own, and its name in `use`, as in use: { lock: 'locks' }",
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
