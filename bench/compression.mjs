/**
 * How long the event loop stands still while a value of 2 MiB is encoded, compressed and stored. What remains is serialization, which
 * is synchronous in Node; `gzipSync` shows what compressing on the loop would cost.
 */
import { gzipSync } from 'node:zlib'
import { ValueCodec } from '../packages/shared/dist/kernel/codec/value-codec.js'
import { median } from './lib/rounds.mjs'
import { product } from './lib/products.mjs'

const ROUNDS = Number(process.env.ROUNDS ?? 15)
const BYTES = 2 * 1_024 * 1_024

const rows = []
for (let bytes = 2; bytes < BYTES; bytes += JSON.stringify(rows.at(-1)).length + 1) rows.push(product(rows.length))
const values = { 'rows of a table': rows, 'one long text': 'lorem ipsum '.repeat(BYTES / 12) }

/** The longest stretch, in ms, between two turns of the loop while `work` is under way. */
async function longestStall(work) {
  let longest = 0
  let last = performance.now()
  let running = true
  const tick = () => {
    const now = performance.now()
    longest = Math.max(longest, now - last)
    last = now
    if (running) setImmediate(tick)
  }
  setImmediate(tick)
  await new Promise((resolve) => setImmediate(resolve))
  longest = 0
  await work()
  await new Promise((resolve) => setImmediate(resolve))
  running = false
  return longest
}

const compressing = new ValueCodec({})
const plain = new ValueCodec({ compression: false, maxValueBytes: 16 * 1_024 * 1_024 })
const ways = {
  'nothing, for comparison': async () => undefined,
  'JSON.stringify alone': async (value) => void JSON.stringify(value),
  'encode, compression off': (value) => plain.encode('k', value),
  'encode, compressed': (value) => compressing.encode('k', value),
  'JSON.stringify and gzipSync': async (value) => void gzipSync(JSON.stringify(value)),
}

console.log(
  `Node ${process.version}; longest stall of the loop for 2 MiB, medians of ${ROUNDS} rounds (lowest–highest)`,
)
for (const [kind, value] of Object.entries(values)) {
  console.log(`\n${kind}`)
  const stalls = Object.fromEntries(Object.keys(ways).map((name) => [name, []]))
  for (let round = 0; round < ROUNDS; round++) {
    for (const [name, way] of Object.entries(ways)) stalls[name].push(await longestStall(() => way(value)))
  }
  for (const [name, all] of Object.entries(stalls)) {
    const range = `(${Math.min(...all).toFixed(1)}–${Math.max(...all).toFixed(1)})`
    console.log(`  ${name.padEnd(30)} ${median(all).toFixed(1).padStart(6)} ms ${range}`)
  }
}
