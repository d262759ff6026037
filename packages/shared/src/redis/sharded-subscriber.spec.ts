import { beforeEach, expect, it } from 'vitest'
import { FakePort } from '../../test/support/fake-dedicated.js'
import { FakeClock } from '../testing/fake-clock.js'
import { RedisReplyError, RedisUnavailableError } from './errors.js'
import type { Master } from './servers.js'
import { ShardedSubscriber } from './sharded-subscriber.js'
import type { SubscriptionHandler } from './subscription.js'
import type { Shard } from './topology.js'

/** Two masters, and where the test says that the slot of every channel is. */
let clock: FakeClock
let ports: FakePort[]
let masters: Master[]
/** As the map of this process has it; undefined: nobody serves it. */
let home: number | undefined
let moved: ((reason: string) => void)[]
let lookups: number
let lookUp: () => void
let subscriber: ShardedSubscriber
let heard: string[]

beforeEach(() => {
  clock = new FakeClock()
  ports = [new FakePort('one:1'), new FakePort('two:2')]
  masters = ports.map((port) => ({ port, shard: { id: port.id } as Shard }))
  ;[home, moved, lookups, heard] = [0, [], 0, []]
  lookUp = () => undefined
  subscriber = new ShardedSubscriber(
    {
      id: 'cluster',
      shardOf: () => (home === undefined ? undefined : masters[home]!.shard),
      masters: () => masters,
      onMoved: (listener) => {
        moved.push(listener)
        return () => void (moved = moved.filter((each) => each !== listener))
      },
      layout: async () => {
        lookups++
        lookUp()
      },
    },
    {
      clock,
      random: { float: () => 0.5, int: () => 0, token: () => '' },
      name: 'test',
      connectTimeoutMs: 3_000,
      timeoutMs: 1_000,
      heartbeat: { everyMs: 1_000, timeoutMs: 2_000 },
      onError: (error) => heard.push(`error ${String(error)}`),
    },
  )
})

const handler: SubscriptionHandler = {
  message: (payload) => void heard.push(payload.toString()),
  lost: () => void heard.push('lost'),
  gap: () => void heard.push('gap'),
}
/** Where the channel is subscribed now. */
const places = (): number[] =>
  ports.flatMap((port, i) => {
    const sent = port.opened.filter(({ closed }) => !closed).flatMap((connection) => connection.sent)
    return sent.filter((command) => command.endsWith(' c')).at(-1) === 'SSUBSCRIBE c' ? [i] : []
  })
function slotMoves(to: number | undefined): void {
  home = to
  for (const listener of moved) listener('slots')
}
/** As a master answers that does not serve the slot. */
const refuses = (port: FakePort): void => {
  port.answer = (command) =>
    command.startsWith('SSUBSCRIBE') ? Promise.reject(new RedisReplyError('MOVED 1 two:2')) : undefined
}

it('a channel is subscribed at the master of its slot, and goes with it', async () => {
  const subscription = await subscriber.subscribe('c', handler)
  expect(places()).toEqual([0])
  slotMoves(1)
  await clock.settle()
  expect([places(), heard]).toEqual([[1], ['lost', 'gap']])
  ports[1]!.last.publish('c', 'message')
  await subscription.unsubscribe()
  ports[1]!.last.publish('c', 'late')
  expect([places(), heard.at(-1)]).toEqual([[], 'message'])
})

it('where the map is old, the answer of the server has it read anew', async () => {
  refuses(ports[0]!)
  lookUp = () => (home = 1)
  await subscriber.subscribe('c', handler)
  expect([places(), lookups, heard]).toEqual([[1], 1, []])
})

it('a slot that nobody serves is no subscription', async () => {
  home = undefined
  await expect(subscriber.subscribe('c', handler)).rejects.toThrow(RedisUnavailableError)
})

it('a slot that moves while its channel is being subscribed is followed', async () => {
  let confirm = (): void => undefined
  ports[0]!.answer = (command) =>
    command === 'SSUBSCRIBE c' ? new Promise((resolve) => (confirm = () => resolve('OK'))) : undefined
  const subscribed = subscriber.subscribe('c', handler)
  await clock.settle()
  // Nobody watches the channel yet.
  slotMoves(1)
  confirm()
  await subscribed
  await clock.settle()
  expect([places(), heard]).toEqual([[1], ['lost', 'gap']])
})

it('a slot that moves on while its channel is on its way is followed too', async () => {
  await subscriber.subscribe('c', handler)
  let confirm = (): void => undefined
  ports[1]!.answer = (command) =>
    command === 'SSUBSCRIBE c' ? new Promise((resolve) => (confirm = () => resolve('OK'))) : undefined
  slotMoves(1)
  await clock.settle()
  slotMoves(0)
  confirm()
  await clock.settle()
  expect([places(), heard]).toEqual([[0], ['lost', 'gap', 'lost', 'gap']])
})

it('while nobody serves the slot it is tried again, and what is told comes when it is heard again', async () => {
  await subscriber.subscribe('c', handler)
  slotMoves(undefined)
  await clock.advance(3_000)
  expect([places(), heard]).toEqual([[], ['lost']])
  home = 1
  await clock.advance(2_000)
  expect([places(), heard]).toEqual([[1], ['lost', 'gap']])
})

it('a subscription that ends on its way stays ended, and closing ends all', async () => {
  const subscription = await subscriber.subscribe('c', handler)
  slotMoves(undefined)
  await clock.settle()
  await subscription.unsubscribe()
  slotMoves(1)
  await clock.advance(3_000)
  expect(places()).toEqual([])

  await subscriber.subscribe('c', handler)
  expect(places()).toEqual([1])
  subscriber.close()
  expect([places(), moved]).toEqual([[], []])
  await expect(subscriber.subscribe('c', handler)).rejects.toThrow(RedisUnavailableError)
})
