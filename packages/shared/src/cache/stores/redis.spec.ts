import { beforeEach, describe, expect, it } from 'vitest'
import { SeededRandom } from '../../../test/support/seeded-random.js'
import { topologyOf } from '../../../test/support/topology-of.js'
import { RedisReplyError, RedisUnavailableError } from '../../redis/errors.js'
import { Keyspace } from '../../redis/keyspace.js'
import type { Executed, RedisCommand, RedisReply, Shard, ShardSession } from '../../redis/topology.js'
import type { StoredEntry, PushSource } from '../cache-store.js'
import { RedisCacheStore } from './redis.js'
import { ManualPushes } from '../../../test/support/manual-pushes.js'

const SESSION: ShardSession = { epoch: 'abcd1234', runId: 'run' }

let shard: FakeShard
let store: RedisCacheStore

/** Remembers what it is sent and answers what it is told to. */
class FakeShard implements Shard {
  readonly id = 'fake:1'
  session: ShardSession | undefined = SESSION
  now: number | undefined = 1_900_000_000_000.75
  readonly sent: string[][] = []
  answer: (commands: readonly RedisCommand[]) => RedisReply[] | Promise<RedisReply[]> = (commands) =>
    commands.map(() => null)

  async exec(commands: readonly RedisCommand[]): Promise<Executed> {
    this.sent.push(commands.map(({ name, script, args }) => [script?.name ?? name, ...args.map(String)].join(' ')))
    return { replies: await this.answer(commands), session: SESSION }
  }

  serverNow(): number | undefined {
    return this.now
  }
}

const WAKES: PushSource = new ManualPushes()

beforeEach(() => {
  shard = new FakeShard()
  store = new RedisCacheStore(topologyOf(shard), new Keyspace('vextrus:'), WAKES, {
    deadlineMs: 500,
    random: new SeededRandom(1),
    // What is about the clock's master is tested on real ones.
    onFailover: 'trust',
  })
})

const SEEN: StoredEntry = {
  ...{ g: '40000000000000', s: 12, e: 'abcd1234', softAt: 1, hardAt: 1, deltaMs: 0, codec: 'j', version: null },
  tags: [],
  payload: '1',
}

describe('reads (R6)', () => {
  it('are the entries first and the clock after, without a script', async () => {
    shard.answer = () => [null, []]
    await store.read(['a'], 12)
    shard.answer = () => [[null, null], []]
    await store.read(['a', 'b'], 12)
    expect(shard.sent).toEqual([
      ['GET vextrus:a', 'ZREVRANGEBYSCORE vextrus@tags +inf 12 LIMIT 0 1200 WITHSCORES'],
      ['MGET vextrus:a vextrus:b', 'ZREVRANGEBYSCORE vextrus@tags +inf 12 LIMIT 0 1200 WITHSCORES'],
    ])
  })

  it('of many keys are several MGETs in one list, so that no command keeps the server long', async () => {
    const keys = Array.from({ length: 1_200 }, (_, i) => `k${i}`)
    shard.answer = (commands) =>
      commands.map(({ name, args }) => (name === 'MGET' ? args.map(() => null) : name === 'GET' ? null : []))
    const { entries } = await store.read(keys, 12)
    expect(entries).toHaveLength(1_200)
    expect(shard.sent).toHaveLength(1)
    const sizes = shard.sent[0]!.filter((text) => text.startsWith('MGET')).map((text) => text.split(' ').length - 1)
    expect(Math.max(...sizes)).toBeLessThanOrEqual(500)
  })

  it('take what is not an entry of ours for nothing', async () => {
    shard.answer = () => [['no JSON', 'v1 j', '', null].map((text) => (text === null ? null : Buffer.from(text))), []]
    expect((await store.read(['a', 'b', 'c', 'd'], 12)).entries).toEqual([null, null, null, null])
  })

  it('understand a delta, whatever members stand in it', async () => {
    const rows = [
      '#g',
      '40000000000000',
      '#s',
      '14',
      't:x',
      '13',
      't:t:y',
      '13',
      'h:k:o:k:1',
      '1.9e12',
      'r:abcd1234',
      '0',
      '#f',
      '12',
    ]
    shard.answer = () => [null, rows]
    expect((await store.read(['a'], 12)).clock).toEqual({
      ...{ g: '40000000000000', s: 14, f: 12, tags: ['x', 't:y'], seqs: [13, 13], full: false, base: false },
      holds: [{ kind: 'key', owner: 'o', name: 'k:1', endMs: 1.9e12 }],
    })
  })

  it('know that a delta as long as its limit may have been cut', async () => {
    const rows = Array.from({ length: 1_200 }, (_, i) => [`t:${i}`, '13']).flat()
    shard.answer = () => [null, rows]
    expect((await store.read(['a'], 12)).clock.full).toBe(true)
    shard.answer = () => [null, rows.slice(2)]
    expect((await store.read(['a'], 12)).clock.full).toBe(false)
  })
})

