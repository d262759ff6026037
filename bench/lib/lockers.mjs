import { createHash, randomUUID } from 'node:crypto'
import { Redlock as SesameRedlock } from '@sesamecare-oss/redlock'
import { Redis } from 'ioredis6'
import Redlock4 from 'redlock'
import { createLock, IoredisAdapter } from 'redlock-universal'
import Redlock5 from 'redlock5'
import { openLocksOn } from './ours.mjs'

const TTL_MS = 10_000

/**
 * Ours and the peers, each with its defaults but for the TTL, on a connection of its own and the same ioredis as ours. `open(port)` answers
 * `acquire(key)`, which rejects when the library gives up, `release(lock)`, and `close()`.
 *
 * How a peer waits: redlock 4 and 5 and sesamecare's try again up to 10 times, 200 ms ± 100 apart; redlock-universal 3 times, 100 ms apart.
 */
export const lockers = {
  async vextrus(port) {
    const { locks, close } = await openLocksOn({ host: '127.0.0.1', port }, 'vextrus:')
    return { acquire: (key) => locks.acquire(key, TTL_MS), release: (lock) => locks.release(lock), close }
  },
  async 'redlock 4.2'(port) {
    const client = await connect(port)
    const redlock = new Redlock4([client])
    return { acquire: (key) => redlock.lock(key, TTL_MS), release: (lock) => lock.unlock(), close: closer(client) }
  },
  async 'redlock 5 beta 2'(port) {
    const client = await connect(port)
    const redlock = new Redlock5([client])
    return {
      acquire: (key) => redlock.acquire([key], TTL_MS),
      release: (lock) => lock.release(),
      close: closer(client),
    }
  },
  async '@sesamecare-oss/redlock 1.4'(port) {
    const client = await connect(port)
    const redlock = new SesameRedlock([client])
    return {
      acquire: (key) => redlock.acquire([key], TTL_MS),
      release: (lock) => lock.release(),
      close: closer(client),
    }
  },
  async 'redlock-universal 0.8'(port) {
    const client = await connect(port)
    const adapter = new IoredisAdapter(client)
    const byKey = new Map()
    const lockOf = (key) => {
      let lock = byKey.get(key)
      if (lock === undefined) byKey.set(key, (lock = createLock({ adapter, key, ttl: TTL_MS })))
      return lock
    }
    return {
      acquire: (key) => lockOf(key).acquire(),
      release: (handle) => lockOf(handle.key).release(handle),
      close: closer(client),
    }
  },
}

/** What a library can't go below: SET NX and a script that deletes the caller's own, no queue, no fence, no clock. Not a contender. */
export async function openFloor(port) {
  const client = await connect(port)
  const lua = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"
  const sha = createHash('sha1').update(lua).digest('hex')
  await client.script('LOAD', lua)
  return {
    async acquire(key) {
      const lock = { key, token: randomUUID() }
      if ((await client.set(key, lock.token, 'PX', TTL_MS, 'NX')) === null) throw new Error(`${key} is locked`)
      return lock
    },
    release: ({ key, token }) => client.evalsha(sha, 1, key, token),
    close: closer(client),
  }
}

async function connect(port) {
  const client = new Redis({ host: '127.0.0.1', port, lazyConnect: true })
  await client.connect()
  return client
}

function closer(client) {
  return async () => client.disconnect()
}
