import { beforeEach, expect, it } from 'vitest'
import { ManualClock, settled } from '../../test/support/manual-clock.js'
import { SeededRandom } from '../../test/support/seeded-random.js'
import { PubSubUnavailableError } from './errors.js'
import { GroupConsumer, type GroupConsumerParts } from './group-consumer.js'
import type { Claimed, ClaimedMessage, ClaimRequest } from './pubsub-store.js'

/** A store whose claims the test answers: with what it has put there. */
let clock: ManualClock
let claims: ClaimRequest[]
let kept: (readonly string[])[]
let done: string[]
let there: Claimed[]
let away: Set<string>
let seen: unknown[]
let finish: Map<string, (failure?: Error) => void>

const NOTHING: Claimed = { messages: [], missed: false, more: false }
const IDLE_MS = 30_000

beforeEach(() => {
  clock = new ManualClock()
  ;[claims, kept, done, there, seen] = [[], [], [], [], []]
  ;[away, finish] = [new Set(), new Map()]
})

function answer<T>(call: string, make: () => T): Promise<T> {
  return away.has(call) ? Promise.reject(new PubSubUnavailableError('away')) : Promise.resolve(make())
}

function consumer({ concurrency = 1, from = 'now' } = {}, on: Partial<GroupConsumerParts['on']> = {}): GroupConsumer {
  return new GroupConsumer({
    member: { channel: 'c', group: 'g', consumer: 'me' },
    ...{ from, concurrency, idleMs: IDLE_MS, maxDeliveries: 3, clock },
    random: new SeededRandom(1),
    store: {
      claim: (request) => {
        claims.push(request)
        return answer('claim', () => (request.count === 0 ? NOTHING : (there.shift() ?? NOTHING)))
      },
      keep: (_, ids) => answer('keep', () => (kept.push(ids), ids)),
      done: (_, ids) => answer('done', () => void done.push(...ids)),
    },
    on: {
      handle: ({ id }) => {
        seen.push(id)
        return new Promise((resolve, reject) => finish.set(id, (failure) => (failure ? reject(failure) : resolve())))
      },
      missed: (reason) => void seen.push(reason),
      failed: (error) => seen.push((error as Error).message),
      putAside: async ({ id }) => void seen.push(`aside ${id}`),
      ...on,
    },
  })
}

const message = (id: string, deliveries = 1): ClaimedMessage => ({ id, body: 'b', deliveries })
const some = (...ids: string[]): Claimed => ({ ...NOTHING, messages: ids.map((id) => message(id)) })

it('a consumer’s group begins before it is told that it has; a group that is gone later begins with all that its log has', async () => {
  const mine = consumer()
  const begun = mine.start()
  expect(claims).toMatchObject([{ count: 0, from: 'now' }])
  await begun
  await settled()
  expect(claims.slice(1)).toMatchObject([{ count: 1, from: '0-0', idleMs: IDLE_MS }])
  await mine.end()
  away.add('claim')
  await expect(consumer().start()).rejects.toThrow(PubSubUnavailableError)
})

it('a message that is told has it claim what is new; in a while it looks for what was left behind', async () => {
  const mine = consumer()
  await mine.start()
  await settled()
  claims.length = 0
  mine.message('c', 'b', null)
  await settled()
  expect(claims).toEqual([])
  mine.message('c', 'b', { id: '1-0', previous: '0-0' })
  await settled()
  expect(claims.map(({ idleMs }) => idleMs)).toEqual([undefined])
  await clock.advance(IDLE_MS / 3)
  expect(claims.map(({ idleMs }) => idleMs)).toEqual([undefined, IDLE_MS])
  mine.heard()
  await settled()
  expect(claims).toHaveLength(3)
  await mine.end()
})

it('a consumer has as many at work as it may, and claims more when one is done', async () => {
  const mine = consumer({ concurrency: 2 })
  there = [{ ...some('1-0', '2-0'), more: true }, some('3-0')]
  await mine.start()
  await settled()
  mine.message('c', 'b', { id: '4-0', previous: '3-0' })
  await settled()
  expect([seen, claims.map(({ count }) => count)]).toEqual([
    ['1-0', '2-0'],
    [0, 2],
  ])
  finish.get('2-0')!()
  await settled()
  expect([done, seen, claims.at(-1)!.count]).toEqual([['2-0'], ['1-0', '2-0', '3-0'], 1])
  finish.get('1-0')!()
  finish.get('3-0')!()
  await mine.end()
  expect(done).toEqual(['2-0', '1-0', '3-0'])
})

