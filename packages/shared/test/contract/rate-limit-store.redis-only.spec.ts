import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { RateLimitUnavailableError } from '../../src/rate-limit/errors.js'
import type { RateLimitRule } from '../../src/rate-limit/public-types.js'
import type { Ask, News } from '../../src/rate-limit/rate-limit-store.js'
import { Keyspace } from '../../src/redis/keyspace.js'
import { redisLimitStore } from '../support/limit-backends.js'
import { type RedisServer, startRedis } from '../support/redis-server.js'
import { TcpProxy } from '../support/tcp-proxy.js'
import { waitFor } from '../support/wait-for.js'
import { askOf } from './rate-limit-store.contract.js'

/** What only a real server has: keys that end by themselves, round trips, scripts that it forgets, and days on which it is away. */

const PREFIX = 'vextrus:'
const keyspace = new Keyspace(PREFIX)
const DAY_MS = 86_400_000
let user: string
let tests = 0

beforeEach(() => {
  user = `u${++tests}`
})

const ask = (rule: Partial<RateLimitRule> = {}, cost = 1, most = cost): Ask =>
  askOf(rule, { user, tenant: 't' }, cost, most)

describe('on a server that is well', () => {
  let server: RedisServer
  let client: Awaited<ReturnType<typeof redisLimitStore>>

  beforeAll(async () => {
    server = await startRedis()
    client = await redisLimitStore({ url: server.url }, PREFIX)
  })
  afterAll(async () => {
    await client.close()
    await server.stop()
  })

  const ttl = async (id: string): Promise<number> => Number(await server.command('PTTL', keyspace.limits + id))
  /** How often commands of this name were carried out. */
  async function calls(name: string): Promise<number> {
    const stats = String(await server.command('INFO', 'commandstats'))
    return Number(new RegExp(`^cmdstat_${name}:calls=(\\d+)`, 'm').exec(stats)?.[1] ?? 0)
  }

  it('a counter stays for as long as it means anything, and a second', async () => {
    const kept = async (rule: Partial<RateLimitRule>, cost: number, atMostMs: number): Promise<void> => {
      const part = ask({ name: JSON.stringify(rule), ...rule }, cost)
      await client.store.take([part])
      const ms = await ttl(part.id)
      expect(ms).toBeLessThanOrEqual(atMostMs + 1_000)
      // A slow answer takes from it.
      expect(ms).toBeGreaterThan(atMostMs - 30_000)
    }
    await kept({ limit: 10, window: '1h' }, 5, DAY_MS / 48)
    await kept({ limit: 10, window: '1h', burst: 100 }, 100, 10 * (DAY_MS / 24))
    await kept({ limit: 10, window: '1h', algorithm: 'fixed-window' }, 1, DAY_MS / 24)
    const sliding = ask({ limit: 10, window: '1h', algorithm: 'sliding-window' })
    await client.store.take([sliding])
    expect(await ttl(sliding.id)).toBeGreaterThan(DAY_MS / 24 - 30_000)
    expect(await ttl(sliding.id)).toBeLessThanOrEqual(2 * (DAY_MS / 24) + 1_000)
    // As the last of those of one tick leaves it.
    const twice = ask({ limit: 10, window: '1h', name: 'twice' }, 5)
    await Promise.all([client.store.take([twice]), client.store.take([twice])])
    expect(await ttl(twice.id)).toBeGreaterThan(DAY_MS / 24 - 30_000)
    // Given back in part, it ends earlier.
    const refunded = ask({ limit: 10, window: '1h', name: 'refunded' }, 5)
    await client.store.take([refunded])
    await client.store.refund([{ ...refunded, cost: 4 }])
    expect(await ttl(refunded.id)).toBeLessThanOrEqual(DAY_MS / 240 + 1_000)
    expect(await ttl(refunded.id)).toBeGreaterThan(0)
  })

  it('a counter of the largest numbers is kept, though its debt is paid in millions of years', async () => {
    const part = ask({ limit: 1, burst: 100_000_000, window: '366d' }, 100_000_000)
    expect(await client.store.take([part])).toMatchObject([{ granted: 100_000_000, remaining: 0 }])
    expect(await client.store.take([part])).toMatchObject([{ granted: 0, retryUs: expect.any(Number) as number }])
    expect(await ttl(part.id)).toBeGreaterThan(200 * 365 * DAY_MS)
    await client.store.refund([part])
    expect(await client.store.take([part])).toMatchObject([{ granted: 100_000_000 }])
  })

  it('a count, a place and a process stay for as long as they mean anything, and a second', async () => {
    const id = `{t}:${user}`
    await client.store.hit({ id, by: 1, windowMs: 60_000 })
    expect(await ttl(id)).toBeLessThanOrEqual(61_000)
    await client.store.hit({ id, by: 1, windowMs: 60_000, limit: 0, blockMs: 600_000 })
    expect(await ttl(id)).toBeGreaterThan(570_000)
    expect(await ttl(id)).toBeLessThanOrEqual(601_000)
    await client.store.enter({ id: `${id}p`, token: 'a' }, 2, 600_000)
    await client.store.enter({ id: `${id}p`, token: 'b' }, 2, 1_000)
    expect(await ttl(`${id}p`)).toBeGreaterThan(570_000)
    expect(await ttl(`${id}p`)).toBeLessThanOrEqual(601_000)
    await client.store.leave({ id: `${id}p`, token: 'a' })
    await client.store.leave({ id: `${id}p`, token: 'b' })
    expect(await ttl(`${id}p`)).toBe(-2)
    await client.store.seen('p', 60_000)
    const processes = Number(await server.command('PTTL', keyspace.limitProcesses))
    expect(processes).toBeGreaterThan(30_000)
    expect(processes).toBeLessThanOrEqual(61_000)
  })

  it('50 demands of one tick are one script, and a refusal writes nothing', async () => {
    const part = ask({ limit: 60 })
    await client.store.take([part])
    for (const [demands, scripts, writes] of [
      [50, 1, true],
      [100, 2, true],
      [51, 2, false],
    ] as const) {
      const before = [await calls('evalsha'), await calls('set')]
      await Promise.all(Array.from({ length: demands }, () => client.store.take([part])))
      expect([(await calls('evalsha')) - before[0]!, (await calls('set')) > before[1]!]).toEqual([scripts, writes])
    }
  })

  it('scripts that the server has forgotten are sent again, and nothing is taken twice', async () => {
    const part = ask({ limit: 10 })
    await client.store.take([part])
    await server.command('SCRIPT', 'FLUSH')
    const [one, two] = await Promise.all([client.store.take([part]), client.store.peek([part])])
    expect([one, two]).toMatchObject([[{ granted: 1, remaining: 8 }], [{ remaining: 8 }]])
    await server.command('SCRIPT', 'FLUSH')
    await client.store.refund([part])
    expect(await client.store.hit({ id: `{t}:${user}`, by: 1, windowMs: 1_000 })).toMatchObject({ hits: 1 })
    expect(await client.store.peek([part])).toMatchObject([{ remaining: 9 }])
  })

  describe('a key that somebody else wrote', () => {
    const NOT_A_NUMBER = Buffer.alloc(24)
    for (const at of [0, 8, 16]) NOT_A_NUMBER.writeDoubleLE(NaN, at)
    const foreign: readonly (readonly [string, (key: string) => readonly [string, ...(string | Buffer)[]]])[] = [
      ['too short', (key) => ['SET', key, 'x', 'PX', '60000']],
      ['a text of 24 characters', (key) => ['SET', key, '{"a":"text of others:)"}', 'PX', '60000']],
      ['no numbers', (key) => ['SET', key, NOT_A_NUMBER, 'PX', '60000']],
      ['a list', (key) => ['RPUSH', key, 'x']],
    ]

    it.each(foreign)('is no counter, and fails neither its demand nor others of the same run: %s', async (_, write) => {
      for (const algorithm of ['token-bucket', 'sliding-window', 'fixed-window'] as const) {
        const [broken, whole] = [ask({ algorithm, name: 'broken' }), ask({ algorithm, name: 'whole' })]
        const spoil = (): Promise<unknown> => server.command(...write(keyspace.limits + broken.id))
        await spoil()
        expect(
          await Promise.all([client.store.take([broken]), client.store.take([whole]), client.store.peek([broken])]),
        ).toMatchObject([[{ granted: 1, remaining: 9 }], [{ granted: 1, remaining: 9 }], [{ remaining: 9 }]])
        expect(await client.store.take([broken])).toMatchObject([{ granted: 1, remaining: 8 }])
        await server.command('DEL', keyspace.limits + broken.id)
        await spoil()
        await client.store.refund([broken, whole])
        expect(await client.store.peek([broken, whole])).toMatchObject([{ remaining: 10 }, { remaining: 10 }])
        await client.store.reset([broken, whole])
      }
      const id = `{h}:${user}`
      await server.command(...write(keyspace.limits + id))
      expect(await client.store.hit({ id, by: 1, windowMs: 60_000 })).toMatchObject({ hits: 1 })
      expect(await client.store.hit({ id, by: 1, windowMs: 60_000 })).toMatchObject({ hits: 2 })
    })
  })
})

