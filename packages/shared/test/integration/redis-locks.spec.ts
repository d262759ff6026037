import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type Lock, LockEngine, LockLostError, LockUnavailableError, RedisLockService } from '../../src/lock/index.js'
import { HEARTBEAT_MS } from '../../src/lock/lock-line.js'
import { Keyspace } from '../../src/redis/keyspace.js'
import { redisLockStore } from '../support/lock-backends.js'
import { type RedisServer, startRedis } from '../support/redis-server.js'
import { waitFor } from '../support/wait-for.js'

/** What only a real server and real processes show: deaths, stops, lost connections and data, replicas, and what a hand-over costs. */

const KEY_PREFIX = 'vextrus:'
const COMMAND_TIMEOUT_MS = 500
const keyspace = new Keyspace(KEY_PREFIX)
let server: RedisServer
let clients: Client[]
let children: ChildProcess[]
let key: string
let tests = 0

interface Client extends Awaited<ReturnType<typeof redisLockStore>> {
  readonly locks: RedisLockService
}

beforeAll(async () => {
  server = await startRedis()
})
afterAll(() => server.stop())
beforeEach(() => {
  clients = []
  children = []
  key = `lock ${++tests}`
})
afterEach(async () => {
  for (const child of children) child.kill('SIGKILL')
  await Promise.all(clients.map(({ close }) => close()))
})

/** A process as the others see it: an engine on connections of its own. */
async function client(): Promise<Client> {
  const parts = await redisLockStore({ url: server.url, commandTimeout: COMMAND_TIMEOUT_MS }, KEY_PREFIX)
  const made = { ...parts, locks: new RedisLockService(new LockEngine(parts.store)) }
  clients.push(made)
  return made
}

interface Child {
  readonly process: ChildProcess
  /** The next thing that it says. */
  says<T>(): Promise<T>
  ask<T>(task: string, options: object): Promise<T>
}

async function child(): Promise<Child> {
  const process = fork(new URL('../support/lock-process.mjs', import.meta.url), [
    JSON.stringify({ url: server.url, keyPrefix: KEY_PREFIX }),
  ])
  children.push(process)
  const says = async <T>(): Promise<T> => {
    const [message] = (await once(process, 'message')) as [{ done?: T; failed?: string }]
    if (message.failed !== undefined) throw new Error(message.failed)
    return (message.done ?? message) as T
  }
  await says()
  const ask = <T>(task: string, options: object): Promise<T> => {
    const answer = says<T>()
    process.send({ task, ...options })
    return answer
  }
  return { process, says, ask }
}

const partOf = (part: string): string => keyspace.lock(key, [part])[0]!
const waiters = async (count: number): Promise<void> =>
  waitFor(`${count} in line`, async () => Number(await server.command('ZCARD', partOf('mutex-line'))) === count, 10_000)
const since = (start: number): number => Math.round(performance.now() - start)

describe('a process that is killed', () => {
  it('while it waits keeps the next one waiting for seconds at most', async () => {
    const [holder, next] = [await client(), await client()]
    const dying = await child()
    const held = await holder.locks.acquire(key, 60_000)
    dying.ask('acquire', { key, ttlMs: 60_000, waitMs: 60_000 }).catch(() => undefined)
    await waiters(1)
    const waiting = next.locks.acquire(key, 10_000, 30_000)
    await waiters(2)
    dying.process.kill('SIGKILL')
    await once(dying.process, 'exit')
    const start = performance.now()
    await held.release()
    await (await waiting).release()
    const tookMs = since(start)
    console.log(`a waiter that was killed cost the next one ${tookMs} ms`)
    expect(tookMs).toBeLessThan(6_000)
  })

  it('while it holds the lock keeps it for its time and no longer', async () => {
    const dying = await child()
    const next = await client()
    const { fence } = await dying.ask<{ fence: string }>('acquire', { key, ttlMs: 1_000, waitMs: 0 })
    const start = performance.now()
    dying.process.kill('SIGKILL')
    const lock = await next.locks.acquire(key, 10_000, 30_000)
    expect(lock.fence).toBeGreaterThan(BigInt(fence))
    expect(since(start)).toBeLessThan(1_000 + 6_000)
    await lock.release()
  })
})

