import { beforeEach, describe, expect, it, vi } from 'vitest'
import { FakePort } from '../../test/support/fake-dedicated.js'
import { FakeClock } from '../testing/fake-clock.js'
import { RedisReplyError } from './errors.js'
import { Keyspace } from './keyspace.js'
import { TrackingSource, trackingReset, type TrackedMaster } from './tracking.js'
import type { ShardSession } from './topology.js'

interface FakeMaster extends TrackedMaster {
  readonly port: FakePort
  readonly shard: { session: ShardSession | undefined }
}

let clock: FakeClock
let warnings: string[]
let one: FakeMaster
let source: TrackingSource
let heard: string[]

beforeEach(() => {
  clock = new FakeClock()
  warnings = []
  one = master('one:1')
  source = sourceOf(one)
  heard = []
  source.listen({
    invalidate: (key) => heard.push(key),
    reset: () => heard.push(`reset at epoch ${source.epoch}`),
  })
})

function master(id: string): FakeMaster {
  return { port: new FakePort(id), shard: { session: data() } }
}

function data(runId = 'aaaa'): ShardSession {
  return { epoch: 'replid', runId }
}

function sourceOf(...given: FakeMaster[] | [() => readonly FakeMaster[]]): TrackingSource {
  const [first] = given
  const masters = typeof first === 'function' ? first : () => given as FakeMaster[]
  return new TrackingSource(masters, {
    prefixes: new Keyspace('vextrus:').trackedPrefixes,
    channel: 'vextrus@changes',
    clock,
    random: { float: () => 0.999, int: () => 0, token: () => '' },
    stalenessMs: 2_000,
    connectTimeoutMs: 3_000,
    name: 'test',
    warn: (message) => warnings.push(message),
  })
}

async function started(): Promise<void> {
  source.start()
  await clock.settle()
  expect(source.live).toBe(true)
}

describe('the handshake (R17)', () => {
  it('tracks the prefixes on its own connection, then subscribes, then pings, and never asks for NOLOOP', async () => {
    await started()
    expect(one.port.last.sent).toEqual([
      'CLIENT ID',
      'INFO server',
      'CLIENT TRACKING ON REDIRECT 7 BCAST PREFIX vextrus: PREFIX vextrus@tags PREFIX vextrus@wake: PREFIX vextrus@jwt:',
      'SUBSCRIBE __redis__:invalidate',
      'PING',
    ])
  })

  it('sends SUBSCRIBE only after TRACKING was answered, and PING only after SUBSCRIBE was', async () => {
    const answers = new Map<string, () => void>()
    one.port.answer = (command) =>
      /^CLIENT TRACKING|^SUBSCRIBE/.test(command)
        ? new Promise((resolve) => answers.set(command.split(' ')[0] ?? '', () => resolve('OK')))
        : undefined
    source.start()
    await clock.settle()
    expect(one.port.last.sent.at(-1)).toMatch(/^CLIENT TRACKING/)
    answers.get('CLIENT')?.()
    await clock.settle()
    expect(one.port.last.sent.at(-1)).toMatch(/^SUBSCRIBE/)
    expect(source.live).toBe(false)
    answers.get('SUBSCRIBE')?.()
    await clock.settle()
    expect(one.port.last.sent.at(-1)).toBe('PING')
  })

  it('is live only once the first PONG is here', async () => {
    one.port.autoPong = false
    source.start()
    await clock.settle()
    expect(one.port.last.pingsOutstanding).toBe(1)
    expect([source.live, source.epoch, source.validFrom()]).toEqual([false, 0, -Infinity])
    one.port.last.pong()
    await clock.settle()
    expect([source.live, source.validFrom()]).toEqual([true, clock.mono()])
    expect(source.epoch).toBeGreaterThan(0)
  })

  it('is not live without a data connection, and becomes so when there is one', async () => {
    one.shard.session = undefined
    source.start()
    await clock.settle()
    expect(source.live).toBe(false)
    one.shard.session = data()
    source.reset('connected')
    await clock.settle()
    expect(source.live).toBe(true)
  })

  it('gives up a handshake that hangs, closes its connection and tries again', async () => {
    one.port.answer = (command) => (command === 'CLIENT ID' ? new Promise(() => undefined) : undefined)
    source.start()
    await clock.settle()
    const hanging = one.port.last
    one.port.answer = () => undefined
    await clock.advance(3_000)
    expect(hanging.closed).toBe(true)
    await clock.advance(50)
    expect(one.port.last).not.toBe(hanging)
    expect(source.live).toBe(true)
  })
})

