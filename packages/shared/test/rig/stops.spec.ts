import { setTimeout } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type RedisServer, startRedis } from '../support/redis-server.js'
import { SeededRandom } from '../support/seeded-random.js'
import { waitFor } from '../support/wait-for.js'
import { startWorker, type Worker } from './fleet.js'
import { Network } from './network.js'

const STALENESS_MS = 400
/** Three times that: what is not noticed shows. */
const LONG_MS = 1_200
const WRITE_EVERY_MS = 40
const PATIENCE_MS = 40_000

interface Run {
  readonly level: 'l1' | 'l2'
  readonly version: number | null
  readonly reads: number
  /** Machine ms. */
  readonly last: number
}

/**
 * Promise P2 where it is hard (R18, R20): the process cannot hear that a key was written, and has to know by itself that it has not heard. The
 * race does the same at random, and for longer.
 */
describe.concurrent('an answer from memory is never as old as `staleness`', () => {
  let server: RedisServer
  let writer: Worker
  /** When the writing of each version had resolved, machine ms. */
  const acknowledged: number[] = []
  let writing: Promise<void>
  let isOver = false

  beforeAll(async () => {
    server = await startRedis()
    writer = await startWorker({
      name: 'writer',
      mode: 'vextrus',
      redis: { host: server.host, port: server.port },
      l1: false,
    })
    writing = (async () => {
      while (!isOver) {
        const version = acknowledged.length
        const at = await writer.ask<number | null>('set', { key: 'k', value: { version } })
        // Refused, on a machine that is slow just now: nothing was acknowledged, and the same version is written again.
        if (at !== null) acknowledged.push(at)
        await setTimeout(WRITE_EVERY_MS)
      }
    })()
  })
  afterAll(async () => {
    isOver = true
    await writing
    await writer.close()
    await server.stop()
  })

  it.each<[string, Fault]>([
    ['its tracking connection is half-open', async ({ network }) => network.lose('tracking')],
    ['nothing reaches it any more, but the server hears it', async ({ network }) => network.lose('tracking', true)],
    ['all of its connections are half-open', async ({ network }) => (network.lose('tracking'), network.lose('data'))],
    ['what it should hear comes late', async ({ network }) => network.slow('tracking', 600, LONG_MS)],
    ['it is stopped', async ({ reader }) => stop(reader)],
    ['its event loop is blocked', async ({ reader }) => reader.ask('blockFollower', { ms: LONG_MS })],
  ])('when %s', { timeout: 120_000 }, async (what, fault) => {
    const network = await Network.to(server.port, new SeededRandom(1))
    const reader = await startWorker({
      name: 'reader',
      mode: 'vextrus',
      redis: { host: server.host, port: network.port },
      l1: { values: 'copy', staleness: STALENESS_MS },
    })
    const followed = reader.ask<Run[]>('follow', { key: 'k' })
    // Where something else fails first, the reader ends without an answer.
    followed.catch(() => undefined)
    try {
      await inMemory(reader)
      await fault({ reader, network })
      const since = acknowledged.length
      await setTimeout(LONG_MS)
      await inMemory(reader, since)
      await reader.ask('stopFollower')
      const runs = await followed
      const fromMemory = runs.filter(({ level, version }) => level === 'l1' && version !== null)
      const ages = fromMemory.map(({ version, last }) => last - (acknowledged[version! + 1] ?? Infinity))
      const reads = fromMemory.reduce((sum, run) => sum + run.reads, 0)
      console.log(`stops, ${what}: ${reads} reads from memory, the oldest ${Math.max(...ages).toFixed(1)} ms behind`)
      expect(Math.max(...ages)).toBeLessThan(STALENESS_MS)
    } finally {
      await reader.close()
      await network.stop()
    }
  })

  /** Until it answers from memory, with a version that is at least so new. */
  async function inMemory(reader: Worker, version = 0): Promise<void> {
    await waitFor(
      'answers from memory',
      async () => {
        const last = await reader.ask<Run | undefined>('lastFromMemory')
        return last !== undefined && last.version! >= version && last.reads > 50
      },
      PATIENCE_MS,
    )
  }
})

interface Situation {
  readonly reader: Worker
  readonly network: Network
}
type Fault = (situation: Situation) => Promise<unknown>

async function stop(reader: Worker): Promise<void> {
  reader.signal('SIGSTOP')
  await setTimeout(LONG_MS)
  reader.signal('SIGCONT')
}
