import { Cluster as Cluster6 } from 'ioredis'
import { Cluster as Cluster5 } from 'ioredis5'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { RedisConnection, RedisConnectionOptions } from '../../src/redis/index.js'
import { RedisReplyError, RedisUnavailableError } from '../../src/redis/errors.js'
import { scan } from '../../src/redis/scan.js'
import { command, defineScript, scriptCommand } from '../../src/redis/script.js'
import { slotOf } from '../../src/redis/slot.js'
import type { RedisCommand, Shard } from '../../src/redis/topology.js'
import {
  answered,
  connection as connectionOf,
  refusal,
  replies,
  reply,
  sent,
  type TestConnection,
} from '../support/redis-client.js'
import { type RedisCluster, startCluster } from '../support/redis-cluster.js'
import type { RedisServer } from '../support/redis-server.js'
import { TcpProxy } from '../support/tcp-proxy.js'
import { waitFor } from '../support/wait-for.js'

let cluster: RedisCluster
const open: (() => unknown)[] = []

beforeAll(async () => {
  cluster = await startCluster()
})
afterAll(() => cluster.stop())
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close()
})

function connect(options: RedisConnectionOptions = { cluster: { nodes: cluster.nodes } }): TestConnection {
  const made = connectionOf(options)
  open.push(() => made.connection.close())
  return made
}

/** Ready, and at rest: it has asked for the map once more, as it does at the start, and asks again when it has a reason or in half a minute. */
async function connected(options?: RedisConnectionOptions): Promise<TestConnection> {
  const made = connect(options)
  await made.connection.ready()
  const servers = made.connection['servers'] as unknown as { readonly calm: boolean }
  await waitFor('the map to be at rest', () => servers.calm)
  return made
}

const get = (key: string): RedisCommand => command('GET', [key])
const set = (key: string, value: string): RedisCommand => command('SET', [key, value, 'PX', 60_000])

/** A key of each third of the slots: slots 866, 7000-something … by trial, so that no test depends on CRC by heart. */
function keyIn(from: number, to: number): string {
  for (let i = 0; ; i++) {
    const slot = slotOf(`k${i}`)
    if (slot >= from && slot <= to) return `k${i}`
  }
}
const THIRDS = [keyIn(0, 5_000), keyIn(6_000, 10_000), keyIn(11_000, 16_383)]

async function runIdOf(server: RedisServer): Promise<string> {
  return /^run_id:(\w+)/m.exec(String(await server.command('INFO', 'server')))![1]!
}

/** The other masters than that of a slot. */
async function otherMaster(slot: number): Promise<RedisServer> {
  const own = await cluster.masterOf(slot)
  for (const probe of [100, 8_000, 16_000]) {
    const other = await cluster.masterOf(probe)
    if (other !== own) return other
  }
  throw new Error('there is one master only')
}

/** Meets a MOVED, and waits until the connection has asked for the whole map: it knows of another slot that has moved. */
async function mapAskedFor(connection: RedisConnection): Promise<void> {
  const slots = [slotOf('{met}'), slotOf('{other}')]
  const homes = await Promise.all(slots.map((slot) => cluster.masterOf(slot)))
  const away = await Promise.all(slots.map((slot) => otherMaster(slot)))
  const known = connection.shardOf('{other}')
  for (const [i, slot] of slots.entries()) await cluster.migrateSlot(slot, homes[i]!, away[i]!)
  expect(await answered(connection, '{met}', get('{met}'))).toMatchObject({ redirected: true })
  await waitFor('the map', () => connection.shardOf('{other}') !== known)
  for (const [i, slot] of slots.entries()) await cluster.migrateSlot(slot, away[i]!, homes[i]!)
}