describe('a process that is stopped for longer than its lock’s time', () => {
  it('knows on waking, before any timer, that it lost it; and its fence is smaller than the next holder’s', async () => {
    const stopped = await child()
    const next = await client()
    const stunned = await stopped.ask<{ stunned: string }>('stun', { key, ttlMs: 600 })
    stopped.process.kill('SIGSTOP')
    const lock = await next.locks.acquire(key, 10_000, 30_000)
    expect(BigInt(stunned.stunned)).toBeLessThan(lock.fence)
    const answer = stopped.says()
    stopped.process.kill('SIGCONT')
    expect(await answer).toEqual({
      ...{ threw: 'LOCK_LOST', reason: 'expired' },
      ...{ heardBefore: false, heardAfter: true, aborted: true },
    })
    lock.assertHeld()
    await lock.release()
  })
})

describe('connections, scripts and time that are taken away', () => {
  it('cost time and nothing else: one holder at a time, fences grow, everybody gets the lock', async () => {
    const processes = [await client(), await client(), await client()]
    let holder: Lock | undefined
    let last = 0n
    let done = 0
    const worker = async ({ locks }: Client): Promise<void> => {
      for (let turn = 0; turn < 15; turn++) {
        const lock = await locks.acquire(key, 20_000, 60_000)
        if (holder?.signal.aborted === false) throw new Error('two hold the lock')
        if (lock.fence <= last) throw new Error(`fence ${lock.fence} after ${last}`)
        ;[holder, last] = [lock, lock.fence]
        await new Promise((resolve) => setImmediate(resolve))
        if (holder !== lock) throw new Error('another came in')
        holder = undefined
        await lock.release()
        done++
      }
    }
    const work = Promise.all(processes.flatMap((each) => [worker(each), worker(each), worker(each)]))
    const faults = [
      ['CLIENT', 'KILL', 'TYPE', 'normal'],
      ['SCRIPT', 'FLUSH'],
      ['CLIENT', 'KILL', 'TYPE', 'pubsub'],
      ['CLIENT', 'PAUSE', '30', 'ALL'],
    ] as const
    let isOver = false
    const finished = work.finally(() => (isOver = true))
    for (let i = 0; !isOver && i < 24; i++) {
      const [name, ...args] = faults[i % faults.length]!
      // Its own connection is killed too.
      await server.command(name, ...args).catch(() => undefined)
      const before = done
      await waitFor('some turns', () => isOver || done >= before + 3, 30_000)
    }
    await finished
    expect(done).toBe(135)
    const lock = await processes[0]!.locks.acquire(key, 1_000, 20_000)
    expect(lock.fence).toBeGreaterThan(last)
    await lock.release()
  })

  it('when it is the connection of wake-ups, those who wait come in all the same', async () => {
    const [holder, next] = [await client(), await client()]
    const held = await holder.locks.acquire(key, 60_000)
    const waiting = next.locks.acquire(key, 10_000, 30_000)
    await waiters(1)
    await waitFor('the wake-ups to be listened to', async () =>
      String(await server.command('CLIENT', 'LIST', 'TYPE', 'pubsub')).includes('vextrus-locks'),
    )
    expect(Number(await server.command('CLIENT', 'KILL', 'TYPE', 'pubsub'))).toBeGreaterThan(0)
    const start = performance.now()
    await held.release()
    await (await waiting).release()
    expect(since(start)).toBeLessThan(5_000)
  })

  it('when the server pauses for longer than it is waited for, what is held stays held, and who waits comes in', async () => {
    const [holder, next] = [await client(), await client()]
    const held = await holder.locks.acquire(key, 60_000)
    const waiting = next.locks.acquire(key, 10_000, 30_000)
    await waiters(1)
    await server.command('CLIENT', 'PAUSE', String(2 * COMMAND_TIMEOUT_MS), 'ALL')
    await expect(held.extend()).rejects.toThrow(LockUnavailableError)
    held.assertHeld()
    expect(['released', 'unknown']).toContain(await held.release())
    const lock = await waiting
    expect(lock.fence).toBeGreaterThan(held.fence)
    expect(await lock.release()).toBe('released')
  })

  it('a call that reaches the server after its deadline does nothing', async () => {
    const [late, other] = [await client(), await client()]
    await (await late.locks.acquire('warm')).release()
    const ask = ({ store }: Client, token: string) =>
      store.acquire({
        lock: { kind: 'mutex', key },
        holder: { token, mode: 'exclusive' },
        ...{ ttlMs: 60_000, process: token, aliveMs: 0 },
      })
    await waitFor('the server’s clock to be known', () => late.connection.shards()[0]!.serverNow() !== undefined)
    await server.command('CONFIG', 'RESETSTAT')
    server.pause()
    await expect(ask(late, 'late')).rejects.toThrow(LockUnavailableError)
    server.resume()
    await waitFor('the late call to arrive', async () =>
      String(await server.command('INFO', 'commandstats')).includes('cmdstat_evalsha:'),
    )
    expect((await ask(other, 'other')).fence).not.toBeNull()
  })
})

