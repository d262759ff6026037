import { beforeEach, describe, expect, it } from 'vitest'
import { FakeClock } from '../../testing/fake-clock.js'
import { RedisReplyError, RedisUnavailableError } from '../../redis/errors.js'
import { Keyspace } from '../../redis/keyspace.js'
import type { Executed, RedisCommand, RedisReply, Shard, Unit, UnitOutcome } from '../../redis/topology.js'
import { RedisTold } from './redis-told.js'

const SESSION = { epoch: 'aaaaaaaa', runId: 'aaaa' }

let clock: FakeClock
let warnings: string[]
/** What each of two masters says to a question: how many listen there. */
let listening: [RedisReply, RedisReply]
let asked: string[]
/** What the server says to an announcement. */
let announced: RedisReply | RedisUnavailableError
/** Holds answers back while it is pending. */
let gate: Promise<void>
/** Up to when every push was heard; null: up to now. */
let proven: number | null
let told: RedisTold

beforeEach(() => {
  clock = new FakeClock()
  proven = null
  warnings = []
  listening = [0, 0]
  asked = []
  announced = 'OK'
  gate = Promise.resolve()
  const shards = [0, 1].map((i): Shard => ({
    id: `${i}`,
    session: SESSION,
    serverNow: () => 0,
    exec: (all) => exec(all, i),
  }))
  const connection = {
    commandTimeoutMs: 500,
    shards: () => shards,
    exec: async ([unit]: readonly Unit[]): Promise<UnitOutcome[]> => {
      const { key, commands } = unit!
      const [{ script, args }] = commands as [RedisCommand]
      asked.push(`${script!.name} ${key} ${args.join(' ')}`)
      await gate
      if (announced instanceof RedisUnavailableError) return [announced]
      return [{ replies: [announced], session: SESSION, shard: shards[0]!, redirected: false }]
    },
  }
  const pushes = { validFrom: () => proven ?? clock.mono() }
  told = new RedisTold(connection, new Keyspace('vextrus:'), clock, pushes, (message) => warnings.push(message))
})

async function exec(commands: readonly RedisCommand[], i: number): Promise<Executed> {
  for (const { name, args } of commands) asked.push([name, ...args].join(' '))
  const count = listening[i]!
  await gate
  return { replies: [count instanceof RedisReplyError ? count : ['vextrus@changes', count]], session: SESSION }
}

async function began(mode: 'tracking' | 'published'): Promise<void> {
  told.began(mode)
  await clock.settle()
}

describe('a process that tracks (R23)', () => {
  it('publishes until every master has said that nobody listens', async () => {
    expect(told.telling).toBe('try')
    let answer = (): void => undefined
    gate = new Promise((resolve) => (answer = resolve))
    await began('tracking')
    expect([told.telling, told.open]).toEqual(['try', true])
    answer()
    await clock.settle()
    expect(told.telling).toBe('no')
    expect(asked).toEqual(Array(2).fill('PUBSUB NUMSUB vextrus@changes'))
    expect(clock.pendingTimers).toBe(0)
  })

  it.each([0, 1])('publishes as long as somebody listens at any master (%i), and says so once', async (at) => {
    listening[at] = 1
    await began('tracking')
    await clock.advance(60_000)
    expect([told.telling, told.open, warnings.length]).toEqual(['try', true, 1])
    expect(warnings[0]).toContain('vextrus@changes')
    listening = [0, 0]
    await clock.advance(30_000)
    expect(told.telling).toBe('no')
  })

  it('publishes again once its proof that nobody has begun to listen is two seconds old', async () => {
    await began('tracking')
    proven = clock.mono()
    await clock.advance(1_999)
    expect(told.telling).toBe('no')
    await clock.advance(1)
    expect(told.telling).toBe('try')
    proven = null
    expect(told.telling).toBe('no')
  })

  it('publishes again from the marker of another one on, whatever it was told before or is being told', async () => {
    await began('tracking')
    let answer = (): void => undefined
    gate = new Promise((resolve) => (answer = resolve))
    told.marked()
    expect(told.telling).toBe('try')
    // The answer of now is overtaken by one more.
    listening = [1, 0]
    told.marked()
    answer()
    await clock.settle()
    expect(told.telling).toBe('try')
  })

  it('publishes again when its epoch has ended, and asks in the next one', async () => {
    await began('tracking')
    told.ended()
    expect([told.telling, told.open]).toEqual(['try', false])
    await began('tracking')
    expect(told.telling).toBe('no')
  })

  it('publishes on where a server does not say', async () => {
    listening[1] = new RedisReplyError("NOPERM this user has no permissions to run the 'pubsub|numsub' command")
    await began('tracking')
    expect([told.telling, warnings]).toEqual(['try', []])
  })

  it('takes no answer of an epoch that has ended', async () => {
    let answer = (): void => undefined
    gate = new Promise((resolve) => (answer = resolve))
    await began('tracking')
    told.ended()
    answer()
    await clock.settle()
    expect(told.telling).toBe('try')
  })
})