describe('on a Cluster', () => {
  it('a unit goes to the master of its key, and says on which session it was answered', async () => {
    const { connection, logged } = connect()
    expect(connection.status).toBe('idle')
    expect(connection.sharded).toBe(true)
    expect(connection.shardOf('a')).toBeUndefined()
    await connection.ready()
    expect(connection.status).toBe('ready')
    expect(connection.shards()).toHaveLength(3)
    const outcomes = await connection.exec(
      THIRDS.map((key) => ({ key, commands: [set(key, `of ${key}`), get(key), command('INFO', ['server'])] })),
    )
    for (const [i, outcome] of outcomes.entries()) {
      if (outcome instanceof Error) throw outcome
      const master = await cluster.masterOf(THIRDS[i]!)
      expect(outcome.replies.slice(0, 2)).toEqual(['OK', `of ${THIRDS[i]}`])
      expect(outcome.session.runId).toBe(await runIdOf(master))
      expect(outcome.shard).toBe(connection.shardOf(THIRDS[i]!))
      expect(outcome.shard.id).toBe(`127.0.0.1:${master.port}`)
      expect(outcome.redirected).toBe(false)
    }
    expect(new Set(outcomes.map((outcome) => !(outcome instanceof Error) && outcome.session.epoch)).size).toBe(3)
    expect(logged.filter((line) => !line.startsWith('debug: Connected to'))).toEqual([])
  })

  it('units of one master leave in one write and in the order given', async () => {
    const { connection } = await connected()
    const key = THIRDS[0]!
    const sends: number[] = []
    const shard = connection.shardOf(key)!
    const exec = shard.exec.bind(shard)
    ;(shard as { exec: Shard['exec'] }).exec = (commands) => {
      sends.push(commands.length)
      return exec(commands)
    }
    await reply(connection, key, command('DEL', [key]))
    sends.length = 0
    const append = (text: string) => ({ key, commands: [command('APPEND', [key, text])] })
    const outcomes = await connection.exec([append('a'), append('bc'), { key: THIRDS[1]!, commands: [] }, append('d')])
    expect(outcomes.map((outcome) => !(outcome instanceof Error) && outcome.replies)).toEqual([[1], [3], [], [4]])
    expect(sends).toEqual([3])
    await reply(connection, key, command('DEL', [key]))
  })

  it('a scan of each master finds every key once', async () => {
    const { connection } = await connected()
    const keys = Array.from({ length: 200 }, (_, i) => `scan:${i}`)
    await connection.exec(keys.map((key) => ({ key, commands: [set(key, '1')] })))
    const found: string[] = []
    for (const shard of connection.shards()) for await (const some of scan(shard, 'scan:*')) found.push(...some)
    expect([...new Set(found)].sort()).toEqual([...keys].sort())
  })

  it('the layout is the same text as long as nothing moves', async () => {
    const { connection } = await connected()
    const { slots, migrating } = await connection.layout()
    expect(migrating).toBe(false)
    for (const key of THIRDS) expect(slots).toContain(`${(await cluster.masterOf(key)).port}`)
    expect(await connection.layout()).toEqual({ slots, migrating })
  })

  it('a slot that has moved is followed at the first MOVED, once, and told (R20)', async () => {
    const { connection, moves } = await connected()
    const key = '{moved}a'
    const slot = slotOf(key)
    await reply(connection, key, set(key, 'v'))
    const [from, to] = [await cluster.masterOf(slot), await otherMaster(slot)]
    const before = await connection.layout()
    moves.length = 0
    await cluster.migrateSlot(slot, from, to)
    open.push(() => cluster.migrateSlot(slot, to, from))

    const first = await answered(connection, key, get(key))
    expect(first).toMatchObject({ replies: ['v'], redirected: true })
    expect(first.session.runId).toBe(await runIdOf(to))
    expect(first.shard.id).toBe(`127.0.0.1:${to.port}`)
    expect(moves[0]).toBe(`MOVED to 127.0.0.1:${to.port}`)
    expect(await answered(connection, key, get(key))).toMatchObject({ replies: ['v'], redirected: false })
    await waitFor('the map is known again', async () => {
      const layout = await connection.layout()
      return !layout.migrating && layout.slots !== before.slots
    })
  })

  it('the whole map is asked for after a MOVED', async () => {
    const { connection } = await connected()
    await mapAskedFor(connection)
    await waitFor('ready', () => connection.status === 'ready')
    expect(connection.shards()).toHaveLength(3)
  })

  it('while a slot is on its way, what is there already is asked for there, and the layout says so', async () => {
    const { connection, moves } = await connected()
    const [left, right, own] = ['{asked}here', '{asked}there', '{asked}own']
    const slot = slotOf(left)
    await connection.exec([left, right].map((key) => ({ key, commands: [set(key, key)] })))
    const [from, to] = [await cluster.masterOf(slot), await otherMaster(slot)]
    const layout = await connection.layout()
    const seen: unknown[] = []
    let keys = 0
    await cluster.migrateSlot(slot, from, to, async (step) => {
      if (!step.startsWith('{asked}') || ++keys > 1) return
      // One key has gone, one has not.
      const [gone, stays] = step === left ? [left, right] : [right, left]
      moves.length = 0
      const outcomes = await connection.exec([gone, stays, own].map((key) => ({ key, commands: [get(key)] })))
      for (const outcome of outcomes) {
        if (outcome instanceof Error) throw outcome
        seen.push([outcome.replies[0], outcome.redirected, outcome.session.runId])
      }
      expect(seen).toEqual([
        [gone, true, await runIdOf(to)],
        [stays, false, await runIdOf(from)],
        [null, true, await runIdOf(to)],
      ])
      // Told once, not with each: whoever hears of it reads again.
      expect(moves).toEqual([`ASK to 127.0.0.1:${to.port}`])
      expect(await connection.layout()).toEqual({ slots: layout.slots, migrating: true })
      // The pair is on two servers: nothing is done, and the answer says so.
      const both = await reply(connection, left, command('MGET', [left, right]))
      expect(both).toMatchObject({ reply: 'TRYAGAIN' })
      expect(both).toBeInstanceOf(RedisReplyError)
    })
    expect(seen).toHaveLength(3)
    await cluster.migrateSlot(slot, to, from)
  })

  it('from the first redirected command on a unit is done again at the target, also what had succeeded (R11)', async () => {
    const { connection } = await connected()
    const [lease, entry, early] = ['{redo}lease', '{redo}entry', '{redo}early']
    const slot = slotOf(lease)
    await connection.exec(
      [lease, entry, early].map((key) => ({ key, commands: [command('SET', [key, '1', 'PX', 60_000])] })),
    )
    const [from, to] = [await cluster.masterOf(slot), await otherMaster(slot)]
    const made: string[] = []
    let done = false
    await cluster.migrateSlot(slot, from, to, async (step) => {
      if (done || step !== 'migrating') return
      done = true
      // The lease has gone ahead. The others are still here: GET and INCR succeed before and after the ASK.
      await from.command('MIGRATE', to.host, to.port, lease, 0, 5_000)
      const commands = (shard: Shard): RedisCommand[] => {
        made.push(shard.id)
        return [get(early), command('DEL', [lease]), command('INCR', [entry]), command('ECHO', [shard.id])]
      }
      const [sole] = await connection.exec([{ key: lease, commands }])
      const outcome = replies(sole)
      const there = `127.0.0.1:${to.port}`
      expect(made).toEqual([`127.0.0.1:${from.port}`, there])
      // INCR there began with nothing; what it did here stands as well.
      expect(outcome).toMatchObject({ replies: ['1', 1, 1, there], redirected: true })
      expect(outcome.session.runId).toBe(await runIdOf(to))
      expect(await from.command('GET', entry)).toBe('2')
      // MIGRATE would find the key at the target.
      await from.command('DEL', entry)
    })
    expect(done).toBe(true)
    await cluster.migrateSlot(slot, to, from)
  })

  it('a script that the target of an ASK does not know is sent in full, and asked for again', async () => {
    const { connection } = await connected()
    const key = '{script}k'
    const slot = slotOf(key)
    const [from, to] = [await cluster.masterOf(slot), await otherMaster(slot)]
    const count = defineScript(
      'count',
      `redis.call('INCR', KEYS[1]) redis.call('PEXPIRE', KEYS[1], 60000) return {'${Math.random()}'}`,
    )
    const answers: unknown[] = []
    await cluster.migrateSlot(slot, from, to, async (step) => {
      if (step !== 'migrating') return
      answers.push(await answered(connection, key, scriptCommand(count, [key], []), get(key)))
    })
    // The GET was answered before the script was sent again.
    expect(answers).toEqual([expect.objectContaining({ replies: [[expect.any(String)], null], redirected: true })])
    expect(await reply(connection, key, get(key))).toBe('1')
    await cluster.migrateSlot(slot, to, from)
  })

  it('a master that is new and has no slot yet is met by a redirection, and stays', async () => {
    const { connection, moves } = await connected()
    const key = '{first}k'
    const slot = slotOf(key)
    const from = await cluster.masterOf(slot)
    const to = await cluster.addMaster()
    moves.length = 0
    const there: unknown[] = []
    await cluster.migrateSlot(slot, from, to, async (step) => {
      if (step !== 'migrating') return
      there.push(await answered(connection, key, set(key, 'v')))
      // It has no slot yet, so the map does not have it.
      await mapAskedFor(connection)
      expect(connection.masters()).toHaveLength(4)
    })
    expect(there).toEqual([expect.objectContaining({ replies: ['OK'], redirected: true })])
    expect(connection.masters()).toHaveLength(4)
    expect(connection.shards().map(({ id }) => id)).toContain(`127.0.0.1:${to.port}`)
    expect(moves[0]).toBe(`ASK to 127.0.0.1:${to.port}`)
    expect(await reply(connection, key, get(key))).toBe('v')
    await waitFor('the map is known', async () => !(await connection.layout()).migrating)

    // And is forgotten when it has none any more, after a while; a connection that never met it does not know it.
    await cluster.migrateSlot(slot, to, from)
    const { connection: later } = await connected()
    expect(later.masters()).toHaveLength(3)
  })
})

