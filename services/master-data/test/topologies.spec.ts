import { DataSource } from 'typeorm'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startCluster } from '../../../packages/shared/test/support/redis-cluster.js'
import { startSentinel } from '../../../packages/shared/test/support/redis-sentinel.js'
import { startRedis } from '../../../packages/shared/test/support/redis-server.js'
import { readConfig } from '../src/config.js'
import {
  startDatabase,
  startTestService,
  TENANT,
  type TestService,
  until,
  type TestDatabase,
} from './support/service.js'

/** The service as the environment configures it, on every kind of Redis: what it answers is what the database holds, also through a failover. */

type Victim = 'the master of the tag clock' | 'a master of entries alone'

interface Topology {
  readonly environment: Record<string, string>
  /** Whose loss is tried. A master that died has no replica any more to stand in for it a second time. */
  readonly victims: readonly Victim[]
  /** Ends a master: that of the tag clock, or one that only has entries. */
  kill(victim: Victim): Promise<void>
  /** Resolves when there is a master again. */
  promoted(): Promise<void>
  stop(): Promise<void>
}

const nothing = () => Promise.resolve()

type Kind = 'memory' | 'one server' | 'a Sentinel set' | 'a Cluster'

const topologies: Record<Kind, () => Promise<Topology>> = {
  memory: () => Promise.resolve({ environment: {}, victims: [], kill: nothing, promoted: nothing, stop: nothing }),
  async 'one server'() {
    const server = await startRedis({ password: 'word' })
    const environment = { REDIS_HOST: server.host, REDIS_PORT: String(server.port), REDIS_PASSWORD: 'word' }
    return {
      environment,
      victims: ['the master of the tag clock'],
      kill: () => server.kill(),
      promoted: () => server.restart(),
      stop: () => server.stop(),
    }
  },
  async 'a Sentinel set'() {
    const set = await startSentinel({ password: 'word', sentinelPassword: 'watch' })
    let before = 0
    return {
      environment: {
        REDIS_SENTINELS: list(set.nodes),
        REDIS_SENTINEL_NAME: set.name,
        REDIS_SENTINEL_PASSWORD: 'watch',
        REDIS_PASSWORD: 'word',
      },
      victims: ['the master of the tag clock'],
      async kill() {
        before = await set.masterPort()
        await (await set.master()).kill()
      },
      promoted: () => until('a replica is promoted', async () => (await set.masterPort()) !== before, 20_000),
      stop: () => set.stop(),
    }
  },
  async 'a Cluster'() {
    const cluster = await startCluster({ password: 'word' })
    const clock = await cluster.masterOf('vextrus@tags')
    let [key, killed] = ['', 0]
    return {
      environment: { REDIS_CLUSTER: list(cluster.nodes.slice(0, 3)), REDIS_PASSWORD: 'word' },
      victims: ['a master of entries alone', 'the master of the tag clock'],
      async kill(victim) {
        key = 'vextrus@tags'
        for (let id = 1; victim === 'a master of entries alone'; id++) {
          key = `vextrus:product:${TENANT}:${id}`
          if ((await cluster.masterOf(key)) !== clock) break
        }
        const master = await cluster.masterOf(key)
        killed = master.port
        await master.kill()
      },
      promoted: () => until('a replica is promoted', async () => (await cluster.masterOf(key)).port !== killed, 20_000),
      stop: () => cluster.stop(),
    }
  },
}

const kinds = Object.keys(topologies) as Kind[]

let database: TestDatabase

beforeAll(async () => {
  database = await startDatabase()
})

afterAll(async () => {
  await database?.stop()
})

describe.each(kinds)('on %s', (name) => {
  let redis: Topology
  let api: TestService

  beforeAll(async () => {
    redis = await topologies[name]()
    api = await startTestService(database, readConfig(redis.environment).redis)
  })

  afterAll(async () => {
    await api?.close()
    await redis?.stop()
  })

  const first = 1 + 20 * kinds.indexOf(name)
  /** Products of this topology alone: nobody else changes them. */
  const ids = Array.from({ length: 4 }, (_, i) => first + i)

  const price = async (id: number): Promise<string | undefined> => {
    const [row] = await api.app
      .get(DataSource)
      .query<{ unit_price: string }[]>('SELECT unit_price FROM products WHERE id = $1', [id])
    return row?.unit_price
  }

  const untilCached = (id: number) =>
    until(`product ${id} comes from the cache`, async () => (await api.get(`/products/${id}`)).cache === 'HIT', 20_000)

  it('a product is read, read from the cache, and read anew after its price has changed', async () => {
    const path = `/products/${first}`
    expect(await api.get(path)).toMatchObject({ status: 200, cache: 'MISS' })
    await untilCached(first)
    const { status, body } = await api.send('PATCH', path, { unitPrice: '12.50' })
    expect({ status, price: body['unitPrice'] }).toEqual({ status: 200, price: '12.50' })
    expect(await api.get(path)).toMatchObject({ cache: 'HIT', body: { unitPrice: '12.50' } })
    expect(await price(first)).toBe('12.50')
  })

  it('every answer is what the database holds while a master dies and another one takes its place', async () => {
    for (const victim of redis.victims) {
      for (const id of ids) await untilCached(id)
      const { writes, hits, written, faults, end } = traffic()
      const more = (what: string, count: () => number, by: number) => {
        const goal = count() + by
        return until(`${by} more ${what}`, () => count() >= goal, 40_000)
      }
      try {
        await more('writes', writes, 16)
        await redis.kill(victim)
        await more('writes', writes, 16)
        await redis.promoted()
        await more('hits', hits, 32)
        await more('writes', writes, 16)
      } finally {
        await end()
      }
      expect({ victim, faults }).toEqual({ victim, faults: [] })
      for (const id of ids) {
        expect(await price(id)).toBe(written.get(id))
        await untilCached(id)
        expect((await api.get(`/products/${id}`)).body['unitPrice']).toBe(written.get(id))
      }
    }
  })

  /** Each product has one writer, who knows what must be read. */
  const traffic = () => {
    const written = new Map<number, string>()
    const faults: string[] = []
    let [running, writes, hits] = [true, 0, 0]
    const writer = async (id: number) => {
      for (let n = 1; running; n++) {
        const unitPrice = `${n}.00`
        const { status } = await api.client.send('PATCH', `/products/${id}`, TENANT, { unitPrice })
        if (status !== 200) faults.push(`write of ${id}: ${status}`)
        written.set(id, unitPrice)
        writes++
        for (let i = 0; i < 4; i++) {
          const answer = await api.client.send('GET', `/products/${id}`, TENANT)
          const read = (answer.body as { unitPrice: string }).unitPrice
          if (read !== unitPrice) faults.push(`product ${id}: wrote ${unitPrice}, read ${answer.status} ${read}`)
          if (answer.cache === 'HIT') hits++
        }
      }
    }
    const writers = Promise.all(ids.map(writer))
    const end = async () => {
      running = false
      await writers
    }
    return { writes: () => writes, hits: () => hits, written, faults, end }
  }
})

const list = (nodes: readonly { host: string; port: number }[]): string =>
  nodes.map(({ host, port }) => `${host}:${port}`).join(',')
