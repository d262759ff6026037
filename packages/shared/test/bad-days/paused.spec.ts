import { setTimeout } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { badDay, NOTHING_WRONG, PATIENT, refusals } from './bad-day.js'
import { COMMAND_TIMEOUT_MS } from './fleet.js'

describe('a server that does not answer', PATIENT, () => {
  it('because it is stopped for 5 s keeps nobody waiting, and carries out late what was given up', async () => {
    const report = await badDay({
      async fault({ server, served }) {
        server.pause()
        await Promise.all([setTimeout(5_000), served(2_000)])
        server.resume()
      },
    })
    expect(report).toMatchObject(NOTHING_WRONG)
    expect(refusals(report)).toBeGreaterThan(0)
  })

  it('because it is busy for longer than an answer is waited for', async () => {
    const report = await badDay({
      server: { args: ['--enable-debug-command', 'yes'] },
      async fault({ server, served }) {
        for (let round = 0; round < 3; round++) {
          await server.command('DEBUG', 'SLEEP', (1.5 * COMMAND_TIMEOUT_MS) / 1_000)
          await served(200)
        }
      },
    })
    expect(report).toMatchObject(NOTHING_WRONG)
    expect(refusals(report)).toBeGreaterThan(0)
  })

  it.each(['ALL', 'WRITE'])('because it was told CLIENT PAUSE … %s', async (which) => {
    const report = await badDay({
      async fault({ server, hits }) {
        await server.command('CLIENT', 'PAUSE', 3 * COMMAND_TIMEOUT_MS, which)
        await hits(50)
      },
    })
    expect(report).toMatchObject(NOTHING_WRONG)
    expect(refusals(report)).toBeGreaterThan(0)
  })

  it('because it hangs up, on everybody, all the time', async () => {
    const report = await badDay({
      async fault({ server, served }) {
        for (let round = 0; round < 15; round++) {
          await server.command('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
          if (round % 3 === 0) await server.command('CLIENT', 'KILL', 'TYPE', 'pubsub')
          await served(60)
        }
      },
    })
    expect(report).toMatchObject(NOTHING_WRONG)
    expect(refusals(report)).toBeGreaterThan(0)
  })
})