describe('under a user who may not hear', () => {
  it('a listener is told that it can’t be told, and limits are limits', async () => {
    const server = await startRedis()
    await server.command('ACL', 'SETUSER', 'deaf', 'on', '>secret', '~vextrus*', '+@all')
    const { host, port } = server
    const client = await redisLimitStore({ host, port, username: 'deaf', password: 'secret' }, PREFIX)
    try {
      const listener = { news: () => undefined, deaf: () => undefined, heard: () => undefined }
      await expect(client.store.listen(listener)).rejects.toThrow(RateLimitUnavailableError)
      expect(await client.store.take([ask()])).toMatchObject([{ granted: 1 }])
    } finally {
      await client.close()
      await server.stop()
    }
  })

  it('nor tell: what nobody would be told of is not given back, and who asked for it hears that it was not', async () => {
    const server = await startRedis()
    await server.command('ACL', 'SETUSER', 'deaf', 'on', '>secret', '~vextrus*', '+@all')
    const { host, port } = server
    const client = await redisLimitStore({ host, port, username: 'deaf', password: 'secret' }, PREFIX)
    try {
      const demand = [ask({ name: 'one' }), ask({ name: 'two' })]
      await client.store.take(demand)
      await expect(client.store.refund(demand)).rejects.toThrow(RateLimitUnavailableError)
      await expect(client.store.reset(demand)).rejects.toThrow(RateLimitUnavailableError)
      expect(await client.store.peek(demand)).toMatchObject([{ remaining: 9 }, { remaining: 9 }])
    } finally {
      await client.close()
      await server.stop()
    }
  })
})

