/**
 * A process that revokes tokens, and one that refuses them. It runs what is built, does what its parent asks over IPC, answers each question by
 * number, and ends when the parent is gone. Its one argument is the JSON of `{ url, keyPrefix, dist }`.
 */
import { setTimeout } from 'node:timers/promises'
import { machineMs } from '../rig/machine-ms.mjs'

const { url, keyPrefix, dist } = JSON.parse(process.argv[2])
const from = (file) => import(new URL(file, dist).href)
const { RedisPushes } = await from('cache/stores/redis-pushes.js')
const { JwtBlacklistService } = await from('jwt/jwt-blacklist.js')
const { RedisJwtStore } = await from('jwt/stores/redis.js')
const { RedisConnection } = await from('redis/connection.js')
const { Keyspace } = await from('redis/keyspace.js')

const silent = { warn() {}, log() {}, debug() {} }
const keyspace = new Keyspace(keyPrefix)
const connection = new RedisConnection({ url, commandTimeout: 20_000 }, { logger: silent })
await connection.ready()
const pushes = new RedisPushes(connection, keyspace, () => undefined)
pushes.start()
const store = new RedisJwtStore(connection, pushes.sourceOf(keyspace.jwt), keyspace)
let reads = 0
const { read } = store
store.read = (marks) => {
  reads++
  return read.call(store, marks)
}
const blacklist = new JwtBlacklistService(() => store)
for (const until = machineMs() + 20_000; !pushes.live; await setTimeout(5)) {
  if (machineMs() > until) throw new Error('the pushes do not flow')
}

const tasks = {
  /** Accepts them all, and knows them. */
  async know({ tokens }) {
    for (const claims of tokens) if (await blacklist.isRevoked(claims)) throw new Error(`${claims.jti} is revoked`)
  },
  /** Revokes them one after the other; when each was acknowledged. */
  async revoke({ tokens, everyMs }) {
    const acknowledged = []
    for (const { jti, exp } of tokens) {
      await blacklist.revoke({ jti, exp })
      acknowledged.push(machineMs())
      await setTimeout(everyMs)
    }
    return acknowledged
  },
  /** Asks for all of them again and again until each is refused; when it first was, and how often it asked whom. */
  async watch({ tokens, deadlineMs }) {
    const refused = tokens.map(() => null)
    let checks = 0
    const before = reads
    for (const until = machineMs() + deadlineMs; refused.includes(null); await setTimeout(1)) {
      if (machineMs() > until) break
      for (const [i, claims] of tokens.entries()) {
        if (refused[i] !== null) continue
        checks++
        if (await blacklist.isRevoked(claims)) refused[i] = machineMs()
      }
    }
    return { refused, checks, reads: reads - before }
  },
  async close() {
    blacklist.close()
    pushes.close()
    await connection.close()
    setImmediate(() => process.disconnect())
  },
}

process.on('message', async ({ id, task, input }) => {
  try {
    process.send({ id, output: await tasks[task](input) })
  } catch (error) {
    process.send({ id, error: String(error?.stack ?? error) })
  }
})
process.on('disconnect', () => process.exit())
process.send({ event: 'ready' })
