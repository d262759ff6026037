import { beforeEach, expect, it } from 'vitest'
import { ManualClock, settled } from '../../test/support/manual-clock.js'
import { SeededRandom } from '../../test/support/seeded-random.js'
import { PubSubUnavailableError } from './errors.js'
import { FIRST_ID, type LogPart } from './pubsub-store.js'
import { ReplaySubscription } from './replay-subscription.js'

/** Reads of the log that the test answers by hand. */
interface Read {
  readonly after: string
  readonly count: number
  readonly resolve: (part: LogPart) => void
  readonly reject: (error: Error) => void
}

let clock: ManualClock
let reads: Read[]
let seen: unknown[]
let handled: (() => void)[]

beforeEach(() => {
  clock = new ManualClock()
  ;[reads, seen, handled] = [[], [], []]
})

function replay(after: string, { maxQueued = 1_000, slow = false } = {}): ReplaySubscription {
  return new ReplaySubscription({
    channel: 'c',
    after,
    maxQueued,
    store: {
      read: (_, from, count) =>
        new Promise((resolve, reject) => void reads.push({ after: from, count, resolve, reject })),
    },
    clock,
    random: new SeededRandom(1),
    on: {
      handle: ({ id }) => {
        seen.push(id)
        return slow ? new Promise<void>((resolve) => handled.push(resolve)) : undefined
      },
      missed: (reason) => void seen.push(reason),
      failed: (error) => expect.unreachable(String(error)),
      dropped: () => expect.unreachable('durable messages are never dropped'),
    },
  })
}

async function answer(ids: readonly number[], { gap = false, last = ids.at(-1) ?? 0 } = {}): Promise<void> {
  reads.shift()!.resolve({ messages: ids.map((id) => ({ id: `${id}-0`, body: 'b' })), gap, last: `${last}-0` })
  await settled()
}
const came = (subscription: ReplaySubscription, id: number, previous: number): void =>
  subscription.message('c', 'b', { id: `${id}-0`, previous: `${previous}-0` })
const asked = (): string[] => reads.map(({ after }) => after)

it('a subscription reads to the end of the log, and hands on what comes after that without another read', async () => {
  const subscription = replay('start')
  await subscription.start()
  expect(reads).toMatchObject([{ after: FIRST_ID, count: 100 }])
  await answer([1, 2, 3])
  came(subscription, 4, 3)
  await settled()
  expect([seen, asked()]).toEqual([['1-0', '2-0', '3-0', '4-0'], []])
})

it('a full part of the log may not be its end', async () => {
  const subscription = replay('start')
  await subscription.start()
  await answer(Array.from({ length: 100 }, (_, i) => i + 1))
  expect(asked()).toEqual(['100-0'])
  came(subscription, 101, 100)
  await answer([], { last: 100 })
  // It came while the read was under way, which has not got it.
  expect(asked()).toEqual(['100-0'])
  await answer([101])
  expect([seen.length, asked()]).toEqual([101, []])
})

it('a message that names another before it has the log read; one that was read already is not handed on again', async () => {
  const subscription = replay('1-0')
  await subscription.start()
  await answer([], { last: 1 })
  came(subscription, 3, 2)
  await settled()
  expect([seen, asked()]).toEqual([[], ['1-0']])
  await answer([2, 3])
  came(subscription, 2, 1)
  came(subscription, 3, 2)
  came(subscription, 4, 3)
  await settled()
  expect([seen, asked()]).toEqual([['2-0', '3-0', '4-0'], []])
})

it('messages that are in no log are not handed on', async () => {
  const subscription = replay('1-0')
  await subscription.start()
  await answer([], { last: 1 })
  subscription.message('c', 'b', null)
  await settled()
  expect(seen).toEqual([])
})

it('after a lost connection it reads what came meanwhile, also when a read was under way', async () => {
  const subscription = replay('1-0')
  await subscription.start()
  await answer([], { last: 1 })
  subscription.lost()
  // Nothing is handed on before the log was read.
  came(subscription, 3, 1)
  subscription.heard()
  expect(asked()).toEqual(['1-0'])
  subscription.lost()
  subscription.heard()
  await answer([3])
  expect([seen, asked()]).toEqual([['3-0'], ['3-0']])
  await answer([4])
  expect([seen, asked()]).toEqual([['3-0', '4-0'], []])
})

