import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { SessionService } from '../../src/session/index.js'
import { compiled, startProgram, type Worker } from '../rig/fleet.js'
import { type RedisServer, startRedis } from '../support/redis-server.js'
import { redisSessionStore } from '../support/session-backends.js'
import { waitFor } from '../support/wait-for.js'

const PREFIX = 'vextrus:'
const PROCESSES = 4

/** One session in the hands of four real processes. */
describe('a session that four processes use at once', () => {
  let server: RedisServer
  let fleet: Worker[]
  let sessions: SessionService<{ count: number }>
  let close: () => Promise<void>
  let begun = 0

  beforeAll(async () => {
    server = await startRedis()
    const { store, connection } = await redisSessionStore({ url: server.url }, PREFIX)
    close = () => connection.close()
    sessions = new SessionService(() => store)
    const program = new URL('session-process.mjs', import.meta.url).pathname
    const dist = new URL('..', compiled('session/index.js')).href
    const options = { url: server.url, keyPrefix: PREFIX, dist }
    const events = { counts: () => void begun++ }
    fleet = await Promise.all(
      Array.from({ length: PROCESSES }, (_, i) =>
        startProgram(program, { name: `process ${i + 1}`, ...options }, events),
      ),
    )
  })
  afterAll(async () => {
    await Promise.all(fleet.map((worker) => worker.close()))
    await close()
    await server.stop()
  })

  it('loses none of 200 changes', async () => {
    const { id } = await sessions.create('u1', { count: 0 })
    await Promise.all(fleet.map((worker) => worker.ask('increment', { id, times: 200 / PROCESSES })))
    expect((await sessions.get(id))!.data.count).toBe(200)
  })

  it('ends for all of them with a log-out, and none of 48 requests that are under way revives it', async () => {
    const { id } = await sessions.create('u1', { count: 0 })
    begun = 0
    const using = fleet.map((worker) =>
      worker.ask<{ served: number; revived: number }>('useUntilRefused', { id, lanes: 48 / PROCESSES, started: 20 }),
    )
    const outcomes = Promise.all(using)
    await waitFor('every process uses the session', () => begun === PROCESSES)
    expect(await sessions.destroy(id)).toBe(true)
    expect(await sessions.get(id)).toBeNull()
    for (const { served, revived } of await outcomes) {
      expect(served).toBeGreaterThanOrEqual(20)
      expect(revived).toBe(0)
    }
    expect(await sessions.get(id)).toBeNull()
    expect(await sessions.destroyAllForUser('u1')).toBeLessThanOrEqual(1)
    expect(await sessions.listForUser('u1')).toEqual([])
  })
})
