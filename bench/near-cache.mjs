/**
 * The near cache beside its peers: hits of a 300-byte object in this process's memory, with everything on – tracking session, lease check,
 * statistics –, one after the other, as a request does it. A ratio is our throughput over theirs: above 1 we are faster.
 */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { createCache as createDedupe } from 'async-cache-dedupe'
import { BentoCache, bentostore } from 'bentocache'
import { memoryDriver } from 'bentocache/drivers/memory'
import { redisBusDriver, redisDriver } from 'bentocache/drivers/redis'
import { Redis as Redis5 } from 'ioredis'
import { LRUCache } from 'lru-cache'
import { openCacheOn } from './lib/ours.mjs'
import { key, product, tags, TTL_S } from './lib/products.mjs'
import { startRedis } from '../scripts/lib/redis.mjs'
import { interleave, printTable, seeded, withCallers } from './lib/rounds.mjs'

const KEYS = 1_000
const ROUNDS = Number(process.env.ROUNDS ?? 9)
const only = process.argv[2]

const all = Array.from({ length: KEYS }, (_, i) => i)
const keys = all.map(key)

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc')

const redis = await startRedis()
const closers = [() => redis.stop()]
const connection = { host: '127.0.0.1', port: Number(new URL(redis.url).port) }
let prefixes = 0

async function ours(values, options = {}) {
  const { cache, close } = await openCacheOn(connection, `vextrus${++prefixes}:`, {
    l1: { ttl: '1h', values, ...options },
  })
  closers.push(close)
  return cache
}

/** Stores them and reads each until it is answered from memory. */
async function warm(cache, tagsOf = () => []) {
  for (const i of all) await cache.set(keys[i], product(i), { ttl: TTL_S, tags: tagsOf(i) })
  const deadline = performance.now() + 5_000
  for (const i of all) {
    while ((await cache.lookup(keys[i])).level !== 'l1') {
      if (performance.now() > deadline) throw new Error('L1 does not fill')
    }
  }
}

async function bento(name, memory) {
  const store = bentostore()
    .useL1Layer(memoryDriver({ maxItems: 50_000, ...memory }))
    .useL2Layer(redisDriver({ connection: new Redis5(connection) }))
    .useBus(redisBusDriver({ connection }))
  const cache = new BentoCache({ default: 'both', prefix: name, stores: { both: store } })
  closers.push(() => cache.disconnectAll())
  for (const i of all) await cache.set({ key: keys[i], value: product(i), ttl: '1h' })
  return cache
}

/** Each answers a function that reads the value of number `i` from memory, as its users would. */
const contenders = {
  async 'copy, get'() {
    const cache = await ours('copy')
    await warm(cache)
    return (i) => cache.get(keys[i])
  },
  async 'copy, getOrSet'() {
    const cache = await ours('copy')
    await warm(cache)
    return (i) => cache.getOrSet(keys[i], () => product(i), TTL_S)
  },
  async 'frozen, get'() {
    const cache = await ours('frozen')
    await warm(cache)
    return (i) => cache.get(keys[i])
  },
  async 'frozen, getOrSet'() {
    const cache = await ours('frozen')
    await warm(cache)
    return (i) => cache.getOrSet(keys[i], () => product(i), TTL_S)
  },
  async 'frozen, 3 tags, get'() {
    const cache = await ours('frozen')
    await warm(cache, tags)
    return (i) => cache.get(keys[i])
  },
  async 'bentocache, default, get'() {
    const cache = await bento('bento', {})
    return (i) => cache.get({ key: keys[i] })
  },
  async 'bentocache, default, getOrSet'() {
    const cache = await bento('bento-set', {})
    return (i) => cache.getOrSet({ key: keys[i], factory: () => product(i), ttl: '1h' })
  },
  async 'bentocache, serialize: false, get'() {
    const cache = await bento('bento-objects', { serialize: false })
    return (i) => cache.get({ key: keys[i] })
  },
  async 'bentocache, serialize: false, getOrSet'() {
    const cache = await bento('bento-objects-set', { serialize: false })
    return (i) => cache.getOrSet({ key: keys[i], factory: () => product(i), ttl: '1h' })
  },
  async 'async-cache-dedupe, memory'() {
    const cache = createDedupe({ ttl: TTL_S, storage: { type: 'memory', options: { size: 50_000 } } })
    cache.define('product', async (i) => product(i))
    for (const i of all) await cache.product(i)
    return (i) => cache.product(i)
  },
  async 'async () => lru.get(k)'() {
    const lru = new LRUCache({ max: 50_000 })
    for (const i of all) lru.set(keys[i], product(i))
    return async (i) => lru.get(keys[i])
  },
}

/** What the item asks of each: ours, theirs, and the least that the ratio may be. */
const TARGETS = [
  ['copy, get', 'bentocache, default, get', 6],
  ['copy, getOrSet', 'bentocache, default, getOrSet', 6],
  ['frozen, get', 'bentocache, serialize: false, get', 25],
  ['frozen, getOrSet', 'bentocache, serialize: false, getOrSet', 25],
  ['frozen, getOrSet', 'async-cache-dedupe, memory', 3.5],
  ['frozen, get', 'async () => lru.get(k)', 1 / 1.8],
  ['frozen, 3 tags, get', 'frozen, get', 1 / 1.5],
]

