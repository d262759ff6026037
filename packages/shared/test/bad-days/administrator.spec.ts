import { describe, expect, it } from 'vitest'
import { badDay, NOTHING_WRONG, PATIENT, refusals } from './bad-day.js'
import { TAG_CLOCK } from './fleet.js'

const ROUNDS = 15

describe('an administrator, under load,', PATIENT, () => {
  it('who flushes the scripts is not noticed at all', async () => {
    const report = await badDay({
      async fault({ server, served }) {
        for (let round = 0; round < ROUNDS; round++) {
          await server.command('SCRIPT', 'FLUSH', 'SYNC')
          await served(60)
        }
      },
    })
    expect(report).toMatchObject({ ...NOTHING_WRONG, refused: {} })
  })

  it.each([
    ['wipes the server', ['FLUSHALL']],
    ['deletes the clock', ['DEL', TAG_CLOCK]],
  ] as const)('who %s costs misses and nothing else', async (_, [name, ...args]) => {
    const report = await badDay({
      losesHolds: true,
      async fault({ server, served }) {
        for (let round = 0; round < ROUNDS; round++) {
          await server.command(name, ...args)
          await served(60)
        }
      },
    })
    expect(report).toMatchObject(NOTHING_WRONG)
  })

  it('who writes a text over the clock turns the cache off, until it is removed', async () => {
    const report = await badDay({
      losesHolds: true,
      async fault({ server, served, members }) {
        await server.command('SET', TAG_CLOCK, 'x')
        await served(500)
        const hits = members.map(({ cache }) => cache.getStatistics().hits)
        await served(200)
        expect(members.map(({ cache }) => cache.getStatistics().hits)).toEqual(hits)
        await server.command('DEL', TAG_CLOCK)
      },
    })
    expect(report).toMatchObject(NOTHING_WRONG)
    expect(refusals(report)).toBeGreaterThan(0)
    // They don't need the clock.
    expect(report.refused).not.toHaveProperty('delete')
    expect(report.refused).not.toHaveProperty('deleteByPattern')
  })
})
