import { describe, expect, it } from 'vitest'
import { type RedisServer, startRedis } from '../support/redis-server.js'
import { waitFor } from '../support/wait-for.js'
import { badDay, NOTHING_WRONG, PATIENT } from './bad-day.js'
import { Fleet, TAG_CLOCK } from './fleet.js'

describe('a server whose memory is full', PATIENT, () => {
  it('and that evicts nothing stores no entries, and still takes every invalidation', async () => {
    const report = await badDay({
      async fault({ server, served, traffic }) {
        await server.command('CONFIG', 'SET', 'maxmemory', '1mb')
        const before = { ...traffic.acknowledged }
        const tried = { ...traffic.refused }
        await served(1_500)
        for (const operation of ['delete', 'invalidateByTag', 'deleteByPattern', 'clear', 'invalidateAround']) {
          expect.soft(traffic.acknowledged[operation], operation).toBeGreaterThan(before[operation] ?? 0)
          expect.soft(traffic.refused[operation] ?? 0, operation).toBe(tried[operation] ?? 0)
        }
        await server.command('CONFIG', 'SET', 'maxmemory', 0)
      },
    })
    expect(report).toMatchObject(NOTHING_WRONG)
    // Writes through the cache can't be stored.
    expect(report.refused['set']).toBeGreaterThan(0)
  })

  it.each(['allkeys-lru', 'allkeys-random'])(
    'and that evicts by %s may evict leases and the clock itself',
    async (policy) => {
      let evicted = 0
      const report = await badDay({
        losesHolds: true,
        async fault({ server, served }) {
          await server.command('CONFIG', 'SET', 'maxmemory-policy', policy)
          await server.command('CONFIG', 'SET', 'maxmemory', (await usedMemory(server)) + 300_000)
          for (let round = 0; round < 40; round++) {
            await Promise.all(
              Array.from({ length: 8 }, (_, i) =>
                server.command('SET', `foreign:${round}:${i}`, BALLAST, 'PX', 60_000),
              ),
            )
            await served(20)
          }
          evicted = await infoOf(server, 'stats', 'evicted_keys')
          await server.command('CONFIG', 'SET', 'maxmemory', 0)
        },
      })
      expect(report).toMatchObject(NOTHING_WRONG)
      expect(evicted).toBeGreaterThan(50)
    },
  )
})

describe('an invalidation at a server that has no memory left', PATIENT, () => {
  it('is in effect in every process at once', async () => {
    const server = await startRedis()
    const fleet = await Fleet.on(server, 2)
    try {
      const [{ cache }, { cache: other }] = fleet.members as [Fleet['members'][0], Fleet['members'][0]]
      for (const key of ['a', 'b', 'c', 'd']) await cache.set(key, 'old', { tags: [`of:${key}`] })
      await server.command('CONFIG', 'SET', 'maxmemory', '1mb')
      await expect(cache.set('e', 'new', { onUnavailable: 'throw' })).rejects.toThrow(/OOM/)
      await waitFor('the delete that follows a write that failed (R24)', () => fleet.pending === 0)

      await cache.delete('a')
      await cache.invalidateByTag('of:b')
      await cache.invalidateAround({ tags: ['of:c'] }, () => undefined)
      expect(await other.getMany(['a', 'b', 'c', 'd'])).toEqual([null, null, null, 'old'])
      await cache.clear()
      expect(await other.get('d')).toBeNull()
      expect(fleet.pending).toBe(0)
    } finally {
      await fleet.close()
      await server.stop()
    }
  })

  it('makes the clock, where there is none', async () => {
    const server = await startRedis({ args: ['--maxmemory', '1mb'] })
    const fleet = await Fleet.on(server, 1)
    try {
      const { cache } = fleet.members[0]!
      await cache.invalidateByTag('tag')
      await cache.clear()
      expect(await server.command('ZSCORE', TAG_CLOCK, '#g')).not.toBeNull()
    } finally {
      await fleet.close()
      await server.stop()
    }
  })
})

const BALLAST = 'x'.repeat(10_000)

const usedMemory = (server: RedisServer): Promise<number> => infoOf(server, 'memory', 'used_memory')

async function infoOf(server: RedisServer, section: string, field: string): Promise<number> {
  const info = String(await server.command('INFO', section))
  return Number(new RegExp(`^${field}:(\\d+)`, 'm').exec(info)![1])
}