describe('when a master of the Cluster is lost', () => {
  it('by CLUSTER FAILOVER: its successor answers under another epoch, and the demoted one is refused', async () => {
    const { connection, logged } = await connected()
    const [key, other] = [THIRDS[0]!, THIRDS[1]!]
    const [before, untouched] = [await answered(connection, key, get(key)), connection.shardOf(other)!.session]
    const old = await cluster.masterOf(key)
    const successor = await cluster.failover(old)
    // At once: the old one answers MOVED.
    const after = await answered(connection, key, get(key))
    expect(after.redirected).toBe(true)
    expect(after.shard.id).toBe(`127.0.0.1:${successor.port}`)
    expect(after.session.epoch).not.toBe(before.session.epoch)
    expect(connection.shardOf(other)!.session).toBe(untouched)
    await waitFor('the old one has gone', () => !connection.shards().includes(before.shard))
    expect(await refusal(before.shard.exec([get(key)]))).toMatchObject({ reason: 'not-connected' })
    expect(connection.status).toBe('ready')
    expect(logged.filter((line) => line.startsWith('warn')).length).toBeLessThanOrEqual(1)
  })

  it('by SIGKILL: its units fail alone, and its replica is used once it is promoted', async () => {
    const { connection, logged } = await connected()
    const [key, other] = [THIRDS[1]!, THIRDS[2]!]
    const before = await answered(connection, key, set(key, 'kept'))
    const old = await cluster.masterOf(key)
    await waitFor('the replica has the key', async () => {
      const info = String(await old.command('INFO', 'replication'))
      const [, offset] = /offset=(\d+)/.exec(info)!
      return offset === /master_repl_offset:(\d+)/.exec(info)![1]
    })
    await old.kill()
    open.push(() => old.restart().then(() => cluster.healthy()))
    const [lost, fine] = await connection.exec([key, other].map((one) => ({ key: one, commands: [get(one)] })))
    expect(lost).toBeInstanceOf(RedisUnavailableError)
    expect(fine).toMatchObject({ redirected: false })
    expect(connection.status).toBe('unavailable')
    await waitFor('the successor', () => connection.status === 'ready', 30_000)
    const after = await answered(connection, key, get(key))
    expect(after.replies).toEqual(['kept'])
    expect(after.session.epoch).not.toBe(before.session.epoch)
    expect(logged.filter((line) => line.startsWith('warn') && line.includes(`:${old.port}`))).toHaveLength(1)
  })

  it('by SIGSTOP: the others go on, and its replica takes over', async () => {
    const { connection } = await connected()
    const [key, other] = [THIRDS[2]!, THIRDS[0]!]
    const old = await cluster.masterOf(key)
    old.pause()
    open.push(() => old.resume())
    expect(await sent(connection, key, get(key))).toMatchObject({ reason: 'deadline' })
    expect(await reply(connection, other, command('ECHO', ['there']))).toBe('there')
    await waitFor('the successor', async () => !((await sent(connection, key, get(key))) instanceof Error), 30_000)
    expect((await answered(connection, key, get(key))).shard.id).not.toBe(`127.0.0.1:${old.port}`)
    expect(connection.status).toBe('ready')
    old.resume()
    await waitFor('it has become a replica', async () =>
      /role:slave/.test(String(await old.command('INFO', 'replication'))),
    )
    await cluster.healthy()
  })
})