describe('a write', () => {
  it('carries the epoch of the connection and the last moment at which it may land (R14)', async () => {
    shard.answer = () => [0, 1, []]
    await store.set([{ ...SEEN, key: 'a', ttlMs: 5, graceMs: 2 }], 12)
    expect(shard.sent[0]![0]).toBe('DEL vextrus@lease:{vextrus:a}:a')
    expect(shard.sent[0]![1]).toMatch(
      /^cacheSet vextrus:a 1900000000500 v1 j 40000000000000 trusting {2}12 0 - -\n1 5 7$/,
    )
  })

  it('says when it may land no more where the server’s clock is unknown: never', async () => {
    shard.now = undefined
    shard.answer = () => [0, 0, []]
    expect((await store.set([{ ...SEEN, key: 'a', ttlMs: 5, graceMs: 0 }], 12)).outcomes).toEqual(['late'])
    expect(shard.sent[0]![1]).toContain('cacheSet vextrus:a 0 ')
  })
})

describe('a delete (R11)', () => {
  it('is the lease first, then the entry, for each key in one slot', async () => {
    shard.answer = () => [0, 1, 0, 0]
    expect(await store.delete(['a', '{t}b'])).toEqual([true, false])
    expect(shard.sent).toEqual([
      ['DEL vextrus@lease:{vextrus:a}:a', 'UNLINK vextrus:a', 'DEL vextrus@lease:{t}:{t}b', 'UNLINK vextrus:{t}b'],
    ])
  })

  it('wakes those who wait where there was a lease and no entry; that this fails is no failure of the delete', async () => {
    shard.answer = (commands) => (commands[0]!.name === 'SET' ? Promise.reject(away()) : [1, 1, 1, 0, 0, 0])
    expect(await store.delete(['a', 'b', 'c'])).toEqual([true, false, false])
    expect(shard.sent[1]).toEqual(['SET vextrus@wake:{vextrus:b}:b 1 PX 1000'])
  })
})

describe('an error', () => {
  it('of the connection, and of any one command, is that the cache is unavailable, with its cause', async () => {
    const lost = away()
    shard.answer = () => Promise.reject(lost)
    await expect(store.tags(['x'])).rejects.toMatchObject({ name: 'CacheUnavailableError', cause: lost })
    const refused = new RedisReplyError('NOPERM no permission')
    shard.answer = () => [null, refused]
    await expect(store.bumpTags(['x'], 100)).rejects.toMatchObject({ name: 'CacheUnavailableError', cause: refused })
  })

  it('that is a defect is passed on as it is', async () => {
    const defect = new TypeError('a bug')
    shard.answer = () => Promise.reject(defect)
    await expect(store.read(['a'], null)).rejects.toBe(defect)
  })
})

const away = (): RedisUnavailableError => new RedisUnavailableError('fake:1', 'lost')
