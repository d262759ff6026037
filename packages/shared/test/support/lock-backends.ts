import { type Clock, systemClock } from '../../src/kernel/clock.js'
import { MemoryHub } from '../../src/kernel/memory-hub.js'
import { LockEngine, type LockOptions, type LockStore } from '../../src/lock/index.js'
import { MemoryLockStore } from '../../src/lock/stores/memory.js'
import { RedisLockStore } from '../../src/lock/stores/redis.js'
import { RedisConnection } from '../../src/redis/connection.js'
import { Keyspace } from '../../src/redis/keyspace.js'
import type { RedisConnectionOptions } from '../../src/redis/options.js'
import type { FakeClock } from '../../src/testing/fake-clock.js'
import { FaultyLockStore } from './lock-faults.js'
import { clusterBackend, memoryBackend, redisBackend, restrictedBackend, type StoreBackend } from './store-backends.js'

/** A server, and locks on it as several processes have them. A contract is written against this and run on each. */
export interface LockBackend {
  /** The server: its clock, its raw commands. */
  readonly server: StoreBackend
  /** What engines measure by. */
  readonly clock: Clock
  /** A client of its own. */
  store(keyPrefix: string): Promise<LockStore>
  /** A process of its own: an engine on a client of its own, whose store can be at fault. */
  process(keyPrefix: string, options?: LockOptions): Promise<LockProcess>
  /** Lets time pass until the promise has settled. */
  settled<T>(promise: Promise<T>): Promise<T>
  close(): Promise<void>
}

export interface LockProcess {
  readonly engine: LockEngine
  readonly store: FaultyLockStore
}

export async function memoryLocks(): Promise<LockBackend & { readonly fake: FakeClock }> {
  const server = await memoryBackend()
  const { clock } = server
  const hub = new MemoryHub({ clock })
  const settled = async <T>(promise: Promise<T>): Promise<T> => {
    let isOver = false
    promise.then(
      () => (isOver = true),
      () => (isOver = true),
    )
    for (await clock.settle(); !isOver;) await clock.advance(10)
    return promise
  }
  const parts = { server, clock, settled, store: async (prefix: string) => new MemoryLockStore(hub, prefix) }
  return { ...backend(parts), fake: clock }
}

/** A standalone Redis of its own. */
export async function redisLocks(options: { commandTimeout?: number } = {}): Promise<LockBackend> {
  const server = await redisBackend(options)
  return onRedis(server, { url: server.server.url, commandTimeout: 2_000, ...options })
}

/** A standalone Redis under the user of SECURITY.md. */
export async function restrictedLocks(): Promise<LockBackend> {
  const server = await restrictedBackend()
  const { host, port } = server.server
  return onRedis(server, { host, port, username: 'vextrus', password: 'secret', commandTimeout: 2_000 })
}

/** A Cluster of three masters, under the user of SECURITY.md. */
export async function clusterLocks(): Promise<LockBackend> {
  const server = await clusterBackend()
  const nodes = server.cluster.servers.slice(0, 3).map(({ host, port }) => ({ host, port }))
  return onRedis(server, { cluster: { nodes }, username: 'vextrus', password: 'secret', commandTimeout: 2_000 })
}

/** A store on a connection of its own, and the way to close both. */
export async function redisLockStore(
  options: RedisConnectionOptions,
  keyPrefix: string,
): Promise<{ store: RedisLockStore; connection: RedisConnection; warnings: string[]; close(): Promise<void> }> {
  const connection = new RedisConnection(options, { logger: SILENT })
  await connection.ready()
  const warnings: string[] = []
  const store = new RedisLockStore(connection, connection.door, new Keyspace(keyPrefix), {
    deadlineMs: connection.commandTimeoutMs,
    warn: (message) => warnings.push(message),
  })
  const close = async (): Promise<void> => {
    store.close()
    await connection.close()
  }
  return { store, connection, warnings, close }
}

function onRedis(server: StoreBackend, options: RedisConnectionOptions): LockBackend {
  const clients: Awaited<ReturnType<typeof redisLockStore>>[] = []
  const parts = {
    server,
    clock: systemClock,
    settled: <T>(promise: Promise<T>): Promise<T> => promise,
    async store(keyPrefix: string) {
      const client = await redisLockStore(options, keyPrefix)
      clients.push(client)
      return client.store
    },
  }
  return backend(parts, async () => {
    await Promise.all(clients.map((client) => client.close()))
    const warnings = clients.flatMap((client) => client.warnings)
    if (warnings.length > 0) throw new Error(`wake-ups were not heard: ${warnings.join('; ')}`)
  })
}

function backend(
  parts: Omit<LockBackend, 'process' | 'close'>,
  closeClients: () => Promise<void> = async () => undefined,
): LockBackend {
  const engines: LockEngine[] = []
  return {
    ...parts,
    async process(keyPrefix, options) {
      const { clock } = parts
      const store = new FaultyLockStore(await parts.store(keyPrefix), clock)
      const engine = new LockEngine(store, options, { clock })
      engines.push(engine)
      return { engine, store }
    },
    async close() {
      await parts.settled(Promise.all(engines.map((engine) => engine.close())))
      await closeClients()
      // Looks on the way for keys that would stay for ever.
      await parts.server.close()
    },
  }
}

const SILENT = { warn: () => undefined, log: () => undefined, debug: () => undefined }
