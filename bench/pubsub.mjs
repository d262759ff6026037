/**
 * Messages beside raw ioredis: from one publisher to many handlers, in its own process and in others; and messages that are kept, beside what one
 * writes with the commands of streams. A ratio is our throughput over theirs: above 1 we are faster.
 */
import { Redis } from 'ioredis6'
import { startListeners } from './lib/fan-fleet.mjs'
import { countOn, fans, messageOf } from './lib/fan-out.mjs'
import { openMessagesOn } from './lib/ours.mjs'
import { interleave, printTable, timesOf, withCallers } from './lib/rounds.mjs'
import { runParts, target, title } from './lib/targets.mjs'
import { startRedis } from '../scripts/lib/redis.mjs'

const CALLERS = 100
const PROCESSES = 4
const LOG = 10_000
const ROUNDS = Number(process.env.ROUNDS ?? 9)

// What it holds for those who read slowly is no part of the race.
const redis = await startRedis('--client-output-buffer-limit', 'pubsub 0 0 0')
const closers = [() => redis.stop()]

async function openFans() {
  const opened = []
  for (const [name, open] of Object.entries(fans)) {
    const fan = await open(redis.port)
    closers.push(() => fan.close())
    opened.push({ name, fan })
  }
  return opened
}

/** Publishes so many with some calls at once, in order. */
function publishAll(fan, channel, messages) {
  let next = 0
  return withCallers(CALLERS, () => fan.publish(channel, messageOf(next++)))(messages)
}

/** @param listeners `(contender, handlers)` answers what waits for so many messages: `(messages) => Promise<{ counted }>` */
async function fanOut(what, handlers, messages, listeners) {
  const contenders = await openFans()
  const rows = await interleave(
    contenders.map((contender) => {
      const channel = `news-${what}-${handlers}-${contender.name}`.replaceAll(' ', '-')
      let expecting
      return {
        name: contender.name,
        async run(count) {
          expecting ??= await listeners({ ...contender, channel }, handlers)
          const { counted } = await expecting(count)
          await publishAll(contender.fan, channel, count)
          await counted
        },
      }
    }),
    { rounds: ROUNDS, operations: messages },
  )
  printTable(`${what}, handlers of a message: ${handlers}; messages`, rows)
  for (const row of rows.slice(1)) target(`beside ${row.name}`, timesOf(rows[0], row), 0.9)
}

/** Who publishes and who listens are one process. */
async function here() {
  for (const [handlers, messages] of [
    [1, 8_000],
    [10, 4_000],
    [100, 600],
  ]) {
    await fanOut('In one process', handlers, messages, async ({ fan, channel }) => {
      const count = await countOn(fan, channel, handlers)
      return async (expected) => ({ counted: count(expected) })
    })
  }
}

/** Four processes listen, another one publishes. */
async function processes() {
  const fleet = startListeners(PROCESSES)
  closers.push(() => fleet.stop())
  for (const [each, messages] of [
    [1, 8_000],
    [3, 4_000],
    [25, 800],
  ]) {
    await fanOut(
      `In ${PROCESSES} processes`,
      each * PROCESSES,
      messages,
      async ({ name, channel }) =>
        (expected) =>
          fleet.expect({ name, port: redis.port, channel, handlers: each, messages: expected }),
    )
  }
}

async function openOurs() {
  const { messages, close } = await openMessagesOn({ host: '127.0.0.1', port: redis.port }, 'kept:', {
    maxLength: 1_000_000,
  })
  closers.push(close)
  return messages
}

async function openRaw(options = {}) {
  const client = new Redis({ host: '127.0.0.1', port: redis.port, lazyConnect: true, ...options })
  await client.connect()
  closers.push(() => client.disconnect())
  return client
}

