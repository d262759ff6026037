import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { systemClock } from '../../src/kernel/clock.js'
import { CoherentMap } from '../../src/kernel/coherent-map.js'
import { systemRandom } from '../../src/kernel/random.js'
import { ownedPort } from '../../src/redis/adapters/ioredis.js'
import type { DedicatedConnection } from '../../src/redis/client.js'
import { RedisConnection } from '../../src/redis/connection.js'
import { Keyspace } from '../../src/redis/keyspace.js'
import { command } from '../../src/redis/script.js'
import { TrackingSource } from '../../src/redis/tracking.js'
import { type RedisServer, startRedis } from '../support/redis-server.js'
import { TcpProxy } from '../support/tcp-proxy.js'
import { waitFor } from '../support/wait-for.js'

const keyspace = new Keyspace('vextrus:')

let server: RedisServer
let undo: (() => void | Promise<void>)[]

beforeAll(async () => {
  server = await startRedis()
})
afterAll(() => server.stop())
beforeEach(() => {
  undo = []
})
afterEach(async () => {
  for (const step of undo.reverse()) await step()
  await server.command('FLUSHALL')
})

interface Opened {
  readonly source: TrackingSource
  readonly connection: RedisConnection
  readonly heard: string[]
  readonly warnings: string[]
}

/** A connection with a tracking source beside it, as the toolkit puts them together. */
async function open(
  options: {
    at?: number
    prefixes?: readonly string[]
    stalenessMs?: number
    username?: string
    password?: string
  } = {},
): Promise<Opened> {
  const { at = server.port, prefixes = keyspace.trackedPrefixes, stalenessMs = 2_000, ...user } = options
  const logger = { warn: () => undefined, log: () => undefined, debug: () => undefined }
  const connection = new RedisConnection({ host: server.host, port: at, ...user }, { logger })
  undo.push(() => connection.close())
  await connection.ready()
  const warnings: string[] = []
  const source = new TrackingSource(() => connection.masters(), {
    prefixes,
    channel: keyspace.changes,
    stalenessMs,
    clock: systemClock,
    random: systemRandom,
    connectTimeoutMs: 2_000,
    name: 'vextrus-test-tracking',
    warn: (message) => warnings.push(message),
  })
  undo.push(() => source.close())
  const heard: string[] = []
  source.listen({ invalidate: (key) => heard.push(key), reset: () => heard.push('reset') })
  connection.onSession((session) => {
    if (session !== undefined) source.reset('data connection')
  })
  source.start()
  return { source, connection, heard, warnings }
}

async function live(options?: Parameters<typeof open>[0]): Promise<Opened> {
  const opened = await open(options)
  await waitFor('the session is live', () => opened.source.live)
  opened.heard.length = 0
  return opened
}

async function sessionsOnServer(): Promise<string[]> {
  const list = String(await server.command('CLIENT', 'LIST'))
  return list.split('\n').filter((line) => line.includes('name=vextrus-test-tracking'))
}

function mapOf({ source }: Opened, stalenessMs = 2_000): CoherentMap<number> {
  const map = new CoherentMap<number>({
    source,
    clock: systemClock,
    maxBytes: 1_000_000,
    maxEntries: 1_000,
    stalenessMs,
  })
  undo.push(() => map.close())
  return map
}

