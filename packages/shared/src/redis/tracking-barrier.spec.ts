import { beforeEach, describe, expect, it } from 'vitest'
import { FakePort } from '../../test/support/fake-dedicated.js'
import { FakeClock } from '../testing/fake-clock.js'
import { RedisReplyError } from './errors.js'
import type { ShardSession } from './topology.js'
import { type TrackedMaster, TrackingSource } from './tracking.js'

interface FakeMaster extends TrackedMaster {
  readonly port: FakePort
  readonly shard: { session: ShardSession | undefined }
}

let clock: FakeClock
let masters: readonly FakeMaster[]
let one: FakeMaster
let other: FakeMaster
let source: TrackingSource

beforeEach(async () => {
  clock = new FakeClock()
  one = master('one:1')
  other = master('other:1')
  masters = [one, other]
  source = new TrackingSource(() => masters, {
    ...{ prefixes: ['vextrus:'], channel: 'vextrus@changes', clock, stalenessMs: 2_000, connectTimeoutMs: 3_000 },
    random: { float: () => 0.999, int: () => 0, token: () => '' },
    ...{ name: 'test', warn: () => undefined },
  })
  source.start()
  await clock.settle()
  for (const { port } of masters) port.last.autoPong = false
})

function master(id: string): FakeMaster {
  return { port: new FakePort(id), shard: { session: { epoch: 'replid', runId: 'aaaa' } } }
}

const pings = (of: FakeMaster): number => of.port.last.pingsOutstanding

/** What it has come to: undefined while nobody can say. */
async function answerOf(barrier: Promise<boolean>): Promise<boolean | undefined> {
  let answer: boolean | undefined
  void barrier.then((told) => (answer = told))
  await clock.settle()
  return answer
}

describe('a barrier (R21)', () => {
  it('is told when every session has answered a PING of its own', async () => {
    expect(source.live).toBe(true)
    const barrier = source.barrier()
    expect(await answerOf(barrier)).toBeUndefined()
    expect([pings(one), pings(other)]).toEqual([1, 1])
    one.port.last.pong()
    expect(await answerOf(barrier)).toBeUndefined()
    other.port.last.pong()
    expect(await answerOf(barrier)).toBe(true)
  })

  it('is shared by all of one tick, for its PINGs are unsent until then', async () => {
    const barriers = [source.barrier(), source.barrier(), source.barrier()]
    await clock.settle()
    expect([pings(one), pings(other)]).toEqual([1, 1])
    for (const { port } of masters) port.last.pong()
    expect(await Promise.all(barriers)).toEqual([true, true, true])
  })

  it('is not shared once it was sent: a PONG to that proves nothing of what came after', async () => {
    const first = source.barrier()
    await clock.settle()
    const second = source.barrier()
    await clock.settle()
    expect([pings(one), pings(other)]).toEqual([2, 2])
    for (const { port } of masters) port.last.pong()
    expect(await Promise.all([first, second])).toEqual([true, true])
  })

  it('does not count the PONG of the heartbeat’s PING that was under way', async () => {
    await clock.advance(500)
    expect([pings(one), pings(other)]).toEqual([1, 1])
    const barrier = source.barrier()
    await clock.settle()
    expect([pings(one), pings(other)]).toEqual([2, 2])
    for (const { port } of masters) port.last.pong()
    expect(await barrier).toBe(true)
  })

  it('proves, as the heartbeat does, what was told before it was sent', async () => {
    await clock.advance(100)
    const sentAt = clock.mono()
    const barrier = source.barrier()
    await clock.advance(50)
    for (const { port } of masters) port.last.pong()
    expect(await barrier).toBe(true)
    expect(source.validFrom()).toBe(sentAt)
  })

  it('is told of nothing when nobody answers within half a second', async () => {
    const barrier = source.barrier()
    await clock.settle()
    one.port.last.pong()
    await clock.advance(499)
    expect(await answerOf(barrier)).toBeUndefined()
    await clock.advance(1)
    expect(await barrier).toBe(false)
  })

  it('is told of nothing by an error: a server that is busy has not read what lies before it', async () => {
    one.port.answer = (command) =>
      command === 'PING' ? Promise.reject(new RedisReplyError('BUSY running')) : undefined
    const barrier = source.barrier()
    await clock.settle()
    other.port.last.pong()
    expect(await barrier).toBe(false)
  })

  it('is told of nothing when its epoch ends meanwhile, whatever is answered then', async () => {
    const barrier = source.barrier()
    await clock.settle()
    source.reset('data connection')
    for (const { port } of masters) port.last.autoPong = true
    for (const { port } of masters) port.last.pong()
    expect(await barrier).toBe(false)
    await clock.settle()
    expect(source.live).toBe(true)
  })

  it('is told of nothing when a session is lost, and another one begins', async () => {
    const barrier = source.barrier()
    await clock.settle()
    one.port.last.pong()
    other.port.last.lose()
    expect(await barrier).toBe(false)
    const early = source.barrier()
    expect(await early).toBe(false)
    for (const { port } of masters) port.last.autoPong = true
    one.port.last.pong()
    await clock.advance(50)
    expect(source.live).toBe(true)
    expect(await source.barrier()).toBe(true)
  })

  it('is told of nothing while there is a master that no session covers', async () => {
    masters = [...masters, master('third:1')]
    expect(await source.barrier()).toBe(false)
  })

  it('is told of nothing once the source is closed, also when it was asked before', async () => {
    const barrier = source.barrier()
    await clock.settle()
    source.close()
    expect(await barrier).toBe(false)
    expect(await source.barrier()).toBe(false)
    expect(clock.pendingTimers).toBe(0)
  })
})