describe('a process that is refused (R23)', () => {
  it('marks that it listens, and what it hears is all only when the others have heard of that', async () => {
    await began('published')
    expect(asked).toEqual(['cacheSignalTold vextrus@tags:published vextrus@tags:published 60000 vextrus@changes must'])
    expect([told.telling, told.open]).toEqual(['must', false])
    await clock.advance(2_499)
    expect(told.open).toBe(false)
    await clock.advance(1)
    expect(told.open).toBe(true)
  })

  it('does so in each epoch, and must publish all the while', async () => {
    await began('published')
    await clock.advance(2_500)
    told.ended()
    expect([told.telling, told.open]).toEqual(['must', false])
    await began('published')
    expect(asked).toHaveLength(2)
    expect(told.open).toBe(false)
  })

  it('is not confused by its own marker', async () => {
    let answer = (): void => undefined
    gate = new Promise((resolve) => (answer = resolve))
    await began('published')
    told.marked()
    answer()
    await clock.settle()
    expect(told.telling).toBe('must')
    told.marked()
    expect(told.telling).toBe('must')
    await clock.advance(2_500)
    told.marked()
    expect([told.open, told.telling]).toEqual([true, 'must'])
  })

  it('may fail no write and keeps nothing where it may not publish either, says so once, and tries again', async () => {
    announced = new RedisReplyError('NOPERM it was written, and other processes could not be told')
    await began('published')
    await clock.advance(90_000)
    expect([told.telling, told.open]).toEqual(['try', false])
    expect(warnings).toHaveLength(1)
    expect(warnings[0]).toMatch(/\+publish.*&vextrus@changes/)
    told.ended()
    await began('published')
    expect([told.telling, warnings.length]).toEqual(['try', 1])
    announced = 'OK'
    await clock.advance(30_000)
    expect(told.telling).toBe('must')
  })

  it.each([
    ['no answer came', new RedisUnavailableError('fake:1', 'deadline', { timeoutMs: 500 })],
    ['the answer will pass', new RedisReplyError('NOREPLICAS Not enough good replicas to write.')],
  ])('tries again soon, and says nothing, where %s', async (_, failure) => {
    announced = failure
    await began('published')
    expect([told.open, warnings]).toEqual([false, []])
    announced = 'OK'
    await clock.advance(3_500)
    expect(told.open).toBe(true)
  })

  it('must publish no more once it is allowed to track, and others are all as lucky', async () => {
    await began('published')
    told.ended()
    listening = [1, 1]
    await began('tracking')
    expect([told.telling, told.open]).toEqual(['try', true])
    listening = [0, 0]
    await clock.advance(30_000)
    expect(told.telling).toBe('no')
  })

  it('leaves no timer behind', async () => {
    announced = new RedisReplyError('NOPERM')
    await began('published')
    told.stop()
    expect(clock.pendingTimers).toBe(0)
  })
})