describe('the pushes', () => {
  it('arrive as whole Redis keys, in order', async () => {
    await started()
    one.port.last.push('vextrus:a', 'vextrus:ключ')
    one.port.last.push('vextrus@tags')
    expect(heard).toEqual(['vextrus:a', 'vextrus:ключ', 'vextrus@tags'])
  })

  it('of other channels are not invalidations', async () => {
    await started()
    one.port.last.publish('news', ['vextrus:a'])
    expect(heard).toEqual([])
  })

  it('reach every listener even if one of them throws, and its error is not swallowed', async () => {
    await started()
    const thrown: (() => void)[] = []
    vi.spyOn(globalThis, 'queueMicrotask').mockImplementation((fn) => thrown.push(fn))
    source.listen({
      invalidate: () => {
        throw new Error('mine')
      },
      reset: () => undefined,
    })
    const late: string[] = []
    source.listen({ invalidate: (key) => late.push(key), reset: () => undefined })
    one.port.last.push('vextrus:a')
    vi.restoreAllMocks()
    expect([heard, late]).toEqual([['vextrus:a'], ['vextrus:a']])
    expect(thrown).toHaveLength(1)
    expect(thrown[0]).toThrow('mine')
  })

  it('stop for a listener that has left', async () => {
    const stop = source.listen({ invalidate: (key) => heard.push(`second ${key}`), reset: () => undefined })
    await started()
    stop()
    one.port.last.push('vextrus:a')
    expect(heard).toEqual(['vextrus:a'])
  })
})

describe('the heartbeat (R18)', () => {
  it('proves what was acknowledged before the PING was sent, not before the PONG came', async () => {
    await started()
    one.port.last.autoPong = false
    await clock.advance(500)
    const sentAt = clock.mono()
    await clock.advance(300)
    one.port.last.pong()
    await clock.settle()
    expect(source.validFrom()).toBe(sentAt)
  })

  it('pings every 500 ms, counted from PING to PING', async () => {
    await started()
    const from = source.validFrom()
    one.port.last.autoPong = false
    await clock.advance(500)
    await clock.advance(300)
    one.port.last.pong()
    one.port.last.autoPong = true
    await clock.advance(199)
    expect(source.validFrom()).toBe(from + 500)
    await clock.advance(1)
    expect(source.validFrom()).toBe(from + 1_000)
  })

  it('has one PING outstanding at most', async () => {
    await started()
    one.port.last.autoPong = false
    await clock.advance(1_900)
    expect(one.port.last.pingsOutstanding).toBe(1)
  })

  it.each(['BUSY Redis is busy running a script', 'LOADING Redis is loading the dataset in memory'])(
    'takes no error reply for a PONG (%s), and asks on',
    async (reply) => {
      await started()
      const from = source.validFrom()
      const session = one.port.last
      one.port.answer = (command) => (command === 'PING' ? Promise.reject(new RedisReplyError(reply)) : undefined)
      await clock.advance(2_600)
      expect(source.validFrom()).toBe(from)
      one.port.answer = () => undefined
      await clock.advance(500)
      expect(source.validFrom()).toBeGreaterThan(from)
      expect(one.port.last).toBe(session)
    },
  )

  it('closes a session that does not answer within the staleness', async () => {
    await started()
    const session = one.port.last
    session.autoPong = false
    await clock.advance(500 + 1_999)
    expect(session.closed).toBe(false)
    await clock.advance(2)
    expect(session.closed).toBe(true)
    expect(source.live).toBe(false)
    expect(heard).toEqual(['reset at epoch 0'])
  })

  it('reads what has arrived before it judges, when the process itself was stopped', async () => {
    await started()
    const session = one.port.last
    session.autoPong = false
    await clock.advance(500)
    const sentAt = clock.mono()
    await clock.advance(2_000)
    session.autoPong = true
    session.pong()
    await clock.advance(100)
    expect(session.closed).toBe(false)
    expect(source.validFrom()).toBeGreaterThan(sentAt)
  })

  it.each([0, 1])('is as old as the oldest session (%i of two)', async (slow) => {
    const masters = [one, master('two:2')]
    const late = masters[slow]!.port
    source = sourceOf(...masters)
    await started()
    const from = source.validFrom()
    late.last.autoPong = false
    await clock.advance(1_600)
    expect(source.validFrom()).toBe(from)
    late.last.pong()
    await clock.settle()
    expect(source.validFrom()).toBe(from + 500)
  })
})

