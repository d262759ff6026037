/**
 * A process that has sessions, for races of several. It runs what is built, does what its parent asks over IPC, answers each question by number, and
 * ends when the parent is gone. Its one argument is the JSON of `{ url, keyPrefix, dist }`.
 */
const { url, keyPrefix, dist } = JSON.parse(process.argv[2])
const from = (file) => import(new URL(file, dist).href)
const { SessionService } = await from('session/session.js')
const { RedisSessionStore } = await from('session/stores/redis.js')
const { RedisConnection } = await from('redis/connection.js')
const { Keyspace } = await from('redis/keyspace.js')

/** Longer than a busy machine takes. */
const PATIENCE_MS = 20_000
const silent = { warn() {}, log() {}, debug() {} }
const connection = new RedisConnection({ url, commandTimeout: PATIENCE_MS }, { logger: silent })
await connection.ready()
const store = new RedisSessionStore(connection, new Keyspace(keyPrefix))
const sessions = new SessionService(() => store)

const tasks = {
  /** So many changes of one session at once. */
  async increment({ id, times }) {
    const changes = Array.from({ length: times }, () => sessions.update(id, ({ count }) => ({ count: count + 1 })))
    await Promise.all(changes)
  },
  /**
   * Requests of every kind on one session, each lane again and again until it is refused. Answers how many were served, and those that were served
   * although they began after one that was refused: there must be none.
   */
  async useUntilRefused({ id, lanes, started }) {
    const calls = [
      () => sessions.get(id),
      () => sessions.touch(id),
      () => sessions.update(id, ({ count }) => ({ count: count + 1 })).catch(refused),
      () => sessions.get(id),
    ]
    let served = 0
    let revived = 0
    let ended = false
    await Promise.all(
      Array.from({ length: lanes }, async (_, lane) => {
        for (let round = 0; round < MOST_ROUNDS; round++) {
          const endedBefore = ended
          const answer = await calls[lane % calls.length]()
          if (answer === null || answer === false) {
            ended = true
            return
          }
          served++
          if (served === started) process.send({ event: 'counts', counts: { served } })
          if (endedBefore) revived++
        }
        throw new Error(`${MOST_ROUNDS} rounds, and the session has not ended`)
      }),
    )
    return { served, revived }
  },
  async close() {
    await connection.close()
    setImmediate(() => process.disconnect())
  },
}

const MOST_ROUNDS = 100_000

function refused(error) {
  if (error.code === 'SESSION_NOT_FOUND' || error.code === 'SESSION_CONFLICT') return error.code === 'SESSION_CONFLICT'
  throw error
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
