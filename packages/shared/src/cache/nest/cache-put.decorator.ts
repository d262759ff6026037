import type { Ttl } from '../../kernel/duration.js'
import { ConfigurationError } from '../../kernel/errors.js'
import {
  type ArgsCallback,
  type AsyncMethodDecorator,
  checkOptions,
  isCallback,
  isConnection,
  isTexts,
  isTtl,
  orCallback,
  refuseBoth,
  type ResultCallback,
} from '../../nest/decorator-options.js'
import type { CachePattern } from './cache-pattern.js'
import { evictAfterwards } from './evict-afterwards.js'
import { aroundMethod } from './method-cache.js'
import { isPreset, isThrow } from './option-checks.js'

/** What {@link CachePut} stores. Every field also accepts undefined. Callbacks see the instance as `this`. */
export interface CachePutOptions {
  /** The key, from the arguments; worked out before the method runs. Exactly one of this and `key`. */
  readonly keyGenerator?: ArgsCallback<string> | undefined
  /** The key, from the result, for what has its id only afterwards. Not asked about null and undefined. */
  readonly key?: ResultCallback<string> | undefined
  /** How long the result stays: seconds, a string such as `'5m'`, or a function of the result. @default the module's `defaultTtl` */
  readonly ttl?: Ttl | ResultCallback<Ttl> | undefined
  /** The TTL of this pattern, instead of `ttl`. */
  readonly preset?: CachePattern | undefined
  /** Tags by which the entry can be invalidated. @default none */
  readonly tags?: readonly string[] | ResultCallback<string[]> | undefined
  /** False: this call does not write the cache. @default always true */
  readonly condition?: ArgsCallback<boolean> | undefined
  /** True: this result is not stored; also asked about null and undefined. @default always false */
  readonly unless?: ResultCallback<boolean> | undefined
  /**
   * What makes a result newer than another: a counter or a time of the row. A result never replaces an entry of a later version. Not asked
   * about null and undefined. @default none: the last writer wins
   */
  readonly version?: ResultCallback<number | bigint | Date> | undefined
  /** `'throw'`: rejects when the result could not be stored, although the method has succeeded. @default it is returned, and an error is counted */
  readonly onUnavailable?: 'throw' | undefined
  /** The `name` of the `forRoot` whose cache is used. @default 'default' */
  readonly connection?: string | undefined
}

/**
 * Always runs the method, then stores what it answered: write-through.
 *
 * A null or undefined result is not stored; what was under `keyGenerator`'s key is then deleted, so that it does not outlive its row. The
 * method must answer a promise. While Redis is away the result is returned all the same, and this process deletes the old entry as soon as
 * Redis answers; `onUnavailable: 'throw'` rejects instead.
 *
 * @example
 * ```ts
 * @CachePut({ keyGenerator: (customer: Customer) => `customer:${customer.tenantId}:${customer.id}` })
 * async updateCustomer(customer: Customer): Promise<Customer> { … }
 * ```
 * @throws ConfigurationError, InvalidDurationError at decoration: an option that can't be used, or two that contradict each other
 */
export function CachePut(options: CachePutOptions): AsyncMethodDecorator {
  checkOptions<CachePutOptions>('@CachePut', options, {
    keyGenerator: isCallback,
    key: isCallback,
    ttl: orCallback(isTtl),
    preset: isPreset,
    tags: orCallback(isTexts),
    condition: isCallback,
    unless: isCallback,
    version: isCallback,
    onUnavailable: isThrow,
    connection: isConnection,
  })
  refuseBoth('@CachePut', options, 'ttl', 'preset')
  refuseBoth('@CachePut', options, 'keyGenerator', 'key')
  const {
    keyGenerator,
    key: keyOfResult,
    ttl,
    preset,
    tags,
    condition,
    unless,
    version,
    onUnavailable,
    connection,
  } = options
  if (keyGenerator === undefined && keyOfResult === undefined) {
    throw new ConfigurationError(
      '@CachePut.keyGenerator',
      'is missing; give it, or `key` to make the key of the result',
    )
  }
  const fixedTags = typeof tags === 'function' || tags === undefined ? undefined : [...tags]

  return aroundMethod('@CachePut', connection, async (call) => {
    const { cache, args } = call
    if (condition !== undefined && !call.ask(condition, ...args)) return call.run()
    const keyOfArgs = keyGenerator && call.ask(keyGenerator, ...args)
    if (keyOfArgs !== undefined) call.checkName(keyOfArgs, 'key')
    const result = await call.run()
    if (unless !== undefined && call.ask(unless, result, ...args)) return result
    if (result === null || result === undefined) {
      if (keyOfArgs !== undefined) await evictAfterwards([() => cache.delete(keyOfArgs)], onUnavailable)
      return result
    }
    const key = keyOfResult === undefined ? keyOfArgs : call.ask(keyOfResult, result, ...args)
    await cache.set(key as string, result, {
      ttl: typeof ttl === 'function' ? call.ask(ttl, result, ...args) : preset === undefined ? ttl : call.ttlOf(preset),
      tags: typeof tags === 'function' ? call.ask(tags, result, ...args) : fixedTags,
      version: version && call.ask(version, result, ...args),
      onUnavailable,
    })
    return result
  })
}
