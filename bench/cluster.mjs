/**
 * L2 hits of a tagged 300-byte object on a Cluster of three masters, at 100 callers and one after the other, beside raw ioredis with
 * auto-pipelining. A ratio is our throughput over theirs: above 1 we are faster.
 */
import { Cluster } from 'ioredis6'
import { startCluster } from './lib/cluster.mjs'
import { openCacheOn } from './lib/ours.mjs'
import { key, product, tags, TTL_S } from './lib/products.mjs'
import { interleave, printTable, seeded, withCallers } from './lib/rounds.mjs'

const KEYS = 1_000
const ROUNDS = Number(process.env.ROUNDS ?? 9)

const cluster = await startCluster(3)
const raw = new Cluster(cluster.nodes, { enableAutoPipelining: true })
const { cache, close } = await openCacheOn({ cluster: { nodes: cluster.nodes } }, 'vextrus:')

try {
  for (let i = 0; i < KEYS; i++) {
    await cache.setWithTags(key(i), product(i), TTL_S, tags(i))
    await raw.set(`raw:${key(i)}`, JSON.stringify(product(i)), 'EX', TTL_S)
  }
  const contenders = {
    vextrus: (i) => cache.get(key(i)),
    'raw ioredis 6 Cluster, auto-pipelining, JSON.parse': async (i) => JSON.parse(await raw.get(`raw:${key(i)}`)),
  }
  for (const [name, read] of Object.entries(contenders)) {
    if ((await read(7))?.id !== 'product-7') throw new Error(`${name} does not hit`)
  }
  console.log(
    `Node ${process.version}; ratio = our throughput / theirs, medians of ${ROUNDS} interleaved rounds (lowest–highest)`,
  )
  for (const callers of [100, 1]) {
    const rows = await interleave(
      Object.entries(contenders).map(([name, read]) => {
        const random = seeded(42)
        return { name, run: withCallers(callers, () => read(Math.floor(random() * KEYS))) }
      }),
      { rounds: ROUNDS, operations: callers === 1 ? 4_000 : 30_000 },
    )
    printTable(`L2 hits on a Cluster, ${callers === 1 ? 'one after the other' : `${callers} callers`}`, rows)
  }
} finally {
  await close()
  raw.disconnect()
  await cluster.stop()
}