it('a read that fails is repeated, later and later', async () => {
  const subscription = replay('1-0')
  await subscription.start()
  const pauses: number[] = []
  for (let i = 0; i < 12; i++) {
    reads.shift()!.reject(new PubSubUnavailableError('away'))
    await settled()
    const before = clock.mono()
    while (reads.length === 0) await clock.advance(1)
    pauses.push(clock.mono() - before)
  }
  expect(Math.max(...pauses.slice(0, 1))).toBeLessThanOrEqual(50)
  expect(Math.max(...pauses)).toBeGreaterThan(500)
  expect(Math.max(...pauses)).toBeLessThanOrEqual(2_000)
  await answer([2])
  expect(seen).toEqual(['2-0'])
})

it('a slow handler has the log wait, and nothing is dropped', async () => {
  const subscription = replay('start', { maxQueued: 2, slow: true })
  await subscription.start()
  expect(reads[0]!.count).toBe(2)
  await answer([1, 2])
  // One is at work, one waits.
  expect(reads[0]!.count).toBe(1)
  await answer([], { last: 2 })
  came(subscription, 3, 2)
  came(subscription, 4, 3)
  await settled()
  // The next read waits until all that was queued is done.
  expect(reads).toEqual([])
  for (let i = 0; i < 3; i++) {
    handled[i]!()
    await settled()
  }
  expect(asked()).toEqual(['3-0'])
  await answer([4])
  handled[3]!()
  await settled()
  expect(seen).toEqual(['1-0', '2-0', '3-0', '4-0'])
})

it('what is not kept any more is told once, before what comes after it', async () => {
  const subscription = replay('5-0')
  await subscription.start()
  reads.shift()!.resolve({
    messages: [9, 10].map((id) => ({ id: `${id}-0`, body: 'b' })),
    ...{ gap: true, last: '10-0' },
  })
  await settled()
  expect(seen).toEqual(['trimmed', '9-0', '10-0'])
  subscription.heard()
  await answer([12], { gap: true })
  expect(seen.slice(3)).toEqual(['trimmed', '12-0'])
  for (let i = 0; i < 2; i++) {
    subscription.heard()
    await answer([], { gap: true, last: 12 })
  }
  expect(seen.slice(5)).toEqual(['trimmed'])
})

it('who asks for all that is kept misses nothing that is not, and who waits for the first does', async () => {
  const all = replay('start')
  await all.start()
  await answer([7], { gap: true })
  const now = replay(FIRST_ID)
  await now.start()
  await answer([7], { gap: true })
  expect(seen).toEqual(['7-0', 'trimmed', '7-0'])
})

it('a log that lost its end, and goes on with smaller ids, is followed', async () => {
  const subscription = replay('9-0')
  await subscription.start()
  await answer([], { gap: true, last: 5 })
  came(subscription, 6, 5)
  await settled()
  expect([seen, asked()]).toEqual([['trimmed', '6-0'], []])
})

it('after its end nothing is handled, told or read', async () => {
  const subscription = replay('1-0')
  await subscription.start()
  const ended = subscription.end()
  await answer([2], { gap: true })
  await ended
  subscription.heard()
  came(subscription, 3, 2)
  await clock.advance(10_000)
  expect([seen, asked()]).toEqual([[], []])

  const other = replay('1-0')
  await other.start()
  reads.shift()!.reject(new PubSubUnavailableError('away'))
  await settled()
  await other.end()
  await clock.advance(10_000)
  expect(reads).toEqual([])
})

it.each(Array.from({ length: 12 }, (_, at) => at))(
  'a message that is lost while a catching up ends, %i steps after its read, is caught up with',
  async (steps) => {
    const subscription = replay('0-0')
    await subscription.start()
    reads.shift()!.resolve({ messages: [{ id: '1-0', body: 'b' }], gap: false, last: '1-0' })
    for (let step = 0; step < steps; step++) await Promise.resolve()
    // The one before it has not come.
    came(subscription, 3, 2)
    await settled()
    expect(asked()).toEqual(['1-0'])
    await answer([2, 3])
    came(subscription, 4, 3)
    await settled()
    expect(seen).toEqual(['1-0', '2-0', '3-0', '4-0'])
  },
)
