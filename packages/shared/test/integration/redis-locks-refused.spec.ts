import { afterEach, describe, expect, it } from 'vitest'
import { LockEngine, LockUnavailableError, RedisLockService } from '../../src/lock/index.js'
import type { RedisConnectionOptions } from '../../src/redis/options.js'
import { redisLockStore } from '../support/lock-backends.js'
import { type RedisServer, startRedis } from '../support/redis-server.js'
import { waitFor } from '../support/wait-for.js'

/** Locks where the server refuses something: memory, a channel, a script that it does not know. */

const closing: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close()
})

async function server(...args: string[]): Promise<RedisServer> {
  const started = await startRedis({ args })
  closing.push(() => started.stop())
  return started
}

async function locksOn({ host, port }: RedisServer, options: RedisConnectionOptions = {}): Promise<RedisLockService> {
  const { store, close } = await redisLockStore({ host, port, commandTimeout: 2_000, ...options }, 'vextrus:')
  closing.push(close)
  return new RedisLockService(new LockEngine(store))
}

describe('a server without memory', () => {
  it('lets holders go on and give back, and others follow', async () => {
    const full = await server('--maxmemory-policy', 'noeviction')
    const [one, other] = [await locksOn(full), await locksOn(full)]
    const held = await one.acquire('full', 30_000)
    // Less than it has.
    await full.command('CONFIG', 'SET', 'maxmemory', 1)
    await expect(full.command('SET', 'one more', 'x')).rejects.toThrow(/OOM/)
    await held.extend(60_000)
    held.assertHeld()
    expect(await other.tryAcquire('full')).toBeNull()
    const waiting = other.acquire('full', 10_000, 20_000)
    expect(await held.release()).toBe('released')
    expect(await (await waiting).release()).toBe('released')
  })
})

describe('a user who may not send wake-ups', () => {
  it('gives locks back as others do; those who wait ask now and then', async () => {
    const strict = await server()
    await strict.command('ACL', 'SETUSER', 'mute', 'on', '>secret', '~vextrus*', 'resetchannels', '+@all')
    const mute = { username: 'mute', password: 'secret' }
    const [one, other] = [await locksOn(strict, mute), await locksOn(strict, mute)]
    const held = await one.acquire('mute', 30_000)
    const waiting = other.acquire('mute', 30_000, 20_000)
    await waitFor(
      'the other to wait',
      async () => (await strict.command('ZCARD', 'vextrus@lock:{mute}:mutex-line')) === 1,
    )
    expect(await held.release()).toBe('released')
    expect(await (await waiting).release()).toBe('released')
  })
})

describe('a server that does not know the script', () => {
  it('does not hand out a lock that replicas must have before they have it', async () => {
    const [master, replica] = [await server('--repl-diskless-sync-delay', '0'), await server()]
    await replica.command('REPLICAOF', master.host, master.port)
    await waitFor('the replica', async () => /state=online/.test(String(await master.command('INFO', 'replication'))))
    const one = await locksOn(master)
    await one.acquire('before', 30_000, 20_000, { replicas: 1 })
    await waitFor('the replica to have said that it has all', async () => {
      const info = String(await master.command('INFO', 'replication'))
      return /^slave0:.*offset=(\d+)/m.exec(info)?.[1] === /^master_repl_offset:(\d+)/m.exec(info)?.[1]
    })
    replica.pause()
    await master.command('SCRIPT', 'FLUSH')
    await expect(one.acquire('replicated', 30_000, 0, { replicas: 1 })).rejects.toThrow(LockUnavailableError)
    replica.resume()
    await (await one.acquire('replicated', 30_000, 20_000, { replicas: 1 })).release()
  })
})