describe('the end of an epoch (R20)', () => {
  it('comes with FLUSHDB, whose push names no key', async () => {
    await started()
    const before = source.epoch
    one.port.last.publish('__redis__:invalidate', null)
    expect(heard).toEqual(['reset at epoch 0'])
    await clock.settle()
    expect(source.epoch).toBeGreaterThan(before)
  })

  it('comes at once with the loss of a session, and a new session begins a new epoch', async () => {
    await started()
    const before = source.epoch
    const lost = one.port.last
    lost.lose()
    expect(heard).toEqual(['reset at epoch 0'])
    expect(source.live).toBe(false)
    await clock.advance(50)
    expect(one.port.last).not.toBe(lost)
    expect(source.epoch).toBeGreaterThan(before)
  })

  it('makes a PONG to an earlier PING worthless', async () => {
    await started()
    const session = one.port.last
    session.autoPong = false
    await clock.advance(500)
    source.reset('data connection reconnected')
    session.pong()
    await clock.settle()
    expect(source.live).toBe(false)
    expect(session.pingsOutstanding).toBe(1)
    session.pong()
    await clock.settle()
    expect(source.live).toBe(true)
  })

  it('asks for the new proof at once', async () => {
    await started()
    await clock.advance(123)
    source.reset('data connection reconnected')
    await clock.settle()
    expect(source.validFrom()).toBe(clock.mono())
  })

  it('comes once when the data connection was replaced and that was reported', async () => {
    await started()
    const before = source.epoch
    one.shard.session = data()
    source.reset('data connection reconnected')
    await clock.advance(2_000)
    expect(heard).toEqual(['reset at epoch 0'])
    expect(source.epoch).toBe(before + 1)
  })

  it('comes when the data connection was replaced and nobody said so; until then nothing is fresh', async () => {
    await started()
    const before = source.epoch
    one.shard.session = data()
    expect([source.live, source.epoch]).toEqual([false, 0])
    await clock.advance(500)
    expect(heard).toEqual(['reset at epoch 0'])
    expect(source.epoch).toBeGreaterThan(before)
  })

  it('comes when the data connection is lost, also if it is back before the next heartbeat', async () => {
    await started()
    const before = source.epoch
    one.shard.session = undefined
    expect(source.live).toBe(false)
    await clock.advance(500)
    expect(heard).toEqual(['reset at epoch 0'])
    one.shard.session = data()
    await clock.advance(500)
    expect(source.epoch).toBeGreaterThan(before)
  })

  it('replaces a session that listens to another server process than the data connection talks to', async () => {
    await started()
    const wrong = one.port.last
    one.shard.session = data('bbbb')
    one.port.runId = 'bbbb'
    source.reset('data connection reconnected')
    await clock.settle()
    expect(wrong.closed).toBe(true)
    expect(source.live).toBe(false)
    await clock.advance(50)
    expect(one.port.last.sent).toContain('PING')
    expect(source.live).toBe(true)
  })

  it('is one for all masters, and live needs all of them', async () => {
    const two = master('two:2')
    source = sourceOf(one, two)
    await started()
    two.port.last.lose()
    expect(source.live).toBe(false)
    one.port.last.push('vextrus:a')
    await clock.advance(50)
    expect(source.live).toBe(true)
    expect(one.port.opened).toHaveLength(1)
    expect(two.port.opened).toHaveLength(2)
  })

  it.each([0, 1])(
    'leaves everything as fresh as the session with the oldest proof, whichever that is: %i',
    async (slow) => {
      const two = master('two:2')
      source = sourceOf(one, two)
      await started()
      const proven = source.validFrom()
      ;[one, two][slow]!.port.last.autoPong = false
      await clock.advance(1_000)
      expect(source.validFrom()).toBe(proven)
    },
  )

  it('is published as an event with its reason', async () => {
    await started()
    const reasons: string[] = []
    const stop = trackingReset.subscribe(({ reason }) => reasons.push(reason))
    one.port.last.lose(new Error('ECONNRESET'))
    stop()
    expect(reasons).toEqual(['one:1: ECONNRESET'])
  })
})

