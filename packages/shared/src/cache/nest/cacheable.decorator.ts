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
  orFalse,
  refuseBoth,
  type ResultCallback,
} from '../../nest/decorator-options.js'
import type { NearCallOption } from '../near-options.js'
import type { CachePattern } from './cache-pattern.js'
import { aroundMethod } from './method-cache.js'
import { isNearOption, isPreset } from './option-checks.js'

/** How {@link Cacheable} caches. Every field also accepts undefined. Callbacks see the instance as `this`. */
export interface CacheableOptions {
  /** How long a result stays: seconds, a string such as `'5m'`, or a function of the result. @default the module's `defaultTtl` */
  readonly ttl?: Ttl | ResultCallback<Ttl> | undefined
  /** The TTL of this pattern, instead of `ttl`. */
  readonly preset?: CachePattern | undefined
  /** The key of a call. @default `Class.method:`, the current tenant when there is one, and a hash of the arguments */
  readonly keyGenerator?: ArgsCallback<string> | undefined
  /** Tags by which the entry can be invalidated. @default none */
  readonly tags?: readonly string[] | ResultCallback<string[]> | undefined
  /** False: this call neither reads nor writes the cache. @default always true */
  readonly condition?: ArgsCallback<boolean> | undefined
  /** True: this result is not stored; also asked about null and undefined. @default always false */
  readonly unless?: ResultCallback<boolean> | undefined
  /** How long a result may still be served after its TTL, while one caller loads anew: seconds, a string, or false: not at all. @default the module's `grace` */
  readonly grace?: Ttl | false | undefined
  /**
   * Of the process's memory (L1): false: this method is not answered from it, and no process keeps its results there; or for how long one does,
   * at most. @default the module's `l1`
   */
  readonly l1?: NearCallOption | undefined
  /** How long a null result stays; false: it is not stored. @default the module's `cacheNull` */
  readonly cacheNull?: Ttl | false | undefined
  /** The `name` of the `forRoot` whose cache is used. @default 'default' */
  readonly connection?: string | undefined
}

/**
 * Answers a method's result from the cache; runs the method when it is not there, once for all callers who wait, and stores what it answers.
 *
 * The method must answer a promise. A call is answered without the cache when the instance was made with `new` outside Nest, and while Redis
 * is away. What the method or a callback throws reaches the caller and is not stored; the method is never run a second time for it.
 * The default key holds the names of class and method: two classes of one name, or minified names, need a `keyGenerator`.
 *
 * @example
 * ```ts
 * @Cacheable({ ttl: '5m', keyGenerator: (tenantId: string, id: string) => `customer:${tenantId}:${id}` })
 * async getCustomer(tenantId: string, id: string): Promise<Customer> { … }
 * ```
 * @throws ConfigurationError, InvalidDurationError at decoration: an option that can't be used, or two that contradict each other
 */
export function Cacheable(options: CacheableOptions = {}): AsyncMethodDecorator {
  checkOptions<CacheableOptions>('@Cacheable', options, {
    ttl: orCallback(isTtl),
    preset: isPreset,
    keyGenerator: isCallback,
    tags: orCallback(isTexts),
    condition: isCallback,
    unless: isCallback,
    grace: orFalse(isTtl),
    l1: orFalse(isNearOption),
    cacheNull: orFalse(isTtl),
    connection: isConnection,
  })
  refuseBoth('@Cacheable', options, 'ttl', 'preset')
  const { ttl, preset, keyGenerator, tags, condition, unless, grace, l1, cacheNull, connection } = options
  const fixedTags = typeof tags === 'function' || tags === undefined ? undefined : [...tags]

  const decorate = aroundMethod('@Cacheable', connection, async (call) => {
    const { cache, args } = call
    if (condition !== undefined && !call.ask(condition, ...args)) return call.run()
    const key = keyGenerator === undefined ? call.defaultKey() : call.ask(keyGenerator, ...args)
    const fixedTtl = typeof ttl === 'function' ? undefined : preset === undefined ? ttl : call.ttlOf(preset)
    return cache.getOrSet<unknown>(
      key,
      async (ctx) => {
        const result = await call.run()
        if (unless !== undefined && call.ask(unless, result, ...args)) ctx.skip()
        else if (result !== null && result !== undefined) {
          if (typeof ttl === 'function') ctx.setTtl(call.ask(ttl, result, ...args))
          if (typeof tags === 'function') ctx.addTags(...call.ask(tags, result, ...args))
        }
        return result
      },
      { ttl: fixedTtl, tags: fixedTags, grace, l1, cacheNull },
    )
  })
  return (prototype, name, descriptor) => {
    if (keyGenerator === undefined && typeof name === 'symbol') {
      throw new ConfigurationError('@Cacheable.keyGenerator', 'is needed on a method that is named by a symbol')
    }
    decorate(prototype, name, descriptor)
  }
}