describe('news over a bad network', () => {
  let server: RedisServer
  let proxy: TcpProxy
  let client: Awaited<ReturnType<typeof redisLimitStore>>
  let heard: News[]
  let gaps: string[]

  beforeEach(async () => {
    server = await startRedis()
    proxy = await TcpProxy.to(server.port)
    client = await redisLimitStore({ host: '127.0.0.1', port: proxy.port }, PREFIX)
    ;[heard, gaps] = [[], []]
  })
  afterEach(async () => {
    await client.close()
    await proxy.stop()
    await server.stop()
  })

  const listen = (): Promise<() => void> =>
    client.store.listen({
      news: (news) => heard.push(news),
      deaf: () => gaps.push('deaf'),
      heard: () => gaps.push('heard'),
    })
  const publish = (text: string): Promise<unknown> => server.command('PUBLISH', keyspace.limitNews, text)

  it('who listens is told when the connection is cut, and again when all news come; what was told between is not heard', async () => {
    await listen()
    gaps = []
    proxy.hold()
    proxy.cut()
    await waitFor('it to be known', () => gaps.includes('deaf'))
    await publish('cmissed')
    expect(gaps).toEqual(['deaf'])
    proxy.release()
    await waitFor('the news to flow again', () => gaps.includes('heard'))
    await publish('clater')
    await waitFor('the news', () => heard.length > 0)
    expect(heard).toEqual([{ type: 'counter', id: 'later' }])
    expect(gaps).toEqual(['deaf', 'heard'])
  })

  it('who listens is told when its connection is open and silent', async () => {
    await listen()
    gaps = []
    proxy.hold('subscribe')
    await waitFor('it to be known', () => gaps.includes('deaf'), 30_000)
    await waitFor('the news to flow again', () => gaps.includes('heard'), 30_000)
    await publish('clater')
    await waitFor('the news', () => heard.length > 0)
    expect(heard).toEqual([{ type: 'counter', id: 'later' }])
  })

  it('who does not listen any more is told nothing', async () => {
    const stop = await listen()
    stop()
    gaps = []
    proxy.cut()
    const again = await listen()
    await publish('clater')
    await waitFor('the news of the second', () => heard.length > 0)
    expect(heard).toHaveLength(1)
    again()
  })
})

