import { LockLostError, type Lock, type RedisLockService } from '@vextrus/shared/lock'
import type { DataSource, EntityManager } from 'typeorm'
import { StaleWriterError } from './stale-writer.error.js'

/** For how long a lock outlives a process that died, and for how long one is waited for. */
const TTL_MS = 10_000
const WAIT_MS = 5_000

/** What work under locks gets: everything is done by its transaction, and each protected row is written with the fence of its lock. */
export interface FencedWork {
  readonly transaction: EntityManager
  /** @param key one of those that were asked for */
  fenceOf(key: string): bigint
}

/**
 * Transactions under locks, with the fences of the locks at hand: each row that a lock protects keeps the fence of its last writer, and is
 * written by `UPDATE … WHERE fence <= $fence` and nothing else.
 *
 * The lock makes writers wait for each other outside the database, in the order in which they came, instead of holding its connections. The
 * fence makes the result right: a lock can be lost without its holder's knowing it in time – the process was stopped, the machine slept –, and
 * then the database refuses the late write. The constraints of the tables stand behind both.
 *
 * Locks come first and the transaction inside them. The other way round a writer would hold a connection of the pool while it waits for a lock
 * whose holder waits for a connection.
 */
export class FencedWrites {
  constructor(
    private readonly dataSource: DataSource,
    private readonly locks: RedisLockService,
  ) {}

  /**
   * Runs `work` in a transaction, while all of these locks are held.
   *
   * Several are taken one after the other in the order of their names, by everybody: no two writers ever wait for each other. One that is
   * named twice is taken once: no writer waits for itself.
   * @param what is to be written, as the client is told of it
   * @throws LockTimeoutError @throws LockUnavailableError Redis is away @throws StaleWriterError a lock was lost before the work began
   */
  async run<T>(what: string, keys: readonly string[], work: (held: FencedWork) => Promise<T>): Promise<T> {
    const held = new Map<string, Lock>()
    const fenceOf = (key: string): bigint => {
      const lock = held.get(key)
      if (lock === undefined) throw new RangeError(`The lock ${key} is not among those that were asked for`)
      return lock.fence
    }
    try {
      for (const key of new Set(keys.toSorted())) held.set(key, await this.locks.acquire(key, TTL_MS, WAIT_MS))
      return await this.dataSource.transaction((transaction) => {
        // The pool may have kept it waiting.
        for (const lock of held.values()) assertHeld(lock, what)
        return work({ transaction, fenceOf })
      })
    } finally {
      // Not `withLock`, which rejects when the lock was lost meanwhile: what the database has accepted and committed is done.
      for (const lock of [...held.values()].toReversed()) await this.locks.release(lock)
    }
  }
}

/** The row that an `UPDATE … RETURNING` has written; undefined: none that its condition is true of. */
export async function updatedRow<Row>(
  transaction: EntityManager,
  statement: string,
  parameters: readonly unknown[],
): Promise<Row | undefined> {
  // TypeORM answers an UPDATE with its rows, and how many there are.
  const [[row]] = await transaction.query<[Row[], number]>(statement, [...parameters])
  return row
}

function assertHeld(lock: Lock, what: string): void {
  try {
    lock.assertHeld()
  } catch (error) {
    throw error instanceof LockLostError ? new StaleWriterError(what, { cause: error }) : error
  }
}
