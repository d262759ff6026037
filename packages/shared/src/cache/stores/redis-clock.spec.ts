import { beforeEach, describe, expect, it } from 'vitest'
import { SeededRandom } from '../../../test/support/seeded-random.js'
import { topologyOf } from '../../../test/support/topology-of.js'
import { FakeClock } from '../../testing/fake-clock.js'
import { Keyspace } from '../../redis/keyspace.js'
import type { Executed, RedisCommand, Shard, ShardSession, Topology } from '../../redis/topology.js'
import type { PushSource } from '../cache-store.js'
import { CacheUnavailableError } from '../errors.js'
import { RedisCacheStore } from './redis.js'
import { ManualPushes } from '../../../test/support/manual-pushes.js'

const session = (epoch: string): ShardSession => ({ epoch, runId: epoch })
const ENTRY = 'v1 j 40000000000000 aaaaaaaa 1900000000000 1900000000000 12 0 - -\n1'

/** A master that answers every reading of the clock, under the session that it has when the answer comes. */
class Master implements Shard {
  readonly id = 'fake:1'
  session: ShardSession | undefined
  /** Another one answers for it. */
  answersAs: ShardSession | undefined
  readonly sent: string[] = []
  /** Done between sending and answering. */
  meanwhile: () => void = () => undefined

  constructor(
    epoch: string,
    private readonly nowMs = 1_800_000_000_000,
  ) {
    this.session = session(epoch)
  }

  async exec(commands: readonly RedisCommand[]): Promise<Executed> {
    this.sent.push(...commands.map(({ name, script, args }) => [script?.name ?? name, ...args.map(String)].join(' ')))
    await Promise.resolve()
    this.meanwhile()
    const replies = commands.map(({ name, script }) => {
      if (script !== undefined) return script.name === 'cacheClock' ? ['40000000000000', '2', null] : 1
      return name === 'ZREVRANGEBYSCORE' ? ['#g', '40000000000000', '#s', '12'] : Buffer.from(ENTRY)
    })
    return { replies, session: this.answersAs ?? this.session! }
  }

  serverNow(): number {
    return this.nowMs
  }

  /** What was sent of this name since the last time. */
  taken(name: string): string[] {
    return this.sent.splice(0).filter((text) => text.startsWith(`${name} `))
  }
}

const WAKES: PushSource = new ManualPushes()

function storeOn(topology: Topology, onFailover: 'flush' | 'trust'): RedisCacheStore {
  const options = { deadlineMs: 500, random: new SeededRandom(1), clock, onFailover }
  return new RedisCacheStore(topology, new Keyspace('vextrus:'), WAKES, options)
}

let clock: FakeClock
let master: Master
let store: RedisCacheStore
beforeEach(() => {
  clock = new FakeClock()
  master = new Master('aaaaaaaa')
  store = storeOn(topologyOf(master), 'flush')
})

describe('the master of the clock (R16)', () => {
  it('is told of before the first reading, and once while it stays', async () => {
    await store.read(['k'], 12)
    expect(master.sent.map((text) => text.split(' ')[0])).toEqual(['cacheClock', 'GET', 'ZREVRANGEBYSCORE'])
    expect(master.taken('cacheClock')[0]).toMatch(/^cacheClock vextrus@tags \d+ aaaaaaaa 0$/)
    await Promise.all([store.read(['k'], 12), store.tags([]), store.acquire([], 12)])
    expect(master.taken('cacheClock')).toEqual([])
  })

  it('is told of anew when it is another one, whatever asks first', async () => {
    const questions = [() => store.read(['k'], 12), () => store.tags([]), () => store.acquire([], 12)]
    for (const [i, ask] of questions.entries()) {
      master.session = session(`epoch--${i}`)
      await ask()
      expect(master.taken('cacheClock')[0]).toMatch(new RegExp(`^cacheClock vextrus@tags \\d+ epoch--${i} 0$`))
    }
  })

  it('that changes while a question is on its way makes its answer none', async () => {
    await store.read(['k'], 12)
    master.meanwhile = () => (master.session = session('bbbbbbbb'))
    await expect(store.read(['k'], 12)).rejects.toThrow(CacheUnavailableError)
    master.meanwhile = () => undefined
    master.taken('cacheClock')
    expect((await store.read(['k'], 12)).sources[0]!.epoch).toBe('bbbbbbbb')
    expect(master.taken('cacheClock')).toHaveLength(1)
  })

  it('that is another one than the slot map says is found by asking', async () => {
    await store.read(['k'], 12)
    // A slot on its way: what is sent to the one is answered by the other.
    master.answersAs = session('bbbbbbbb')
    await expect(store.read(['k'], 12)).rejects.toThrow(CacheUnavailableError)
    expect((await store.read(['k'], 12)).clock.g).toBe('40000000000000')
  })

  it('makes no difference where failovers are trusted, nor does that of an entry', async () => {
    store = storeOn(topologyOf(master), 'trust')
    const before = (await store.read(['k'], 12)).sources[0]!.epoch
    master.meanwhile = () => (master.session = session('bbbbbbbb'))
    const after = (await store.read(['k'], 12)).sources[0]!.epoch
    expect(after).toBe(before)
    expect(master.taken('cacheClock')).toEqual([])
    await store.createClock()
    expect(master.taken('cacheClock')[0]).toMatch(/^cacheClock vextrus@tags \d+ {2}1$/)
  })
})

describe('a write that is sent to another master than it was meant for', () => {
  it('carries the epoch and the time of the one that it lands on (R14, R16)', async () => {
    const other = new Master('bbbbbbbb', 1_700_000_000_000)
    const topology: Topology = {
      ...topologyOf(master),
      sharded: true,
      exec: async (units) =>
        Promise.all(
          units.map(async ({ key, commands }) => {
            const shard = key === 'vextrus@tags' ? master : other
            // It was sent elsewhere first: its caller has waited meanwhile (R14).
            if (shard === other) await clock.advance(100)
            if (typeof commands === 'function') commands(master)
            const executed = await shard.exec(typeof commands === 'function' ? commands(shard) : commands)
            return { ...executed, shard, redirected: true }
          }),
        ),
    }
    store = storeOn(topology, 'flush')
    const lifetime = { ttlMs: 5, graceMs: 0 }
    const entry = {
      key: 'k',
      g: '40000000000000',
      s: 12,
      deltaMs: 0,
      codec: 'j',
      version: null,
      tags: [],
      payload: '1',
    }
    await store.set([{ ...entry, ...lifetime }], 12)
    expect(other.taken('cacheSet')[0]).toContain('vextrus:k 1700000000400 v1 j 40000000000000 bbbbbbbb ')
    const { entries } = await store.read(['k'], 12)
    await store.touch('k', entries[0]!, lifetime)
    expect(other.taken('cacheTouch')[0]).toContain('vextrus:k 1700000000400 v1 j 40000000000000 aaaaaaaa ')
  })
})
