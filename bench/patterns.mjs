/**
 * Deleting 100,000 of 1,000,000 keys by a pattern, beside the loop that people write: SCAN, and DEL of what it found. Ours scans twice, for the
 * leases of loads under way come first. A ratio is their time over ours: above 1 we are faster.
 */
import { Redis } from 'ioredis6'
import { openCache } from './lib/ours.mjs'
import { median } from './lib/rounds.mjs'
import { startRedis } from '../scripts/lib/redis.mjs'

const KEYS = 1_000_000
const MATCHING = 100_000
const ROUNDS = Number(process.env.ROUNDS ?? 5)
const CHUNK = 5_000

const redis = await startRedis()
const port = Number(new URL(redis.url).port)
const client = new Redis({ host: '127.0.0.1', port })
const { cache, close } = await openCache(port, 'vextrus:')

async function fill(from, to, name) {
  for (let first = from; first < to; first += CHUNK) {
    const pipeline = client.pipeline()
    for (let i = first; i < Math.min(to, first + CHUNK); i++) pipeline.set(`vextrus:${name}:${i}`, '1', 'EX', 3_600)
    await pipeline.exec()
  }
}

async function loop(...options) {
  let cursor = '0'
  let deleted = 0
  do {
    const [next, keys] = await client.scan(cursor, 'MATCH', 'vextrus:match:*', ...options)
    if (keys.length > 0) deleted += await client.del(...keys)
    cursor = next
  } while (cursor !== '0')
  return deleted
}

const contenders = {
  vextrus: () => cache.deleteByPattern('match:*'),
  'SCAN + DEL, default COUNT': () => loop(),
  'SCAN + DEL, COUNT 1000': () => loop('COUNT', 1_000),
}

/** Microseconds of the slowest command since the last call. */
async function slowest() {
  const entries = await client.call('SLOWLOG', 'GET', '-1')
  await client.call('SLOWLOG', 'RESET')
  // EXPIRED and the like have no client; a command of ours has.
  return entries.reduce(
    (most, [, , micros, [name, ...args]]) =>
      micros > most.micros ? { micros, text: [name, ...args.slice(0, 4)].join(' ') } : most,
    { micros: 0, text: '-' },
  )
}

try {
  await client.config('SET', 'slowlog-log-slower-than', '200', 'slowlog-max-len', '100000')
  await fill(0, KEYS - MATCHING, 'other')
  const took = Object.fromEntries(Object.keys(contenders).map((name) => [name, []]))
  let longest = { micros: 0, text: '-' }
  const names = Object.keys(contenders)
  for (let round = 0; round < ROUNDS; round++) {
    for (let turn = 0; turn < names.length; turn++) {
      const name = names[(round + turn) % names.length]
      await fill(0, MATCHING, 'match')
      await slowest()
      const started = performance.now()
      const deleted = await contenders[name]()
      took[name].push(performance.now() - started)
      if (deleted !== MATCHING) throw new Error(`${name} deleted ${deleted}`)
      const slow = await slowest()
      if (name === 'vextrus' && slow.micros > longest.micros) longest = slow
    }
    process.stderr.write('.')
  }
  process.stderr.write('\n')
  console.log(`Node ${process.version}; deleting ${MATCHING} of ${KEYS} keys, medians of ${ROUNDS} interleaved rounds`)
  for (const name of names) {
    const ratios = took[name].map((ms, round) => ms / took.vextrus[round])
    console.log(`  ${name.padEnd(28)} ${median(took[name]).toFixed(0).padStart(7)} ms   ${median(ratios).toFixed(2)} ×`)
  }
  console.log(`  our longest command: ${(longest.micros / 1_000).toFixed(2)} ms (${longest.text})`)
} finally {
  await close()
  client.disconnect()
  await redis.stop()
}