describe('a given Cluster of ioredis', () => {
  it.each([
    ['6', Cluster6],
    ['5', Cluster5],
  ] as const)('%s is where the toolkit connects, and stays its owner’s', async (_, Cluster) => {
    const client = new Cluster([`127.0.0.1:${cluster.nodes[0]!.port}`], { lazyConnect: true })
    const { connection } = await connected({ client })
    expect(connection.client).toBe(client)
    expect(connection.shards()).toHaveLength(3)
    for (const key of THIRDS) expect(await reply(connection, key, set(key, 'v'))).toBe('OK')
    expect(await client.get(THIRDS[0]!)).toBe('v')
    await connection.close()
    expect(await client.get(THIRDS[1]!)).toBe('v')
    client.disconnect()
  })

  it.each([
    ['keyPrefix', { keyPrefix: 'a:' }],
    ['keyPrefix', { redisOptions: { keyPrefix: 'a:' } }],
    ['scaleReads', { scaleReads: 'slave' }],
    ['scaleReads', { scaleReads: 'all' }],
    ['readOnly', { redisOptions: { readOnly: true } }],
    ['resp3', { redisOptions: { replyMapping: 'resp3' } }],
    ['stringNumbers', { redisOptions: { stringNumbers: true } }],
  ])('is refused with %s', (named, options) => {
    const client = new Cluster6(cluster.nodes as never, { lazyConnect: true, ...(options as object) })
    expect(() => connect({ client })).toThrow(
      expect.objectContaining({ code: 'CONFIGURATION', option: 'client', message: expect.stringContaining(named) }),
    )
    client.disconnect()
  })

  it('may reach its nodes by other addresses than they announce', async () => {
    const proxies = await Promise.all(cluster.nodes.map(({ port }) => TcpProxy.to(port)))
    open.push(() => Promise.all(proxies.map((proxy) => proxy.stop())))
    const natMap = Object.fromEntries(
      cluster.nodes.map(({ host, port }, i) => [`${host}:${port}`, { host: 'localhost', port: proxies[i]!.port }]),
    )
    const seeds = [{ host: 'localhost', port: proxies[0]!.port }]
    const client = new Cluster6(seeds, { natMap, lazyConnect: true })
    const slot = slotOf('{nat}')
    const [from, to] = [await cluster.masterOf(slot), await otherMaster(slot)]
    for (const options of [{ client }, { cluster: { nodes: seeds }, clientOptions: { natMap } }]) {
      const { connection } = await connected(options)
      expect(connection.shards().map(({ id }) => id)).toEqual([
        expect.stringMatching(/^localhost:/),
        expect.stringMatching(/^localhost:/),
        expect.stringMatching(/^localhost:/),
      ])
      expect(await reply(connection, THIRDS[0]!, get('missing{' + THIRDS[0]! + '}'))).toBeNull()
      // Redirections are announced addresses too.
      await cluster.migrateSlot(slot, from, to)
      const moved = await answered(connection, '{nat}', get('{nat}'))
      expect(moved).toMatchObject({ redirected: true, shard: { id: expect.stringMatching(/^localhost:/) } })
      await cluster.migrateSlot(slot, to, from)
    }
    client.disconnect()
  })
})

