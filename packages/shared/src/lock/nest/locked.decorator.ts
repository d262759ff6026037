import type { Duration } from '../../kernel/duration.js'
import { ConfigurationError } from '../../kernel/errors.js'
import { importThat, type MethodCall, replaceMethod, sourceOfValues } from '../../nest/decorated-method.js'
import {
  type ArgsCallback,
  type AsyncMethodDecorator,
  type Check,
  checkOptions,
  isCallback,
  isConnection,
  refuseBoth,
} from '../../nest/decorator-options.js'
import { findProvider } from '../../nest/module-of-instance.js'
import { DEFAULT_CONNECTION, getVextrusToken } from '../../nest/tokens.js'
import { runUnderLock } from '../current-lock.js'
import { RedisLockService } from '../lock.js'
import { timeToLive, waitTime } from '../options.js'

/** What {@link Locked} locks, and for how long. Every field but `key` also accepts undefined. The callback sees the instance as `this`. */
export interface LockedOptions {
  /** The key of the lock, from the method's arguments. */
  readonly key: ArgsCallback<string>
  /** For how long the lock outlives a process that dies, ms; while the method runs it is extended. @default the module's `lock.ttl`: 10_000 */
  readonly ttlMs?: number | undefined
  /** The same as a text such as `'10s'`, or milliseconds; not beside `ttlMs`. */
  readonly ttl?: Duration | undefined
  /** For how long a call waits for the lock, ms; 0 asks once. @default the module's `lock.wait`: 5_000 */
  readonly waitMs?: number | undefined
  /** The same as a text such as `'5s'`, or milliseconds; not beside `waitMs`. */
  readonly wait?: Duration | undefined
  /** The `name` of the `forRoot` whose locks are used. @default 'default' */
  readonly connection?: string | undefined
}

/**
 * Runs the method under a lock, as `RedisLockService.withLock` does: one call of all processes at a time for each key, first come, first served.
 *
 * `currentLock()` is the lock within the method; its `fence` belongs into each write that the lock protects. Locks are not reentrant: a method
 * that calls another one under the same key waits for itself. On one method with `@Cacheable`, the decorator above is the outer one: below
 * `@Cacheable` only what is loaded is locked.
 *
 * A call never runs without the lock. What `withLock` rejects with, it rejects with; and on an instance that Nest did not make, or in an
 * application without the module, with a ConfigurationError. The method must answer a promise.
 *
 * @example
 * ```ts
 * @Locked({ key: (tenantId: string) => `lock:invoice-number:${tenantId}`, wait: '5s' })
 * async issueInvoice(tenantId: string, draft: Draft): Promise<Invoice> { … }
 * ```
 * @throws ConfigurationError, InvalidDurationError at decoration: an option that can't be used, or two that say the same
 */
export function Locked(options: LockedOptions): AsyncMethodDecorator {
  checkOptions<LockedOptions>('@Locked', options, {
    key: isCallback,
    ttlMs: isNumberAnd(timeToLive),
    ttl: (value, option) => void timeToLive(value as Duration, option),
    waitMs: isNumberAnd(waitTime),
    wait: (value, option) => void waitTime(value as Duration, option),
    connection: isConnection,
  })
  refuseBoth('@Locked', options, 'ttl', 'ttlMs')
  refuseBoth('@Locked', options, 'wait', 'waitMs')
  const { key, connection = DEFAULT_CONNECTION, ...times } = options
  if (key === undefined) throw new ConfigurationError('@Locked.key', 'is missing; it makes the key of the arguments')
  const token = getVextrusToken(RedisLockService, connection)

  return replaceMethod('@Locked', token, async (call) => {
    const locks = locksFor(call, connection)
    return locks.withLock(call.ask(key, ...call.args), times, (lock) =>
      runUnderLock(lock, async () => singleValue(await call.run(), call.where)),
    )
  })
}

/** The locks of the application that the instance belongs to. @throws ConfigurationError the call would run unprotected */
function locksFor({ of, where }: MethodCall, connection: string): RedisLockService {
  if (of === undefined) {
    throw new ConfigurationError(
      where(),
      'has no lock: Nest did not make this instance; provide its class in a module (in a test beside RedisCacheTestingModule.forRoot()), or leave out the decorator and call withLock of a RedisLockService',
    )
  }
  const locks = findProvider(of.moduleRef, getVextrusToken(RedisLockService, connection))
  if (locks) return locks
  const mend = locks === undefined ? importThat(connection) : 'inject RedisLockService into its class, or call it later'
  const lack = locks === undefined ? 'this application has no RedisLockService' : 'RedisLockService is not made yet'
  throw new ConfigurationError(where(), `has no lock: ${lack}; ${mend}`)
}

/** What an Observable or a stream brings comes after the lock was given back. */
function singleValue(result: unknown, where: () => string): unknown {
  const source = sourceOfValues(result)
  if (source === undefined) return result
  const mend = source === 'an Observable' ? 'its value: `firstValueFrom(…)`' : 'one value'
  throw new ConfigurationError(
    where(),
    `answered ${source}, which would run without the lock; answer a promise of ${mend}`,
  )
}

function isNumberAnd(read: (value: number, option: string) => number): Check {
  return (value, option) => {
    if (typeof value !== 'number') throw new ConfigurationError(option, 'must be a number of milliseconds')
    read(value, option)
  }
}