describe('masters that come and go (R20)', () => {
  let masters: readonly FakeMaster[]
  let two: FakeMaster
  let following: TrackingSource

  beforeEach(async () => {
    masters = [one]
    two = master('two:2')
    following = sourceOf(() => masters)
    following.listen({ invalidate: (key) => heard.push(key), reset: (reason) => heard.push(reason) })
    following.start()
    await clock.settle()
  })

  it('are not covered from the moment on that one is new, told or not, until its session is proven', async () => {
    expect(following.live).toBe(true)
    two.port.autoPong = false
    masters = [one, two]
    expect([following.live, following.validFrom()]).toEqual([false, -Infinity])
    following.reset('a new master')
    await clock.settle()
    expect(heard).toEqual(['a new master'])
    expect(two.port.opened).toHaveLength(1)
    expect(following.live).toBe(false)
    two.port.last.pong()
    await clock.settle()
    expect(following.live).toBe(true)
    two.port.last.push('vextrus:there')
    expect(heard.at(-1)).toBe('vextrus:there')
  })

  it('keep their sessions, and one that is gone takes its own with it', async () => {
    masters = [one, two]
    following.reset('a new master')
    await clock.settle()
    const [kept, gone] = [one.port.last, two.port.last]
    two.shard.session = undefined
    masters = [one]
    following.reset('a master less')
    await clock.settle()
    expect([kept.closed, gone.closed]).toEqual([false, true])
    expect(one.port.opened).toHaveLength(1)
    expect(following.live).toBe(true)
    await clock.advance(10_000)
    expect(two.port.opened).toHaveLength(1)
  })

  it('are followed only after the start, and no more after the end', async () => {
    following.close()
    masters = [one, two]
    following.reset('after the end')
    await clock.settle()
    expect(two.port.opened).toEqual([])
    expect(following.live).toBe(false)
  })
})

describe('a server that cannot be reached', () => {
  it('is tried again, with waits that double up to two seconds', async () => {
    const at: number[] = []
    one.port.connect = async () => {
      at.push(clock.mono())
      throw new Error('ECONNREFUSED')
    }
    source.start()
    await clock.advance(10_000)
    const waits = at.slice(1).map((time, i) => time - (at[i] ?? 0))
    expect(waits.slice(0, 8)).toEqual([50, 100, 200, 400, 800, 1_599, 1_999, 1_999])
    expect(warnings).toEqual([])
  })

  it('is tried at once when the data connection is back', async () => {
    one.port.connect = async () => {
      throw new Error('ECONNREFUSED')
    }
    source.start()
    await clock.advance(5_000)
    one.port.connect = async () => undefined
    source.reset('data connection reconnected')
    await clock.settle()
    expect(source.live).toBe(true)
  })

  it('is tried soon again when its last session was a good one', async () => {
    let reachable = false
    one.port.connect = async () => {
      if (!reachable) throw new Error('ECONNREFUSED')
    }
    source.start()
    await clock.advance(10_000)
    reachable = true
    await clock.advance(10_000)
    one.port.last.lose()
    await clock.advance(50)
    expect(one.port.opened).toHaveLength(2)
  })

  it('is not hammered when it takes connections only to drop them', async () => {
    one.port.answer = (command, connection) => {
      if (command === 'PING') setImmediate(() => connection.lose())
      return undefined
    }
    source.start()
    await clock.advance(10_000)
    expect(one.port.opened.length).toBeLessThan(15)
  })
})