it('the client of a connection is a Cluster that connects when it is used', async () => {
  const { connection } = connect()
  expect(connection.client).toBeUndefined()
  await connection.ready()
  const client = connection.client as unknown as Cluster6
  expect(client.status).toBe('wait')
  expect(connection.client).toBe(client)
  await client.set('mine', 'v', 'PX', 60_000)
  expect(await reply(connection, 'mine', get('mine'))).toBe('v')
  await connection.close()
  await waitFor('it is closed too', () => ['close', 'end'].includes(client.status))
})

it('a server that is no node of a Cluster, and a node that is taken for a single server, are told from each other', async () => {
  const { connection } = connect({ host: '127.0.0.1', port: cluster.nodes[0]!.port })
  const error = await refusal(connection.ready())
  expect(error.cause).toMatchObject({ code: 'REDIS_MODE' })
  expect(error.message).toContain('`cluster: { nodes }`')
})

it('is connected when the Cluster comes back, having warned once of each', async () => {
  const alone = await startCluster({ masters: 1, replicas: 0, password: 'secret-word' })
  open.push(() => alone.stop())
  const [server] = alone.servers as [RedisServer]
  const options: RedisConnectionOptions = { cluster: { nodes: [`127.0.0.1:${server.port}`] }, password: 'secret-word' }

  const wrong = connect({ ...options, password: 'another-word' })
  const error = await refusal(wrong.connection.ready())
  expect(error.message).toContain('`password`')
  expect(error.message).not.toContain('another-word')
  expect(wrong.logged.join()).not.toContain('another-word')

  await server.kill()
  const { connection, logged } = connect(options)
  const away = await refusal(connection.ready())
  expect(away).toMatchObject({ code: 'REDIS_UNAVAILABLE', reason: 'not-connected' })
  expect(away.message).toContain('`cluster.nodes`')
  expect(connection.status).toBe('unavailable')
  expect(await sent(connection, 'k', get('k'))).toMatchObject({ reason: 'not-connected' })
  await expect(connection.layout()).rejects.toBeInstanceOf(RedisUnavailableError)
  await server.restart()
  await waitFor('ready', () => connection.status === 'ready', 30_000)
  expect(await reply(connection, 'k', get('k'))).toBeNull()
  expect(logged.filter((line) => line.startsWith('warn'))).toHaveLength(1)
  const closing = performance.now()
  await connection.close()
  expect(performance.now() - closing).toBeLessThan(5_000)
  expect(connection.status).toBe('closed')
  expect(connection.shards()).toEqual([])
})

function sessionsOf(connection: RedisConnection): string[] {
  return connection.shards().map(({ session }) => session?.epoch ?? 'none')
}

it('the epoch of every master is known when the connection is ready (R16)', async () => {
  const { connection } = await connected()
  expect(sessionsOf(connection)).toEqual(Array.from({ length: 3 }, () => expect.stringMatching(/^[0-9a-f]{8}$/)))
})