async function hits() {
  const opened = []
  for (const [name, open] of Object.entries(contenders)) opened.push({ name, read: await open() })
  for (const { name, read } of opened) {
    if ((await read(7))?.id !== 'product-7') throw new Error(`${name} does not hit`)
  }
  const rows = await interleave(
    opened.map(({ name, read }) => {
      const random = seeded(42)
      return { name, run: withCallers(1, () => read(Math.floor(random() * KEYS))) }
    }),
    { rounds: ROUNDS, operations: 100_000 },
  )
  printTable('L1 hits, one after the other', rows)
  const rate = Object.fromEntries(rows.map(({ name, perSecond }) => [name, perSecond]))
  for (const [one, other, target] of TARGETS) {
    const ratio = rate[one] / rate[other]
    console.log(`  ${one} / ${other}: ${ratio.toFixed(2)} × (${target.toFixed(2)})${ratio < target ? '  MISSED' : ''}`)
  }
}

/** Requests that arrive at a steady rate, as users' do, whatever the answers take; and a writer that invalidates a tag every 100 ms. */
async function latency() {
  const PER_MS = 2
  const SECONDS = 10
  const cache = await ours('copy')
  await warm(cache, tags)
  const { cache: without, close } = await openCacheOn(connection, `vextrus${prefixes}:`)
  closers.push(close)
  const random = seeded(7)
  const took = { l1: [], l2: [] }
  const request = async () => {
    const i = Math.floor(random() * KEYS)
    // One in twenty goes past L1.
    const reader = random() < 0.05 ? without : cache
    const started = performance.now()
    const { level } = await reader.lookup(keys[i])
    if (level !== null) took[level].push(performance.now() - started)
    else await cache.getOrSet(keys[i], () => product(i), { ttl: TTL_S, tags: tags(i) })
  }
  const began = performance.now()
  const running = []
  let sent = 0
  let invalidated = 0
  while (performance.now() - began < SECONDS * 1_000) {
    const ms = performance.now() - began
    for (; sent < ms * PER_MS; sent++) running.push(request())
    for (; invalidated < ms / 100; invalidated++) {
      running.push(cache.invalidateByTag(`category:category-${Math.floor(random() * 40)}`))
    }
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
  await Promise.all(running)
  console.log(`\nLatency at ${PER_MS * 1_000} requests a second, a tag of 25 entries invalidated every 100 ms`)
  for (const [level, times] of Object.entries(took)) {
    const sorted = Float64Array.from(times).sort()
    const at = (share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]?.toFixed(3)
    console.log(`  ${level}: ${sorted.length} reads, p50 ${at(0.5)} ms, p99 ${at(0.99)} ms`)
  }
}

/** Heap an entry takes, beside the same objects in an lru-cache alone; and whether a million random keys leave the heap flat. */
async function memory() {
  const COUNT = 20_000
  const names = Array.from({ length: COUNT }, (_, i) => `product:tenant-${i % 8}:${i}`)
  const heapOf = async (fill) => {
    collect()
    const before = process.memoryUsage().heapUsed
    const kept = await fill()
    collect()
    return { bytes: (process.memoryUsage().heapUsed - before) / COUNT, kept }
  }
  const alone = await heapOf(async () => {
    const lru = new LRUCache({ max: 50_000 })
    for (let i = 0; i < COUNT; i++) lru.set(names[i], JSON.parse(JSON.stringify(product(i))))
    return lru
  })
  const cache = await ours('copy')
  for (let first = 0; first < COUNT; first += 500) {
    const chunk = Array.from({ length: 500 }, (_, n) => ({ key: names[first + n], value: product(first + n) }))
    await cache.setMany(chunk, { ttl: TTL_S })
  }
  await new Promise((resolve) => setTimeout(resolve, 200))
  const readAll = async () => {
    for (let first = 0; first < COUNT; first += 500) await cache.getMany(names.slice(first, first + 500))
  }
  const packed = await heapOf(readAll)
  const packedBytes = cache.getStatistics().bytes / COUNT
  const unpacked = await heapOf(readAll)
  console.log(`\nHeap an entry of ${JSON.stringify(product(1)).length} characters (key included)`)
  console.log(`  lru-cache with the object: ${alone.bytes.toFixed(0)} bytes`)
  console.log(`  L1, read once: ${packed.bytes.toFixed(0)} bytes; counted as ${packedBytes.toFixed(0)}`)
  console.log(`  L1, read again: ${(packed.bytes + unpacked.bytes).toFixed(0)} bytes`)
  if (alone.kept.size !== COUNT) throw new Error('lru-cache lost entries')

  const random = seeded(3)
  const heaps = []
  for (let million = 0; million < 5; million++) {
    for (let n = 0; n < 200_000; n += 500) {
      const batch = Array.from({ length: 500 }, () => `random:${Math.floor(random() * 1e9)}`)
      await Promise.all(batch.map((name, i) => cache.getOrSet(name, () => product(i), 5)))
    }
    collect()
    heaps.push(Math.round(process.memoryUsage().heapUsed / 1e6))
  }
  console.log(`  heap after each 200,000 of 1,000,000 loads of random keys: ${heaps.join(', ')} MB`)
}

try {
  console.log(
    `Node ${process.version}; ratio = our throughput / theirs, medians of ${ROUNDS} interleaved rounds (lowest–highest)`,
  )
  if (only === undefined || only === 'hits') await hits()
  if (only === undefined || only === 'latency') await latency()
  if (only === undefined || only === 'memory') await memory()
} finally {
  for (const close of closers.reverse()) await close()
}
