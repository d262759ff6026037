/**
 * A process that takes locks, for tests that kill and stop it. It uses what is built, does what its parent asks over IPC, one after the other,
 * and ends when the parent is gone. Its one argument is the JSON of `{ url, keyPrefix }`.
 */
import { LockEngine, RedisLockService } from '../../dist/lock/index.js'
import { RedisLockStore } from '../../dist/lock/stores/redis.js'
import { RedisConnection } from '../../dist/redis/index.js'
import { Keyspace } from '../../dist/redis/keyspace.js'

const { url, keyPrefix } = JSON.parse(process.argv[2])
const silent = { warn() {}, log() {}, debug() {} }
const connection = new RedisConnection({ url, commandTimeout: 2_000 }, { logger: silent })
await connection.ready()
const store = new RedisLockStore(connection, connection.door, new Keyspace(keyPrefix), {
  deadlineMs: connection.commandTimeoutMs,
  warn() {},
})
const locks = new RedisLockService(new LockEngine(store))

const tasks = {
  async acquire({ key, ttlMs, waitMs }) {
    const { fence } = await locks.acquire(key, ttlMs, waitMs)
    return { fence: String(fence) }
  },
  /** Holds a lock and lets nothing else run, no timer either, until its time is over; then looks. */
  async stun({ key, ttlMs }) {
    const lock = await locks.acquire(key, ttlMs, 0)
    let heard = false
    lock.signal.addEventListener('abort', () => (heard = true))
    process.send({ stunned: String(lock.fence) })
    const end = performance.now() + ttlMs + 50
    while (performance.now() < end);
    const before = heard
    try {
      lock.assertHeld()
      return { threw: null }
    } catch ({ code, reason }) {
      return { threw: code, reason, heardBefore: before, heardAfter: heard, aborted: lock.signal.aborted }
    }
  },
}

process.on('message', async ({ task, ...options }) => {
  try {
    process.send({ done: await tasks[task](options) })
  } catch (error) {
    process.send({ failed: String(error) })
  }
})
process.on('disconnect', () => process.exit())
process.send({ ready: true })