it('what is at work is kept from the others, also when Redis was away for a time', async () => {
  const mine = consumer()
  there = [some('1-0')]
  await mine.start()
  away.add('keep')
  await clock.advance(IDLE_MS / 3)
  expect(kept).toEqual([])
  away.clear()
  await clock.advance(IDLE_MS / 3)
  expect(kept).toEqual([['1-0']])
  // Claimed back by its own consumer, it is not handled beside itself.
  there = [{ ...NOTHING, messages: [message('1-0', 2)] }]
  mine.heard()
  await settled()
  finish.get('1-0')!()
  await mine.end()
  expect(seen).toEqual(['1-0'])
})

it('what fails is left for another time, and put aside when that was the last', async () => {
  const mine = consumer()
  there = [some('1-0')]
  await mine.start()
  await settled()
  finish.get('1-0')!(new Error('no'))
  await settled()
  expect([seen, done]).toEqual([['1-0', 'no'], []])
  there = [{ ...NOTHING, messages: [message('1-0', 3)] }]
  await clock.advance(IDLE_MS / 3)
  finish.get('1-0')!(new Error('no'))
  await settled()
  expect([seen.slice(2), done]).toEqual([['1-0', 'no', 'aside 1-0'], ['1-0']])
  await mine.end()
})

it('what ended its processes again and again is put aside without another try, and stays where it is while it can’t be', async () => {
  let fails = true
  const putAside = async ({ id }: ClaimedMessage): Promise<void> => {
    if (fails) throw new PubSubUnavailableError('away')
    seen.push(`aside ${id}`)
  }
  const mine = consumer({}, { putAside })
  there = [{ ...NOTHING, messages: [message('1-0', 4)] }]
  await mine.start()
  await settled()
  expect([seen, done]).toEqual([[], []])
  fails = false
  there = [{ ...NOTHING, messages: [message('1-0', 5)] }]
  await clock.advance(IDLE_MS / 3)
  expect([seen, done]).toEqual([['aside 1-0'], ['1-0']])
  await mine.end()
})

it('a note that is not taken is repeated while the message is kept', async () => {
  const mine = consumer()
  there = [some('1-0')]
  await mine.start()
  away.add('done')
  await settled()
  finish.get('1-0')!()
  await clock.advance(IDLE_MS / 3 + 1)
  expect(kept).toEqual([['1-0']])
  away.clear()
  await clock.advance(2_000)
  expect([done, seen]).toEqual([['1-0'], ['1-0']])
  await mine.end()
})

it('a claim that fails is repeated, later and later, and looks for the same', async () => {
  away.add('claim')
  const mine = consumer()
  await expect(mine.start()).rejects.toThrow('away')
  away.clear()
  await mine.start()
  away.add('claim')
  await settled()
  claims.length = 0
  mine.heard()
  await clock.advance(1_000)
  expect(claims.length).toBeGreaterThan(3)
  expect(claims.length).toBeLessThan(50)
  away.clear()
  await clock.advance(2_000)
  await mine.end()
})

it('what may be gone is told', async () => {
  const mine = consumer()
  there = [{ ...some('9-0'), missed: true }]
  await mine.start()
  await settled()
  expect(seen).toEqual(['trimmed', '9-0'])
  finish.get('9-0')!()
  await mine.end()
})

it('a consumer’s end waits for what is under way and for nothing else: no claim, no pause, no timer', async () => {
  const mine = consumer()
  there = [some('1-0')]
  await mine.start()
  await settled()
  away.add('claim').add('done')
  mine.heard()
  let ended = false
  void mine.end().then(() => (ended = true))
  await settled()
  expect(ended).toBe(false)
  finish.get('1-0')!()
  await settled()
  expect([ended, clock.timers]).toEqual([true, 0])
  mine.heard()
  mine.message('c', 'b', { id: '2-0', previous: '1-0' })
  claims.length = 0
  await clock.advance(10 * IDLE_MS)
  expect([seen, claims]).toEqual([['1-0'], []])
})

it('what a claim brings after the end is left to others', async () => {
  const mine = consumer()
  await mine.start()
  await settled()
  there = [some('1-0')]
  mine.heard()
  await mine.end()
  expect([there, seen]).toEqual([[], []])
})

it.each(Array.from({ length: 12 }, (_, at) => at))(
  'a message that comes while a claim ends, %i steps after it was sent, is claimed at once',
  async (steps) => {
    const group = consumer()
    await group.start()
    await settled()
    group.message('c', 'b', { id: '1-0', previous: '0-0' })
    for (let step = 0; step < steps; step++) await Promise.resolve()
    there.push(some('2-0'))
    group.message('c', 'b', { id: '2-0', previous: '1-0' })
    await settled()
    expect(seen).toEqual(['2-0'])
  },
)

it('the end does not wait for another attempt at what failed while it ended', async () => {
  const group = consumer()
  await group.start()
  await settled()
  away.add('claim')
  group.message('c', 'b', { id: '1-0', previous: '0-0' })
  let ended = false
  void group.end().then(() => (ended = true))
  await settled()
  expect(ended).toBe(true)
})