describe('a push comes for', () => {
  it('a write, a write in a script, a deletion, and each of several keys', async () => {
    const { heard } = await live()
    await server.command('SET', 'vextrus:plain', '1')
    await server.command('EVAL', "redis.call('SET', KEYS[1], '1')", 1, 'vextrus:script')
    await server.command('DEL', 'vextrus:plain')
    await server.command('UNLINK', 'vextrus:script')
    await server.command('MSET', 'vextrus:m1', '1', 'vextrus:m2', '2')
    await waitFor('six pushes', () => heard.length >= 6)
    expect(heard.slice(0, 4)).toEqual(['vextrus:plain', 'vextrus:script', 'vextrus:plain', 'vextrus:script'])
    expect(heard.slice(4).sort()).toEqual(['vextrus:m1', 'vextrus:m2'])
  })

  it('an expiry', async () => {
    const { heard } = await live()
    await server.command('SET', 'vextrus:short', '1', 'PX', 20)
    await waitFor('the push of the expiry', () => heard.length >= 2)
    expect(heard).toEqual(['vextrus:short', 'vextrus:short'])
  })

  it('the tag clock, its marker and a wake-up', async () => {
    const { heard } = await live()
    await server.command('ZADD', keyspace.tags, 1, '#s')
    await server.command('SET', keyspace.clearMarker, '1', 'PX', 60_000)
    await server.command('SET', keyspace.wake('product:{7}'), '1', 'PX', 60_000)
    await waitFor('three pushes', () => heard.length >= 3)
    expect(heard).toEqual(['vextrus@tags', 'vextrus@tags:clear', keyspace.wake('product:{7}')])
  })

  it('no lease, no lock, and no key of others', async () => {
    const { heard } = await live()
    await server.command('SET', keyspace.lease('product:7'), 'token', 'PX', 60_000)
    await server.command('SET', 'vextrus@lock:{a}', 'token', 'PX', 60_000)
    await server.command('SET', 'vextrust:a', '1')
    await server.command('SET', 'other', '1')
    await server.command('SET', 'vextrus:last', '1')
    await waitFor('the push of the last key', () => heard.includes('vextrus:last'))
    expect(heard).toEqual(['vextrus:last'])
  })

  it('the writes of this very process', async () => {
    const { heard, connection } = await live()
    const [master] = connection.masters()
    await master?.shard.exec([command('SET', ['vextrus:mine', '1'])])
    await waitFor('a push', () => heard.length > 0)
    expect(heard).toEqual(['vextrus:mine'])
  })

  it('a key of any characters', async () => {
    const { heard } = await live()
    await server.command('SET', 'vextrus:продукт 7 \u{1F600}{x}', '1')
    await waitFor('a push', () => heard.length > 0)
    expect(heard).toEqual(['vextrus:продукт 7 \u{1F600}{x}'])
  })
})

