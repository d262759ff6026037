import { describe, expect, it } from 'vitest'
import { startRedis } from '../support/redis-server.js'
import { waitFor } from '../support/wait-for.js'
import { badDay, NOTHING_WRONG, PATIENT, refusals } from './bad-day.js'

/** A heartbeat, every 500 ms, and the time of a busy machine. */
const NOTICED_MS = 3_000

describe('a server that is made a replica of another', PATIENT, () => {
  it('refuses writes, is left within a heartbeat, and is used again when it is a master', async () => {
    const another = await startRedis()
    let noticedMs = Infinity
    try {
      const report = await badDay({
        losesHolds: true,
        async fault({ server, served, members }) {
          await server.command('REPLICAOF', another.host, another.port)
          const demoted = performance.now()
          await waitFor('the role to be seen', () => members.every(({ connection }) => connection.status !== 'ready'))
          noticedMs = performance.now() - demoted
          await served(500)
          await server.command('REPLICAOF', 'NO', 'ONE')
        },
      })
      expect(report).toMatchObject(NOTHING_WRONG)
      expect(refusals(report)).toBeGreaterThan(0)
      expect(noticedMs).toBeLessThan(NOTICED_MS)
    } finally {
      await another.stop()
    }
  })
})
