import { beforeEach, describe, expect, it } from 'vitest'
import { FakePort } from '../../test/support/fake-port.js'
import { ManualClock, settled } from '../../test/support/manual-clock.js'
import { RedisReplyError, RedisUnavailableError } from './errors.js'
import { command, defineScript, scriptCommand } from './script.js'
import { RedisShard } from './shard.js'

const PING = command('PING', [])
const SCRIPT = defineScript('test', 'return 1')
const NOSCRIPT = new RedisReplyError('NOSCRIPT No matching script.')
const session = { epoch: 'abcdef01', runId: 'run1' }

describe('a shard', () => {
  let clock: ManualClock
  let port: FakePort
  let shard: RedisShard

  beforeEach(() => {
    clock = new ManualClock()
    port = new FakePort()
    port.ready = true
    shard = new RedisShard('fake:1', clock, 500)
    shard.attach(port)
    shard.begin(session)
  })

  /** The reason for which each of these commands failed. */
  async function failures(count: number): Promise<string[]> {
    const outcomes = await Promise.allSettled(Array.from({ length: count }, () => shard.exec([PING])))
    return outcomes.map((outcome) => (outcome as { reason: RedisUnavailableError }).reason.reason)
  }

  it('sends before exec returns, and answers with the session of that moment', async () => {
    const executed = shard.exec([PING, command('GET', ['a'])])
    const list = port.next()
    expect(list.text).toEqual(['PING', 'GET a'])
    shard.renew({ epoch: 'another0', runId: 'run1' })
    list.answer('PONG', null)
    expect(await executed).toEqual({ replies: ['PONG', null], session })
  })

  it('sends nothing before its session is known', async () => {
    shard.end(new Error('connect ECONNREFUSED'))
    await expect(shard.exec([PING])).rejects.toThrow(/not connected: connect ECONNREFUSED.*`host`/)
    expect(port.lists).toEqual([])
  })

  it('sends a script by hash with the number of its keys', async () => {
    const executed = shard.exec([scriptCommand(SCRIPT, ['k1', 'k2'], [7, 'x']), PING])
    const list = port.next()
    expect(list.text).toEqual([`EVALSHA ${SCRIPT.sha} 2 k1 k2 7 x`, 'PING'])
    list.answer(1, 'PONG')
    expect((await executed).replies).toEqual([1, 'PONG'])
  })

  it('sends an unknown script once more, in full, and the other commands not', async () => {
    const executed = shard.exec([PING, scriptCommand(SCRIPT, ['k'], []), scriptCommand(SCRIPT, ['l'], [])])
    port.next().answer('PONG', NOSCRIPT, 5)
    await settled()
    const again = port.next()
    expect(again.text).toEqual(['EVAL return 1 1 k'])
    again.answer(NOSCRIPT)
    // Once: a server that forgets it again has the last word.
    expect((await executed).replies).toEqual(['PONG', NOSCRIPT, 5])
    expect(port.lists).toEqual([])
  })

  it('does not send an unknown script again on another connection', async () => {
    const executed = shard.exec([scriptCommand(SCRIPT, ['k'], [])])
    const first = port.next()
    shard.end(undefined)
    shard.begin({ epoch: 'another0', runId: 'run2' })
    first.answer(NOSCRIPT)
    await expect(executed).rejects.toMatchObject({ reason: 'lost' })
    expect(port.lists).toEqual([])
  })

  it('waits for an answer as long as the deadline says, the second attempt of a script included', async () => {
    const executed = shard.exec([scriptCommand(SCRIPT, ['k'], [])])
    const outcome = executed.catch((error: unknown) => error)
    await clock.advance(400)
    port.next().answer(NOSCRIPT)
    await clock.advance(102)
    expect(await outcome).toMatchObject({ reason: 'deadline', code: 'REDIS_UNAVAILABLE' })
  })

  it('fails at once after three deadlines in a row, until a probe is answered', async () => {
    const late = failures(3)
    await clock.advance(501)
    expect(await late).toEqual(['deadline', 'deadline', 'deadline'])
    expect(shard.circuit).toBe('open')
    port.lists.length = 0
    expect(await failures(2)).toEqual(['circuit-open', 'circuit-open'])
    // No caller is the probe, however long it lasts.
    await clock.advance(10_000)
    expect(await failures(1)).toEqual(['circuit-open'])
    expect(port.lists).toEqual([])

    expect(shard.probe()).toBe(true)
    shard.report(true)
    const executed = shard.exec([PING])
    port.next().answer('PONG')
    expect((await executed).replies).toEqual(['PONG'])
  })

  it('does not count error replies, nor failures with an answer between them', async () => {
    for (let i = 0; i < 5; i++) {
      const executed = shard.exec([PING])
      port.next().answer(new RedisReplyError('ERR no'))
      await executed
    }
    for (let i = 0; i < 5; i++) {
      const late = failures(1)
      await clock.advance(501)
      await late
      port.lists.length = 0
      const executed = shard.exec([PING])
      port.next().answer('PONG')
      await executed
    }
    expect(shard.circuit).toBe('closed')
  })

  it('starts with a closed circuit on a new connection', async () => {
    const late = failures(3)
    await clock.advance(501)
    await late
    shard.end(undefined)
    shard.begin(session)
    expect(shard.circuit).toBe('closed')
  })

  it('estimates the server clock from its last TIME, and forgets it with the connection', async () => {
    expect(shard.serverNow()).toBeUndefined()
    shard.noteTime(5_000)
    await clock.advance(30)
    expect(shard.serverNow()).toBe(5_030)
    shard.noteTime(5_020)
    expect(shard.serverNow()).toBe(5_020)
    shard.end(undefined)
    expect(shard.serverNow()).toBeUndefined()
  })

  it('asks before each command where a slot is on its way to, also before one that is sent again', async () => {
    const executed = shard.execAsking([command('GET', ['a']), scriptCommand(SCRIPT, ['a'], []), PING])
    const list = port.next()
    expect(list.text).toEqual(['ASKING', 'GET a', 'ASKING', `EVALSHA ${SCRIPT.sha} 1 a`, 'ASKING', 'PING'])
    list.answer('OK', 'v', 'OK', NOSCRIPT, 'OK', 'PONG')
    await settled()
    const again = port.next()
    expect(again.text).toEqual(['ASKING', `EVAL ${SCRIPT.lua} 1 a`])
    again.answer('OK', 1)
    expect((await executed).replies).toEqual(['v', 1, 'PONG'])
  })

  it('answers with the refusal of ASKING, where that is refused', async () => {
    const executed = shard.execAsking([command('GET', ['a'])])
    const refused = new RedisReplyError('NOPERM this user has no permissions to run the asking command')
    port.next().answer(refused, new RedisReplyError('MOVED 1 a:1'))
    expect((await executed).replies).toEqual([refused])
  })

  it('rejects what is under way when it is closed', async () => {
    const executed = failures(1)
    shard.close()
    expect(await executed).toEqual(['lost'])
    expect(clock.timers).toBe(0)
  })
})