describe('on a server that is away', () => {
  const TIMEOUT_MS = 1_500
  let server: RedisServer
  let client: Awaited<ReturnType<typeof redisLimitStore>>

  beforeEach(async () => {
    server = await startRedis()
    client = await redisLimitStore({ url: server.url }, PREFIX, TIMEOUT_MS)
  })
  afterEach(async () => {
    await client.close()
    await server.stop()
  })

  /** Every call of the port that asks something. */
  const all = (): Promise<unknown>[] => {
    const { store } = client
    const place = { id: `{t}:p${user}`, token: 'a' }
    return [
      store.take([ask()]),
      store.peek([ask()]),
      store.refund([ask()]),
      store.reset([ask()]),
      store.hit({ id: `{t}:h${user}`, by: 1, windowMs: 1_000 }),
      store.enter(place, 1, 1_000),
      store.leave(place),
      store.seen('p', 1_000),
      store.announce({ type: 'plan', tenant: 't' }),
    ]
  }
  const errors = async (calls: readonly Promise<unknown>[]): Promise<RateLimitUnavailableError[]> =>
    (await Promise.allSettled(calls)).map((outcome) => {
      expect(outcome.status).toBe('rejected')
      const reason: unknown = (outcome as PromiseRejectedResult).reason
      expect(reason).toBeInstanceOf(RateLimitUnavailableError)
      expect(reason).toMatchObject({ code: 'RATE_LIMIT_UNAVAILABLE', cause: expect.any(Error) as Error })
      return reason as RateLimitUnavailableError
    })
  /** Until it takes again. */
  const recovered = (): Promise<void> =>
    waitFor('the store to take again', () =>
      client.store.take([ask()]).then(
        () => true,
        () => false,
      ),
    )

  it('every call says so, and that nothing was sent; when it is back, all goes on', async () => {
    await server.kill()
    await errors([client.store.take([ask()])])
    await waitFor('the connection to be gone', async () => (await errors([client.store.take([ask()])]))[0]!.unsent)
    for (const error of await errors(all())) expect(error.unsent).toBe(true)
    await server.restart()
    await recovered()
    await Promise.all(all())
  })

  it('one that stands still is waited for once, and what was sent may have been done; until it answers, nothing is sent', async () => {
    await Promise.all(all())
    const late = ask({ limit: 10, name: 'late' })
    server.pause()
    try {
      const start = performance.now()
      const asked = [...all(), client.store.take([late])]
      for (const error of await errors(asked)) expect(error).toMatchObject({ unsent: false })
      expect(performance.now() - start).toBeGreaterThanOrEqual(TIMEOUT_MS - 50)
      for (const error of await errors([...all(), client.store.take([late])])) {
        expect(error).toMatchObject({ unsent: true })
      }
    } finally {
      server.resume()
    }
    await recovered()
    // What was sent while it stood still was done after all, and what was not sent was not.
    expect(await client.store.peek([late])).toMatchObject([{ remaining: 9 }])
    await Promise.all(all())
  })
})
