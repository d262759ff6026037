import { ConfigurationError } from '../../kernel/errors.js'
import { assertKey } from '../../kernel/key.js'
import {
  type ArgsCallback,
  type AsyncMethodDecorator,
  checkOptions,
  isCallback,
  isConnection,
  isFlag,
  refuseBoth,
} from '../../nest/decorator-options.js'
import { evictAfterwards } from './evict-afterwards.js'
import { aroundMethod, type CachedCall } from './method-cache.js'
import { isThrow } from './option-checks.js'

/** What {@link CacheEvict} removes: keys, tags, a pattern, or everything. Every field also accepts undefined. Callbacks see the instance as `this`. */
export interface CacheEvictOptions {
  /** The key or keys to delete. */
  readonly keyGenerator?: ArgsCallback<string | string[]> | undefined
  /** A glob; the keys that match it are deleted. It costs scans of every master: prefer `tags`. `escapeGlob` is for parts that are data. */
  readonly pattern?: ArgsCallback<string> | undefined
  /** The tags to invalidate. */
  readonly tags?: ArgsCallback<string[]> | undefined
  /** True: everything under the connection's `keyPrefix`. @default false */
  readonly allEntries?: boolean | undefined
  /** True: before the method runs, instead of after it has succeeded. @default false */
  readonly beforeInvocation?: boolean | undefined
  /**
   * True: keys and tags are held while the method runs, so nothing that it changes is cached meanwhile, and a process that dies between the
   * commit and the eviction leaves misses, not old values. The method does not run when the hold can't be placed. @default false
   */
  readonly hold?: boolean | undefined
  /** False: this call evicts nothing. @default always true */
  readonly condition?: ArgsCallback<boolean> | undefined
  /** `'throw'`: rejects when the eviction is pending, although the method has succeeded; not with `hold`, which covers that. @default its result is returned */
  readonly onUnavailable?: 'throw' | undefined
  /** The `name` of the `forRoot` whose cache is used. @default 'default' */
  readonly connection?: string | undefined
}

/**
 * Evicts after the method has succeeded, or before it runs; a method that throws evicts nothing afterwards.
 *
 * Keys, tags and pattern are worked out and checked before the method runs, so what is wrong with them stops the call while nothing is
 * committed. Once the method has succeeded its result is returned even when Redis is away: the eviction is then *pending* – this process makes
 * it before it reads from Redis again – which is logged once an outage and counted as an error in the statistics. `onUnavailable: 'throw'`
 * rejects with `CacheUnavailableError` instead: repeat the eviction, which is harmless, not the method. Before the method – with
 * `beforeInvocation`, and for the placing of a `hold` – an eviction that fails always rejects, and the method does not run. The method must
 * answer a promise.
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
    pattern: isCallback,
    tags: isCallback,
    allEntries: isFlag,
    beforeInvocation: isFlag,
    hold: isFlag,
    condition: isCallback,
    onUnavailable: isThrow,
    connection: isConnection,
  })
  checkTogether(options)
  const { beforeInvocation = false, hold = false, condition, onUnavailable, connection } = options

  return aroundMethod('@CacheEvict', connection, async (call) => {
    if (condition !== undefined && !call.ask(condition, ...call.args)) return call.run()
    const targets = targetsOf(options, call)
    if (hold && targets.keys.length + targets.tags.length > 0) {
      return call.cache.invalidateAround({ keys: targets.keys, tags: targets.tags }, () => call.run())
    }
    const evictions = evictionsOf(targets, call)
    if (beforeInvocation) await Promise.all(evictions.map((evict) => evict()))
    const result = await call.run()
    if (!beforeInvocation) await evictAfterwards(evictions, onUnavailable)
    return result
  })
}

function checkTogether(options: CacheEvictOptions): void {
  const { keyGenerator, pattern, tags, allEntries = false, hold = false, beforeInvocation = false } = options
  if (hold && (pattern !== undefined || allEntries)) {
    const other = allEntries ? 'allEntries' : 'pattern'
    throw new ConfigurationError('@CacheEvict.hold', `is for keys and tags; leave out \`${other}\`, or \`hold\``)
  }
  if (hold && beforeInvocation) {
    throw new ConfigurationError('@CacheEvict.hold', 'evicts before and after the method; leave out `beforeInvocation`')
  }
  if (hold && options.onUnavailable !== undefined) {
    throw new ConfigurationError(
      '@CacheEvict.hold',
      'rejects before the method when Redis is away, and covers what comes later; leave out `onUnavailable`',
    )
  }
  if (allEntries) {
    for (const other of ['keyGenerator', 'pattern', 'tags'] as const) {
      refuseBoth('@CacheEvict', options, 'allEntries', other)
    }
  } else if (keyGenerator === undefined && pattern === undefined && tags === undefined) {
    throw new ConfigurationError(
      '@CacheEvict.keyGenerator',
      'is missing; give it, `tags`, `pattern` or `allEntries: true`',
    )
  }
}

interface Targets {
  readonly keys: readonly string[]
  readonly tags: readonly string[]
  readonly pattern: string | undefined
  readonly all: boolean
}

/** From the arguments as they came, whatever the method does to them. @throws InvalidKeyError, TenantKeyError, what a callback throws */
function targetsOf({ keyGenerator, pattern, tags, allEntries = false }: CacheEvictOptions, call: CachedCall): Targets {
  const targets = {
    keys: [keyGenerator === undefined ? [] : call.ask(keyGenerator, ...call.args)].flat(),
    tags: tags === undefined ? [] : [...call.ask(tags, ...call.args)],
    pattern: pattern && call.ask(pattern, ...call.args),
    all: allEntries,
  }
  for (const key of targets.keys) call.checkName(key, 'key')
  for (const tag of targets.tags) call.checkName(tag, 'tag')
  if (targets.pattern !== undefined) {
    assertKey(targets.pattern, 'pattern')
    call.tenancy.assertGlobHeld(targets.pattern)
  }
  if (allEntries) call.tenancy.assertMayReachAll('@CacheEvict({ allEntries: true })')
  return targets
}

function evictionsOf({ keys, tags, pattern, all }: Targets, { cache }: CachedCall): (() => Promise<unknown>)[] {
  return [
    ...(all ? [() => cache.clear()] : []),
    ...(keys.length > 0 ? [() => cache.delete(keys)] : []),
    ...(tags.length > 0 ? [() => cache.invalidateByTag(tags)] : []),
    ...(pattern === undefined ? [] : [() => cache.deleteByPattern(pattern)]),
  ]
}
