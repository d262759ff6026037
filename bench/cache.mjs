/**
 * The cache beside raw ioredis and its peers: L2 hits of a tagged 300-byte object at 100 callers and one after the other, and what it costs
 * to invalidate a tag by the number of its entries. A ratio is our throughput over theirs: above 1 we are faster.
 */
import KeyvRedis from '@keyv/redis'
import { createCache as createDedupe } from 'async-cache-dedupe'
import { BentoCache, bentostore } from 'bentocache'
import { redisDriver } from 'bentocache/drivers/redis'
import { createCache as createManager } from 'cache-manager'
import { Cacheable } from 'cacheable'
import { Redis as Redis5 } from 'ioredis'
import { Redis as Redis6 } from 'ioredis6'
import { Keyv } from 'keyv'
import { openCache } from './lib/ours.mjs'
import { key, product, tags, TTL_S } from './lib/products.mjs'
import { startRedis } from '../scripts/lib/redis.mjs'
import { interleave, median, printTable, seeded, withCallers } from './lib/rounds.mjs'

const KEYS = 1_000
const CALLERS = 100
const ROUNDS = Number(process.env.ROUNDS ?? 9)
const only = process.argv[2]

const all = Array.from({ length: KEYS }, (_, i) => i)

const redis = await startRedis()
const closers = [() => redis.stop()]
const port = Number(new URL(redis.url).port)
const connection = { host: '127.0.0.1', port }

/** Each answers a function that reads the value of number `i` as its users would. */
const contenders = {
  async vextrus() {
    const { cache, close } = await openCache(port, 'vextrus:')
    closers.push(close)
    for (const i of all) await cache.setWithTags(key(i), product(i), TTL_S, tags(i))
    return (i) => cache.get(key(i))
  },
  async 'raw ioredis 6, auto-pipelining, JSON.parse'() {
    const client = new Redis6({ ...connection, enableAutoPipelining: true })
    closers.push(() => client.disconnect())
    for (const i of all) await client.set(`raw:${key(i)}`, JSON.stringify(product(i)), 'EX', TTL_S)
    return async (i) => JSON.parse(await client.get(`raw:${key(i)}`))
  },
  async 'bentocache 1.6 (L2 only)'() {
    const client = new Redis5(connection)
    const bento = new BentoCache({
      default: 'l2',
      prefix: 'bento',
      stores: { l2: bentostore().useL2Layer(redisDriver({ connection: client })) },
    })
    closers.push(() => bento.disconnectAll())
    for (const i of all) await bento.set({ key: key(i), value: product(i), ttl: '10m', tags: tags(i) })
    return (i) => bento.get({ key: key(i) })
  },
  async 'cache-manager 7 + Keyv'() {
    const cache = createManager({ stores: [new Keyv({ store: new KeyvRedis(redis.url), namespace: 'manager' })] })
    closers.push(() => cache.disconnect())
    for (const i of all) await cache.set(key(i), product(i), TTL_S * 1_000)
    return (i) => cache.get(key(i))
  },
  async 'cacheable 2.5 (Redis as primary)'() {
    const cache = new Cacheable({ primary: new Keyv({ store: new KeyvRedis(redis.url), namespace: 'cacheable' }) })
    closers.push(() => cache.disconnect())
    for (const i of all) await cache.set(key(i), product(i), TTL_S * 1_000)
    return (i) => cache.get(key(i))
  },
  async 'async-cache-dedupe 3.4 (Redis)'() {
    const client = new Redis5({ ...connection, enableAutoPipelining: true })
    closers.push(() => client.disconnect())
    const cache = createDedupe({
      ttl: TTL_S,
      storage: { type: 'redis', options: { client, invalidation: { referencesTTL: TTL_S } } },
    })
    cache.define('product', { references: (_args, _key, result) => [result.tenantId] }, async (i) => product(i))
    for (const i of all) await cache.product(i)
    return (i) => cache.product(i)
  },
}

async function hits() {
  const opened = []
  for (const [name, open] of Object.entries(contenders)) opened.push({ name, read: await open() })
  for (const { name, read } of opened) {
    const got = await read(7)
    if (got?.id !== 'product-7') throw new Error(`${name} does not hit`)
  }
  for (const callers of [CALLERS, 1]) {
    const rows = await interleave(
      opened.map(({ name, read }) => {
        const random = seeded(42)
        return { name, run: withCallers(callers, () => read(Math.floor(random() * KEYS))) }
      }),
      { rounds: ROUNDS, operations: callers === 1 ? 4_000 : 30_000 },
    )
    printTable(`L2 hits, ${callers === 1 ? 'one after the other' : `${callers} callers`}`, rows)
  }
}

/** Interleaved too: one tag of 100,000 entries and one of a single entry, marked in turns. */
async function tagCosts() {
  const { cache, close } = await openCache(port, 'bigtags:')
  closers.push(close)
  const entries = 100_000
  for (let first = 0; first < entries; first += 1_000) {
    const chunk = all.map((i) => ({ key: `item:${first + i}`, value: first + i }))
    await cache.setMany(chunk, { ttl: TTL_S, tags: ['many'] })
  }
  await cache.set('item:single', 1, { ttl: TTL_S, tags: ['single'] })
  const took = { many: [], single: [] }
  for (let round = 0; round < 2_000; round++) {
    for (const tag of round % 2 === 0 ? ['many', 'single'] : ['single', 'many']) {
      const started = performance.now()
      await cache.invalidateByTag(tag)
      took[tag].push(performance.now() - started)
    }
  }
  if ((await cache.get('item:5')) !== null) throw new Error('a tagged entry outlived its invalidation')
  const many = median(took.many)
  const single = median(took.single)
  console.log(
    `\nInvalidating a tag: of ${entries.toLocaleString('en')} entries ${many.toFixed(3)} ms, of one ${single.toFixed(3)} ms`,
  )
  console.log(`  ratio ${(many / single).toFixed(2)}`)
}

try {
  console.log(
    `Node ${process.version}; ratio = our throughput / theirs, medians of ${ROUNDS} interleaved rounds (lowest–highest)`,
  )
  if (only !== 'tags') await hits()
  if (only !== 'hits') await tagCosts()
} finally {
  for (const close of closers.reverse()) await close()
}