/** Kept and told. Raw does the two in two commands, so listeners may hear in another order than the log has. */
async function append() {
  const ours = await openOurs()
  const contenders = [
    { name: 'vextrus', publish: (i) => ours.publish('kept', messageOf(i), { durable: true }) },
    {
      name: 'vextrus, with a messageId',
      publish: (i) => ours.publish('named', messageOf(i), { durable: true, messageId: `message-${next++}` }),
    },
  ]
  let next = 0
  for (const [name, options] of [
    ['XADD and PUBLISH', {}],
    ['XADD and PUBLISH, auto-pipelining', { enableAutoPipelining: true }],
  ]) {
    const client = await openRaw(options)
    const publish = (i) => {
      const text = JSON.stringify(messageOf(i))
      const added = client.xadd('raw', 'MAXLEN', '~', 1_000_000, '*', 'm', text)
      return Promise.all([added, client.publish('raw', text)])
    }
    contenders.push({ name, publish })
  }
  for (const callers of [CALLERS, 1]) {
    const rows = await interleave(
      contenders.map(({ name, publish }) => {
        let i = 0
        return { name, run: withCallers(callers, () => publish(i++)) }
      }),
      { rounds: ROUNDS, operations: callers === 1 ? 1_000 : 5_000 },
    )
    printTable(`A durable message, ${title(callers)}`, rows)
  }
}

/** All that is kept, from its beginning. */
async function replay() {
  const ours = await openOurs()
  const client = await openRaw()
  await withFilledLog(ours)
  await fillRaw(client)
  const rows = await interleave(
    [
      {
        name: 'vextrus',
        run: async (count) => {
          let due = count
          let all
          const over = new Promise((resolve) => (all = resolve))
          const subscription = await ours.subscribe('log', () => --due === 0 && all(), { from: 'start' })
          await over
          await subscription.unsubscribe()
        },
      },
      {
        name: 'XRANGE, 100 at a time',
        run: async (count) => {
          let due = count
          let after = '-'
          while (due > 0) {
            const entries = await client.xrange('raw-log', after, '+', 'COUNT', 100)
            for (const [, [, text]] of entries) if (typeof JSON.parse(text).id === 'number') due--
            after = `(${entries.at(-1)[0]}`
          }
        },
      },
    ],
    { rounds: ROUNDS, operations: LOG },
  )
  printTable(`A replay of ${LOG.toLocaleString('en')}, messages`, rows)
}

/** A group that has all of the log before it, one consumer. */
async function group() {
  const ours = await openOurs()
  const client = await openRaw()
  await withFilledLog(ours)
  await fillRaw(client)
  let run = 0
  for (const concurrency of [1, 100]) {
    const rows = await interleave(
      [
        {
          name: 'vextrus',
          run: async (count) => {
            let due = count
            let all
            const over = new Promise((resolve) => (all = resolve))
            const options = { from: 'start', group: `group-${run++}`, concurrency }
            const subscription = await ours.subscribe('log', () => --due === 0 && all(), options)
            await over
            await subscription.unsubscribe()
          },
        },
        {
          name: `XREADGROUP of ${concurrency}, an XACK each`,
          run: async (count) => {
            const name = `group-${run++}`
            await client.xgroup('CREATE', 'raw-log', name, '0')
            let due = count
            while (due > 0) {
              const asked = ['GROUP', name, 'one', 'COUNT', concurrency, 'STREAMS', 'raw-log', '>']
              const [[, entries]] = await client.xreadgroup(...asked)
              await Promise.all(
                entries.slice(0, due).map(([id, [, text]]) => {
                  if (typeof JSON.parse(text).id === 'number') due--
                  return client.xack('raw-log', name, id)
                }),
              )
            }
          },
        },
      ],
      { rounds: ROUNDS, operations: concurrency === 1 ? 500 : 4_000 },
    )
    printTable(`A group, ${concurrency} at once; messages`, rows)
  }
}

const filled = new Set()
async function once(name, fill) {
  if (filled.has(name)) return
  filled.add(name)
  let i = 0
  await withCallers(CALLERS, () => fill(i++))(LOG)
}
const withFilledLog = (ours) => once('log', (i) => ours.publish('log', messageOf(i), { durable: true }))
const fillRaw = (client) => once('raw-log', (i) => client.xadd('raw-log', '*', 'm', JSON.stringify(messageOf(i))))

await runParts(
  { 'one-process': here, processes, append, replay, group },
  { only: process.argv[2], rounds: ROUNDS, closers },
)