describe('a server that refuses tracking', () => {
  const refused = new RedisReplyError("NOPERM User app has no permissions to run the 'client|tracking' command")

  /** From now on it answers so to every command that begins like this. */
  function refuse(...beginnings: string[]): void {
    one.port.answer = (command) =>
      beginnings.some((beginning) => command.startsWith(beginning)) ? Promise.reject(refused) : undefined
  }

  describe('is heard by what is published on it (R23)', () => {
    it('on a connection of its own, whose PING goes out only after SUBSCRIBE was answered', async () => {
      let subscribed = (): void => undefined
      one.port.answer = (command) => {
        if (command.startsWith('CLIENT TRACKING')) return Promise.reject(refused)
        return command.startsWith('SUBSCRIBE')
          ? new Promise((resolve) => (subscribed = () => resolve('OK')))
          : undefined
      }
      source.start()
      await clock.settle()
      const [refusing, session] = one.port.opened
      expect(refusing!.closed).toBe(true)
      expect(session!.sent).toEqual(['INFO server', 'SUBSCRIBE vextrus@changes'])
      expect([source.live, source.mode]).toEqual([false, undefined])
      subscribed()
      await clock.settle()
      expect(session!.sent.at(-1)).toBe('PING')
      expect([source.live, source.mode]).toEqual([true, 'published'])
    })

    it('is live only once the first PONG is here', async () => {
      refuse('CLIENT TRACKING')
      one.port.autoPong = false
      source.start()
      await clock.settle()
      expect([source.live, source.epoch]).toEqual([false, 0])
      one.port.last.pong()
      await clock.settle()
      expect(source.live).toBe(true)
    })

    it('with whole keys, and not with what other channels carry', async () => {
      refuse('CLIENT TRACKING')
      await started()
      one.port.last.publish('vextrus@changes', 'vextrus:ключ')
      one.port.last.publish('vextrus@other', 'vextrus:a')
      one.port.last.push('vextrus:b')
      expect(heard).toEqual(['vextrus:ключ'])
    })

    it('with the same end: a loss, silence, another server process', async () => {
      refuse('CLIENT TRACKING')
      await started()
      const epochs = [source.epoch]
      one.port.last.lose()
      expect([source.live, source.mode]).toEqual([false, undefined])
      await clock.advance(50)
      epochs.push(source.epoch)
      one.port.last.autoPong = false
      await clock.advance(500 + 2_001)
      expect(source.live).toBe(false)
      await clock.advance(100)
      epochs.push(source.epoch)
      one.shard.session = data('bbbb')
      await clock.advance(500)
      expect(source.live).toBe(false)
      one.port.runId = 'bbbb'
      await clock.advance(2_000)
      epochs.push(source.epoch)
      expect(source.mode).toBe('published')
      expect(epochs).toEqual([...new Set(epochs)].sort((a, b) => a - b))
      expect(epochs).not.toContain(0)
    })

    it('and says so once, with what mends it', async () => {
      refuse('CLIENT TRACKING')
      const two = master('two:2')
      two.port.answer = one.port.answer
      source = sourceOf(one, two)
      await started()
      one.port.last.lose()
      await clock.advance(61_000)
      expect(warnings).toHaveLength(1)
      expect(warnings[0]).toMatch(/^Redis at one:1 refuses client-side tracking .*`vextrus@changes`/)
      expect(warnings[0]).toMatch(/\+client\|tracking .*&__redis__:invalidate/)
    })

    it('where one master refuses; the others track', async () => {
      refuse('CLIENT TRACKING')
      const two = master('two:2')
      source = sourceOf(one, two)
      await started()
      expect(source.mode).toBe('published')
      expect(two.port.last.sent).toContain('SUBSCRIBE __redis__:invalidate')
    })

    it('and is asked again every half minute; once it allows tracking a new epoch begins with it', async () => {
      refuse('CLIENT TRACKING')
      await started()
      const [session, before] = [one.port.last, source.epoch]
      await clock.advance(90_000)
      expect(one.port.opened).toHaveLength(5)
      expect(one.port.opened.filter(({ closed }) => !closed)).toEqual([session])
      expect([source.epoch, heard]).toEqual([before, []])
      one.port.answer = () => undefined
      await clock.advance(30_100)
      expect(session.closed).toBe(true)
      expect([source.live, source.mode]).toEqual([true, 'tracking'])
      expect(source.epoch).toBeGreaterThan(before)
      expect(heard).toEqual(['reset at epoch 0'])
      // And it is told of anew when it is taken away again.
      refuse('CLIENT TRACKING')
      one.port.last.lose()
      await clock.advance(100)
      expect([source.mode, warnings.length]).toEqual(['published', 2])
    })

    it('and is asked no more once it is closed', async () => {
      refuse('CLIENT TRACKING')
      await started()
      let answer = (): void => undefined
      one.port.connect = () => new Promise((resolve) => (answer = resolve))
      await clock.advance(30_000)
      source.close()
      answer()
      await clock.settle()
      expect(one.port.opened.every(({ closed }) => closed)).toBe(true)
      expect(clock.pendingTimers).toBe(0)
    })
  })

  it('and messages too is reported once, with what mends it, and asked again every half minute', async () => {
    refuse('CLIENT TRACKING', 'SUBSCRIBE')
    source.start()
    await clock.advance(29_999)
    expect(one.port.opened).toHaveLength(2)
    expect(one.port.opened.every(({ closed }) => closed)).toBe(true)
    await clock.advance(61_000)
    expect(one.port.opened).toHaveLength(8)
    expect([source.live, source.mode]).toEqual([false, undefined])
    expect(warnings).toHaveLength(1)
    expect(warnings[0]).toContain('one:1')
    expect(warnings[0]).toContain('+client|tracking')
    expect(warnings[0]).toContain('&__redis__:invalidate')
    expect(warnings[0]).toContain('&vextrus@changes')
    one.port.answer = () => undefined
    await clock.advance(30_000)
    expect([source.live, source.mode]).toEqual([true, 'tracking'])
  })

  it('only for the moment (LOADING, BUSY) is tried again soon and in silence', async () => {
    one.port.answer = () => Promise.reject(new RedisReplyError('LOADING Redis is loading the dataset in memory'))
    source.start()
    await clock.advance(1_000)
    one.port.answer = () => undefined
    await clock.advance(1_000)
    expect(source.live).toBe(true)
    expect(warnings).toEqual([])
  })
})

