import { beforeEach, describe, expect, it } from 'vitest'
import { FakePort, greeting, heartbeat } from '../../test/support/fake-port.js'
import { ManualClock, settled } from '../../test/support/manual-clock.js'
import { RedisReplyError } from './errors.js'
import { MasterWatch } from './master-watch.js'
import { command } from './script.js'
import { SCRIPTS } from './scripts.gen.js'
import { RedisShard } from './shard.js'

describe('the watch over a master', () => {
  let clock: ManualClock
  let port: FakePort
  let shard: RedisShard
  let watch: MasterWatch
  let told: string[]

  beforeEach(() => {
    clock = new ManualClock()
    port = new FakePort()
    shard = new RedisShard('fake:1', clock, 400)
    told = []
    watch = new MasterWatch(port, shard, clock, {
      session: (session) => told.push(`session ${session?.epoch}`),
      up: (version) => told.push(version === undefined ? 'up' : `up ${version}`),
      down: (cause) => told.push(`down ${cause.message}`),
    })
    watch.start()
  })

  /** Connected and greeted, with nothing told yet. */
  async function healthy(): Promise<void> {
    port.connectNow()
    port.next().answer(...greeting())
    await settled()
    told.length = 0
  }

  it('opens the shard only after the server has said who it is', async () => {
    port.connectNow()
    const list = port.next()
    expect(list.text.slice(0, 3)).toEqual(['INFO server', 'INFO replication', 'TIME'])
    expect(list.text.slice(3)).toEqual(Object.values<{ lua: string }>(SCRIPTS).map(({ lua }) => `SCRIPT LOAD ${lua}`))
    expect(shard.session).toBeUndefined()
    list.answer(...greeting())
    await settled()
    expect(shard.session).toEqual({ epoch: 'abcdef01', runId: 'run1' })
    expect(shard.serverNow()).toBe(1_700_000_000_123)
    expect(told).toEqual(['session abcdef01', 'up Redis 7.0.15'])
  })

  it('does not believe a greeting that belongs to a connection before', async () => {
    port.connectNow()
    const old = port.next()
    // The loss is noticed before the answer of the old connection is looked at.
    port.loseNow()
    port.connectNow()
    old.answer(...greeting({ replid: 'oldoldold' }))
    await settled()
    expect(shard.session).toBeUndefined()
    port.next().answer(...greeting())
    await settled()
    expect(shard.session?.epoch).toBe('abcdef01')
  })

  it('closes the shard at once when the connection is lost', async () => {
    await healthy()
    port.loseNow()
    expect(shard.session).toBeUndefined()
    expect(told).toEqual(['session undefined', 'down the connection was lost'])
  })

  it('asks again every 500 ms, for role, replication id and time', async () => {
    await healthy()
    await clock.advance(499)
    expect(port.lists).toEqual([])
    await clock.advance(1)
    const beat = port.next()
    expect(beat.text).toEqual(['INFO replication', 'TIME'])
    beat.answer(...heartbeat())
    await settled()
    expect(told).toEqual(['up'])
    await clock.advance(500)
    expect(port.next().text).toEqual(['INFO replication', 'TIME'])
  })

  it('begins another epoch when the replication id has changed', async () => {
    await healthy()
    const before = shard.session
    await clock.advance(500)
    port.next().answer(...heartbeat({ replid: 'fedcba9876543210' }))
    await settled()
    expect(shard.session).toEqual({ epoch: 'fedcba98', runId: 'run1' })
    expect(shard.session).not.toBe(before)
    expect(told).toEqual(['session fedcba98', 'up'])
  })

  it('leaves a master that was demoted, and takes it back when it is one again', async () => {
    await healthy()
    await clock.advance(500)
    port.next().answer(...heartbeat({ role: 'slave' }))
    await settled()
    expect(shard.session).toBeUndefined()
    expect(told).toEqual(['session undefined', expect.stringContaining('role slave')])
    await expect(shard.exec([command('PING', [])])).rejects.toThrow('role slave')

    await clock.advance(500)
    port.next().answer(...greeting({ role: 'slave' }))
    await clock.advance(500)
    port.next().answer(...greeting({ replid: 'fedcba9876543210' }))
    await settled()
    expect(shard.session?.epoch).toBe('fedcba98')
  })

  it('greets again when a server is still loading its data', async () => {
    port.connectNow()
    const loading = new RedisReplyError('LOADING Redis is loading the dataset in memory')
    port.next().answer(loading, loading, loading)
    await settled()
    expect(told).toEqual(['down LOADING Redis is loading the dataset in memory'])
    await clock.advance(500)
    port.next().answer(...greeting())
    await settled()
    expect(shard.session).toBeDefined()
  })

  it('does not ask a server again that is too old, until it reconnects', async () => {
    port.connectNow()
    port.next().answer(...greeting({ version: 'redis_version:6.2.14' }))
    await settled()
    expect(told).toEqual([expect.stringMatching(/Redis 6\.2\.14 at fake:1 is too old.*Redis 7\.0/)])
    await clock.advance(5_000)
    expect(port.lists).toEqual([])
    port.loseNow()
    port.connectNow()
    port.next().answer(...greeting())
    await settled()
    expect(shard.session).toBeDefined()
  })

  it('opens the circuit when heartbeats are not answered, and closes it when one is', async () => {
    await healthy()
    await clock.advance(1_950)
    expect(shard.circuit).toBe('open')
    expect(told).toEqual([expect.stringMatching(/^down .*did not answer within 400 ms/)])
    expect(shard.session).toBeDefined()
    port.lists.length = 0
    await clock.advance(100)
    port.next().answer(...heartbeat())
    await settled()
    expect(shard.circuit).toBe('closed')
    expect(told.at(-1)).toBe('up')
  })

  it('drops a connection that has been silent for five seconds', async () => {
    await healthy()
    await clock.advance(5_000)
    expect(port.resets).toBe(0)
    await clock.advance(500)
    expect(port.resets).toBe(1)
  })

  it('does not take a busy server for a silent one', async () => {
    await healthy()
    const busy = new RedisReplyError('BUSY Redis is busy running a script.')
    for (let beat = 0; beat < 20; beat++) {
      await clock.advance(500)
      port.next().answer(busy, busy)
      await settled()
    }
    expect(port.resets).toBe(0)
    expect(shard.circuit).not.toBe('closed')
  })

  it('makes a new connection at once where others decide who is master, and soon when there is no answer', async () => {
    watch.stop()
    watch = new MasterWatch(port, shard, clock, { session() {}, up() {}, down() {} }, { movable: true })
    watch.start()
    await healthy()
    await clock.advance(500)
    port.next().answer(...heartbeat({ role: 'slave' }))
    await settled()
    expect(shard.session).toBeUndefined()
    expect(port.resets).toBe(1)

    port.loseNow()
    await healthy()
    await clock.advance(2_000)
    expect(port.resets).toBe(1)
    await clock.advance(500)
    expect(port.resets).toBe(2)
  })

  it('stops for good', async () => {
    await healthy()
    watch.stop()
    expect(clock.timers).toBeLessThanOrEqual(1)
    await clock.advance(10_000)
    expect(port.lists).toEqual([])
    port.loseNow()
    expect(told).toEqual([])
  })
})