describe('a server that comes back without its data', () => {
  it('grants larger fences than before; who held a lock is told so', async () => {
    const [one, other] = [await client(), await client()]
    const before = await one.locks.acquire(key, 60_000)
    await server.restart()
    await waitFor('the connections', () => clients.every(({ connection }) => connection.status === 'ready'), 10_000)
    const after = await other.locks.acquire(key, 60_000, 10_000)
    expect(after.fence).toBeGreaterThan(before.fence)
    await expect(before.extend()).rejects.toMatchObject({ code: 'LOCK_LOST', reason: 'gone' })
    expect(before.signal.reason).toBeInstanceOf(LockLostError)
    expect(await before.release()).toBe('not-held')
    after.assertHeld()
    expect(await after.release()).toBe('released')
  })

  it('ends work under a lock that it lost', async () => {
    const { locks, connection } = await client()
    const work = locks.withLock(key, { ttlMs: 2_000 }, async (lock) => {
      await server.restart()
      await waitFor('the connection', () => connection.status === 'ready', 10_000)
      await new Promise((resolve) => lock.signal.addEventListener('abort', resolve))
    })
    await expect(work).rejects.toMatchObject({ code: 'LOCK_LOST' })
  })
})

describe('replicas', () => {
  it('that have the lock let it be handed out; without them it is not, and nobody holds it', async () => {
    await server.command('CONFIG', 'SET', 'repl-diskless-sync-delay', '0')
    const replica = await startRedis({ args: ['--replicaof', server.host, String(server.port)] })
    try {
      await waitFor(
        'the replica',
        async () => /slave0:.*state=online/.test(String(await server.command('INFO', 'replication'))),
        15_000,
      )
      const { locks } = await client()
      const lock = await locks.acquire(key, 10_000, 10_000, { replicas: 1 })
      expect(Number(await replica.command('ZCARD', partOf('mutex')))).toBe(1)
      await lock.release()
      await replica.kill()
      await expect(locks.acquire(key, 60_000, 0, { replicas: 1 })).rejects.toThrow(LockUnavailableError)
      await waitFor('nobody to hold it', async () => Number(await server.command('ZCARD', partOf('mutex'))) === 0)
    } finally {
      await replica.stop()
    }
  })
})

describe('a hand-over', () => {
  const TURNS = 20
  /** Scripts that clients sent. */
  const scripts = async (): Promise<number> =>
    [...String(await server.command('INFO', 'commandstats')).matchAll(/^cmdstat_eval(?:sha)?:calls=(\d+)/gm)].reduce(
      (sum, [, calls]) => sum + Number(calls),
      0,
    )

  it.each([
    ['between processes', 4, 1, 3],
    ['between many callers of some processes', 4, 8, 2],
    ['within a process', 1, 8, 1.2],
  ])('%s costs few commands', async (_, processCount, callersEach, most) => {
    const processes = await Promise.all(Array.from({ length: processCount }, () => client()))
    const work = (turns: number): Promise<unknown> =>
      Promise.all(
        processes.flatMap(({ locks }) =>
          Array.from({ length: callersEach }, async () => {
            for (let turn = 0; turn < turns; turn++) {
              const lock = await locks.acquire(key, 30_000, 60_000)
              await new Promise((resolve) => setImmediate(resolve))
              await lock.release()
            }
          }),
        ),
      )
    // The scripts are known, and wake-ups are listened to.
    await work(2)
    await server.command('CONFIG', 'RESETSTAT')
    const start = performance.now()
    await work(TURNS)
    const handOvers = processCount * callersEach * TURNS
    const sent = await scripts()
    console.log(`a hand-over took ${(sent / handOvers).toFixed(2)} commands`)
    // On a slow machine those who wait are heard of meanwhile.
    const heartbeats = processCount * Math.floor(since(start) / HEARTBEAT_MS)
    expect(sent - heartbeats).toBeLessThanOrEqual(1.05 * most * handOvers)
  })
})