describe('close', () => {
  it('ends the sessions, tells the listeners, and leaves no timer', async () => {
    await started()
    source.close()
    expect(one.port.last.closed).toBe(true)
    expect(heard).toEqual(['reset at epoch 0'])
    expect([source.live, clock.pendingTimers]).toEqual([false, 0])
  })

  it('while a connection is being opened closes that one too', async () => {
    let connected = (): void => undefined
    one.port.connect = () => new Promise((resolve) => (connected = resolve))
    source.start()
    source.close()
    connected()
    await clock.settle()
    expect(one.port.last.closed).toBe(true)
    expect([source.live, clock.pendingTimers]).toEqual([false, 0])
  })

  it('during an attempt that then fails makes no other', async () => {
    let fail = (): void => undefined
    one.port.connect = () => new Promise((_, reject) => (fail = () => reject(new Error('ECONNREFUSED'))))
    source.start()
    source.close()
    fail()
    await clock.settle()
    expect(clock.pendingTimers).toBe(0)
  })

  it('while waiting for the next attempt makes none', async () => {
    one.port.connect = async () => {
      throw new Error('ECONNREFUSED')
    }
    source.start()
    await clock.settle()
    source.close()
    await clock.advance(10_000)
    expect([one.port.opened.length, clock.pendingTimers]).toEqual([0, 0])
  })
})
