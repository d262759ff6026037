import { cpSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { startRedis } from '../support/redis-server.js'
import { badDay, NOTHING_WRONG, PATIENT, refusals } from './bad-day.js'
import { Fleet } from './fleet.js'

const EVERYSEC = ['--appendfsync', 'everysec']

describe('a server that is killed in mid-traffic', PATIENT, () => {
  it('and comes back empty leaves every answer equal to the database', async () => {
    const report = await badDay({
      losesHolds: true,
      async fault({ server, served }) {
        await server.kill()
        await served(300)
        await server.restart()
      },
    })
    expect(report).toMatchObject(NOTHING_WRONG)
    expect(refusals(report)).toBeGreaterThan(0)
  })

  it('again and again leaves every answer equal to the database', async () => {
    const report = await badDay({
      losesHolds: true,
      async fault({ server, served }) {
        for (let kill = 0; kill < 4; kill++) {
          await server.restart()
          await served(200)
        }
      },
    })
    expect(report).toMatchObject(NOTHING_WRONG)
    expect(refusals(report)).toBeGreaterThan(0)
  })

  it.each([
    ['always', []],
    ['every second', EVERYSEC],
  ])(
    'and comes back with its append-only file, written %s, leaves every answer equal to the database',
    async (_, args) => {
      const report = await badDay({
        server: { appendonly: true, args },
        async fault({ server, served }) {
          await server.kill()
          await served(300)
          await server.restart()
        },
      })
      expect(report).toMatchObject(NOTHING_WRONG)
      expect(refusals(report)).toBeGreaterThan(0)
    },
  )

  it('and comes back with what it held some time ago answers none of it', async () => {
    const report = await badDay({
      server: { appendonly: true, args: EVERYSEC },
      losesHolds: true,
      async fault({ server, served, traffic }) {
        const remember = backup(server.dir)
        await served(500)
        // A clear that is repeated after the restart would take the old entries away, whatever they are.
        await traffic.calm()
        await server.kill()
        remember()
        await server.restart()
      },
    })
    expect(report).toMatchObject(NOTHING_WRONG)
  })
})

describe(
  'a deletion that was acknowledged and that the server forgot, with the entry back from its file',
  PATIENT,
  () => {
    it.each([
      ['is still in effect', 'flush', null],
      ["is not, where failovers are trusted: that is what 'trust' means", 'trust', 'old'],
    ] as const)('%s', async (_, onFailover, expected) => {
      const server = await startRedis({ appendonly: true })
      const fleet = await Fleet.on(server, 2, { onFailover })
      try {
        const [{ cache }, other] = fleet.members as [Fleet['members'][0], Fleet['members'][0]]
        await cache.set('product:1', 'old')
        await cache.set('product:2', 'untouched')
        const remember = backup(server.dir)
        expect(await cache.delete('product:1')).toBe(1)
        await server.kill()
        remember()
        await server.restart()
        await other.connection.ready()
        expect(await other.cache.get('product:1')).toBe(expected)
      } finally {
        await fleet.close()
        await server.stop()
      }
    })
  },
)

/** Copies a server's append-only file as it is now; what it answers puts the copy in its place, as a lost disk cache would. */
function backup(dir: string): () => void {
  const [live, copy] = [join(dir, 'appendonlydir'), join(dir, 'copy')]
  cpSync(live, copy, { recursive: true })
  return () => {
    rmSync(live, { recursive: true })
    cpSync(copy, live, { recursive: true })
  }
}
