/**
 * A process that consumes messages of a group, for tests that kill it. It uses what is built, tells its parent of each message over IPC, never
 * finishes one, and ends when the parent is gone. Its one argument is the JSON of `{ url, keyPrefix, channel, idle }`.
 */
import { RedisPubSubService } from '../../dist/pubsub/index.js'
import { RedisPubSubStore } from '../../dist/pubsub/stores/redis.js'
import { RedisConnection } from '../../dist/redis/index.js'
import { Keyspace } from '../../dist/redis/keyspace.js'

const { url, keyPrefix, channel, idle } = JSON.parse(process.argv[2])
process.on('disconnect', () => process.exit())
const silent = { warn() {}, log() {}, debug() {} }
const connection = new RedisConnection({ url, commandTimeout: 5_000 }, { logger: silent })
await connection.ready()
const store = new RedisPubSubStore(connection, connection.door, new Keyspace(keyPrefix), { keepMs: 60_000, warn() {} })
const messages = new RedisPubSubService(() => store, { idle })
await messages.subscribe(
  channel,
  (message) => {
    process.send({ message })
    return new Promise(() => {})
  },
  { group: 'g', from: 'start' },
)
process.send({ ready: true })