describe('an epoch ends', () => {
  it('with FLUSHDB and with FLUSHALL, which name no key', async () => {
    const { source, heard } = await live()
    for (const command of ['FLUSHDB', 'FLUSHALL']) {
      const { epoch } = source
      heard.length = 0
      await server.command(command)
      await waitFor('a new epoch', () => source.epoch > epoch)
      expect(heard).toEqual(['reset'])
    }
  })

  it('with CLIENT KILL of the session, and the next one begins within a second', async () => {
    const opened = await live()
    const { source, heard } = opened
    const map = mapOf(opened)
    map.put('vextrus:a', 1, map.ticket('vextrus:a'), 1, 60_000)
    const { epoch } = source
    const [session] = await sessionsOnServer()
    await server.command('CLIENT', 'KILL', 'ID', /id=(\d+)/.exec(session ?? '')?.[1] ?? '')
    await waitFor('a new epoch', () => source.epoch > epoch, 1_000)
    expect(heard).toEqual(['reset'])
    expect(map.get('vextrus:a')).toBeUndefined()
    expect(await sessionsOnServer()).toHaveLength(1)
    await server.command('SET', 'vextrus:b', '1')
    await waitFor('the push of the new session', () => heard.includes('vextrus:b'))
  })

  it('with the loss of the data connection, and the next one waits for it to know its server again', async () => {
    const opened = await live()
    const map = mapOf(opened)
    map.put('vextrus:a', 1, map.ticket('vextrus:a'), 1, 60_000)
    const { epoch } = opened.source
    await server.command('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
    await waitFor('a new epoch', () => opened.source.epoch > epoch)
    expect(map.get('vextrus:a')).toBeUndefined()
    expect(opened.connection.masters()[0]?.shard.session).toBeDefined()
  })

  it('with a restart of the server', async () => {
    const own = await startRedis()
    undo.push(() => own.stop())
    const { source, heard } = await live({ at: own.port })
    const { epoch } = source
    await own.restart()
    await waitFor('a new epoch', () => source.epoch > epoch)
    expect(heard).toContain('reset')
    await own.command('SET', 'vextrus:b', '1')
    await waitFor('a push of the new process', () => heard.includes('vextrus:b'))
  })
})

describe('a session is trusted only after SUBSCRIBE was answered (R17)', () => {
  it('because what is written between TRACKING and SUBSCRIBE is pushed to nobody', async () => {
    const port = await ownedPort({ host: server.host, port: server.port, db: 0 })
    const connection: DedicatedConnection = await port.dedicated({ name: 'wrong-order', connectTimeoutMs: 2_000 })
    undo.push(
      () => port.close(),
      () => connection.close(),
    )
    const pushed: string[] = []
    connection.onMessage((_, payload) => {
      if (Array.isArray(payload)) pushed.push(...payload.map(String))
    })
    const id = await connection.call('CLIENT', ['ID'])
    await connection.call('CLIENT', ['TRACKING', 'ON', 'REDIRECT', Number(id), 'BCAST', 'PREFIX', 'vextrus:'])
    // A ticket taken here would stay clean through this write.
    await server.command('SET', 'vextrus:between', '1')
    await connection.call('SUBSCRIBE', ['__redis__:invalidate'])
    await connection.call('PING', [])
    await server.command('SET', 'vextrus:after', '1')
    await waitFor('a push', () => pushed.length > 0)
    expect(pushed).toEqual(['vextrus:after'])
  })
})

describe('a hit is never older than the staleness (R18)', () => {
  const stalenessMs = 400

  it('when the server is stopped', async () => {
    const opened = await live({ stalenessMs })
    const map = mapOf(opened, stalenessMs)
    map.put('vextrus:a', 1, map.ticket('vextrus:a'), 1, 60_000)
    expect(map.get('vextrus:a')).toBe(1)
    undo.push(() => server.resume())
    server.pause()
    const pausedAt = systemClock.mono()
    let lastHit = pausedAt
    await waitFor(
      'the end of the hits',
      () => {
        const now = systemClock.mono()
        if (map.get('vextrus:a') === undefined) return now > pausedAt + stalenessMs
        lastHit = now
        return false
      },
      5_000,
    )
    expect(lastHit).toBeLessThan(pausedAt + stalenessMs)
    expect(lastHit).toBeGreaterThan(pausedAt)
    server.resume()
    await waitFor('the session is live', () => opened.source.live)
  })

  it('when the connection of the session is half open while others write on', async () => {
    const proxy = await TcpProxy.to(server.port)
    undo.push(() => proxy.stop())
    const opened = await live({ at: proxy.port, stalenessMs })
    const { source } = opened
    const map = mapOf(opened, stalenessMs)
    const acknowledged: { version: number; at: number }[] = [{ version: 0, at: -Infinity }]
    const violations: string[] = []
    let hits = 0
    const running = new AbortController()

    const write = async (): Promise<void> => {
      while (!running.signal.aborted) {
        const version = Number(await server.command('INCR', 'vextrus:counter'))
        acknowledged.push({ version, at: systemClock.mono() })
        await new Promise((resolve) => setTimeout(resolve, 15))
      }
    }
    const read = async (): Promise<void> => {
      while (!running.signal.aborted) {
        const now = systemClock.mono()
        const hit = map.get('vextrus:counter')
        if (hit === undefined) {
          const ticket = map.ticket('vextrus:counter')
          const value = Number(await server.command('GET', 'vextrus:counter'))
          // The reply takes its time; pushes overtake it.
          await new Promise((resolve) => setTimeout(resolve, 5))
          map.put('vextrus:counter', value, ticket, 1, 60_000)
        } else {
          hits++
          const due = acknowledged.findLast(({ at }) => at <= now - stalenessMs)?.version ?? 0
          if (hit < due) violations.push(`${hit} was answered when ${due} was due`)
        }
        await new Promise((resolve) => setTimeout(resolve, 1))
      }
    }

    const work = Promise.all([write(), read(), read()])
    for (let round = 0; round < 3; round++) {
      const { epoch } = source
      await waitFor('a hit', () => source.live && map.get('vextrus:counter') !== undefined)
      const before = hits
      proxy.hold()
      const heldAt = systemClock.mono()
      await waitFor('the staleness to pass', () => systemClock.mono() > heldAt + 1.5 * stalenessMs)
      expect(map.get('vextrus:counter')).toBeUndefined()
      expect(hits).toBeGreaterThan(before)
      // A short silence costs no session; one of more than two seconds does.
      const isLong = round === 2
      if (isLong) await waitFor('the session is given up', () => !source.live)
      proxy.release()
      await waitFor('hits again', () => map.get('vextrus:counter') !== undefined)
      expect(source.epoch > epoch).toBe(isLong)
    }
    running.abort()
    await work
    expect(violations).toEqual([])
  })

  it('and what was pushed is never read again: at rest the map holds what the server holds', async () => {
    const opened = await live()
    const map = mapOf(opened)
    const keys = Array.from({ length: 20 }, (_, i) => `vextrus:k${i}`)
    const reads = keys.map(async (key) => {
      for (let i = 0; i < 50; i++) {
        const ticket = map.ticket(key)
        const value = Number(await server.command('GET', key))
        await new Promise((resolve) => setImmediate(resolve))
        map.put(key, value, ticket, 1, 60_000)
      }
    })
    const writes = keys.map(async (key) => {
      for (let i = 0; i < 50; i++) await server.command('INCR', key)
    })
    await Promise.all([...reads, ...writes])
    // One more write proves that the pushes before it have come.
    await server.command('SET', 'vextrus:fence', '1')
    await waitFor('the push of the fence', () => opened.heard.includes('vextrus:fence'))
    const truth = (await server.command('MGET', ...keys)) as string[]
    const kept = keys.map((key) => map.get(key))
    expect(kept.filter((value, i) => value !== undefined && value !== Number(truth[i]))).toEqual([])
    expect(map.openTickets).toBe(0)
  })
})

describe('a server that refuses', () => {
  it('prefixes of which one is the beginning of another is reported with its own words', async () => {
    const { source, warnings } = await open({ prefixes: ['vextrus:', 'vextrus:a'] })
    await waitFor('a warning', () => warnings.length > 0)
    expect(warnings[0]).toMatch(/overlaps/)
    expect(source.mode).not.toBe('tracking')
  })

  describe('tracking to this user', () => {
    const user = { username: 'app', password: 'secret-of-app' }
    const allowed = '~vextrus* &__redis__:invalidate +ping +info +time +subscribe +client|id +client|setname'.split(' ')

    beforeEach(async () => {
      await server.command('ACL', 'SETUSER', 'app', 'on', '>secret-of-app', ...allowed)
      undo.push(async () => void (await server.command('ACL', 'DELUSER', 'app')))
    })

    it('and messages too is reported with what to allow, and that is enough', async () => {
      const { source, warnings } = await open(user)
      await waitFor('a warning', () => warnings.length > 0)
      expect(warnings[0]).toContain('+client|tracking')
      expect(warnings[0]).toContain('&vextrus@changes')
      expect(warnings[0]).not.toContain('secret-of-app')
      expect(source.live).toBe(false)
      await server.command('ACL', 'SETUSER', 'app', '+client|tracking')
      source.reset('the administrator has mended it')
      await waitFor('the session is live', () => source.live)
      expect(source.mode).toBe('tracking')
    })

    it('is heard of by what is published, and nothing else (R23)', async () => {
      await server.command('ACL', 'SETUSER', 'app', '&vextrus*')
      const { source, heard, warnings } = await live(user)
      expect(source.mode).toBe('published')
      expect(warnings).toHaveLength(1)
      expect(warnings[0]).toContain('+client|tracking')
      await server.command('SET', 'vextrus:foreign', '1')
      await server.command('PUBLISH', 'vextrus@other', 'vextrus:other')
      await server.command('PUBLISH', keyspace.changes, 'vextrus:ключ')
      await waitFor('a message', () => heard.length > 0)
      expect(heard).toEqual(['vextrus:ключ'])
    })
  })
})

describe('close', () => {
  it('leaves no connection', async () => {
    const proxy = await TcpProxy.to(server.port)
    undo.push(() => proxy.stop())
    const opened = await Promise.all(Array.from({ length: 5 }, () => live({ at: proxy.port })))
    expect(proxy.connections).toBe(10)
    for (const { source } of opened) source.close()
    await waitFor('the sessions to be closed', () => proxy.connections === 5)
    await Promise.all(opened.map(({ connection }) => connection.close()))
    await waitFor('the connections to be closed', () => proxy.connections === 0)
    expect(opened.map(({ heard }) => heard)).toEqual(Array(5).fill(['reset']))
  })
})
