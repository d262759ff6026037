import { ConfigurationError } from '../../kernel/errors.js'
import {
  type ArgsCallback,
  type AsyncMethodDecorator,
  checkOptions,
  isCallback,
  isConnection,
  isFlag,
  refuseBoth,
} from './decorator-options.js'
import { aroundMethod } from './method-cache.js'

/** What {@link CacheEvict} removes: keys, tags, or everything. Every field also accepts undefined. Callbacks see the instance as `this`. */
export interface CacheEvictOptions {
  /** The key or keys to delete. */
  readonly keyGenerator?: ArgsCallback<string | string[]> | undefined
  /** The tags to invalidate. */
  readonly tags?: ArgsCallback<string[]> | undefined
  /** True: everything under the connection's `keyPrefix`. @default false */
  readonly allEntries?: boolean | undefined
  /** True: before the method runs, instead of after it has succeeded. @default false */
  readonly beforeInvocation?: boolean | undefined
  /** False: this call evicts nothing. @default always true */
  readonly condition?: ArgsCallback<boolean> | undefined
  /** The `name` of the `forRoot` whose cache is used. @default 'default' */
  readonly connection?: string | undefined
}

/**
 * Evicts after the method has succeeded, or before it runs; a method that throws evicts nothing afterwards.
 *
 * Keys and tags are worked out from the arguments before the method runs, so a callback that throws stops the call while nothing is
 * committed. When Redis is away the call **rejects with `CacheUnavailableError`, although the method has succeeded**: an eviction that may
 * not have happened is never swallowed. Repeat the eviction, which is harmless, not the method. The method must answer a promise.
 *
 * @example
 * ```ts
 * @CacheEvict({ keyGenerator: (tenantId: string, id: string) => `customer:${tenantId}:${id}` })
 * async deleteCustomer(tenantId: string, id: string): Promise<void> { … }
 * ```
 * @throws ConfigurationError at decoration: an option that can't be used, two that contradict each other, or nothing to evict
 */
export function CacheEvict(options: CacheEvictOptions): AsyncMethodDecorator {
  checkOptions<CacheEvictOptions>('@CacheEvict', options, {
    keyGenerator: isCallback,
    tags: isCallback,
    allEntries: isFlag,
    beforeInvocation: isFlag,
    condition: isCallback,
    connection: isConnection,
  })
  const { keyGenerator, tags, allEntries = false, beforeInvocation = false, condition, connection } = options
  if (allEntries) {
    refuseBoth('@CacheEvict', options, 'allEntries', 'keyGenerator')
    refuseBoth('@CacheEvict', options, 'allEntries', 'tags')
  } else if (keyGenerator === undefined && tags === undefined) {
    throw new ConfigurationError('@CacheEvict.keyGenerator', 'is missing; give it, `tags` or `allEntries: true`')
  }

  return aroundMethod('@CacheEvict', connection, async (call) => {
    const { cache, args } = call
    if (condition !== undefined && !call.ask(condition, ...args)) return call.run()
    const keys = [keyGenerator === undefined ? [] : call.ask(keyGenerator, ...args)].flat()
    const evictedTags = tags === undefined ? [] : [...call.ask(tags, ...args)]
    const evict = async (): Promise<void> => {
      await Promise.all([
        ...(allEntries ? [cache.clear()] : []),
        ...(keys.length > 0 ? [cache.delete(keys)] : []),
        ...(evictedTags.length > 0 ? [cache.invalidateByTag(evictedTags)] : []),
      ])
    }
    if (beforeInvocation) await evict()
    const result = await call.run()
    if (!beforeInvocation) await evict()
    return result
  })
}
