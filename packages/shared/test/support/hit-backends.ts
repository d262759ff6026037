import { vi } from 'vitest'
import { RateLimiterService } from '../../src/rate-limit/rate-limiter.js'
import { Keyspace } from '../../src/redis/keyspace.js'
import { redisLimitStore } from './limit-backends.js'
import { LimitWorld } from './limit-world.js'
import type { RedisServer } from './redis-server.js'

/**
 * What adapters of other libraries stand on, and the time of both: those libraries read `Date`, which is a fake one here. All times of a scenario
 * are multiples of {@link UNIT_S}.
 */
export interface HitBackend {
  /** Absent where the other library counts by itself. */
  readonly limiter?: RateLimiterService
  /** So much time passes. */
  advance(ms: number): Promise<void>
  /** Seconds that a response told of, without those that really passed since a scenario began. */
  told(seconds: number): number
  close(): Promise<void>
}

/** Longer than a scenario takes in reality, so that none of its times ends by itself. */
export const UNIT_S = 20

/** The storage of the other library: what ours is compared with. */
export async function theirOwn(): Promise<HitBackend> {
  const advanceDate = fakeDate()
  return { advance: async (ms) => advanceDate(ms), told: same, close: async () => void vi.useRealTimers() }
}

/** Ours on the memory driver. */
export async function oursInMemory(): Promise<HitBackend> {
  const advanceDate = fakeDate()
  const world = new LimitWorld()
  const { limiter } = world.process()
  return {
    limiter,
    told: same,
    async advance(ms) {
      advanceDate(ms)
      await world.clock.advance(ms)
    },
    async close() {
      await limiter.close()
      vi.useRealTimers()
    },
  }
}

let made = 0

/** Ours on a real Redis, whose windows grow older when a test says so. */
export async function oursOnRedis(server: RedisServer): Promise<HitBackend> {
  const prefix = `hits${made++}:`
  const { store, close } = await redisLimitStore({ url: server.url }, prefix)
  const limiter = new RateLimiterService(() => store)
  const advanceDate = fakeDate()
  return {
    limiter,
    told: (seconds) => Math.ceil(seconds / UNIT_S) * UNIT_S,
    async advance(ms) {
      advanceDate(ms)
      await ageWindows(server, `${new Keyspace(prefix).limits}{h:*`, ms)
    },
    async close() {
      await limiter.close()
      await close()
      vi.useRealTimers()
    },
  }
}

function same(seconds: number): number {
  return seconds
}

function fakeDate(): (ms: number) => void {
  vi.useFakeTimers({ toFake: ['Date'] })
  return (ms) => vi.setSystemTime(Date.now() + ms)
}

/** Redis' clock can't be set: what `lua/hit.lua` wrote (hits, the window's end, the block's end) is made as old as it would be. */
async function ageWindows(server: RedisServer, pattern: string, ms: number): Promise<void> {
  const earlier = (time: string | undefined): string => (time === '0' ? '0' : String(Number(time) - ms))
  // The server is the test's own and small.
  for (const key of (await server.command('KEYS', pattern)) as string[]) {
    const [hits, ends, opens] = String(await server.command('GET', key)).split(' ')
    const staysMs = Number(await server.command('PTTL', key)) - ms
    if (staysMs <= 0) await server.command('DEL', key)
    else await server.command('SET', key, `${hits} ${earlier(ends)} ${earlier(opens)}`, 'PX', staysMs)
  }
}
