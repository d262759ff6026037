import { Logger } from '@nestjs/common'
import type { ModuleRef } from '@nestjs/core'
import { InvalidKeyError, SerializationError } from '../../kernel/errors.js'
import type { Ttl } from '../../kernel/duration.js'
import { assertKey } from '../../kernel/key.js'
import { importThat, replaceMethod, sourceOfValues } from '../../nest/decorated-method.js'
import type { AsyncMethodDecorator } from '../../nest/decorator-options.js'
import { findProvider } from '../../nest/module-of-instance.js'
import { DEFAULT_CONNECTION, getVextrusToken } from '../../nest/tokens.js'
import { RedisCacheService } from '../cache.js'
import { Tenancy } from '../tenancy.js'
import { argumentKey } from './argument-key.js'
import { type CachePattern, CachePresets, DEFAULT_PRESETS } from './cache-pattern.js'

/** One call of a decorated method whose application has a cache. */
export interface CachedCall {
  readonly cache: RedisCacheService
  /** Whose turn it is, and what the connection demands of keys. */
  readonly tenancy: Tenancy
  readonly args: readonly unknown[]
  /** Runs the method itself. */
  run(): Promise<unknown>
  /** Runs a callback of the decorator with the instance as `this`. */
  ask<Args extends unknown[], Result>(callback: (...args: Args) => Result, ...args: Args): Result
  /** `Class.method:`, the current tenant where there is one, and a hash of the arguments. */
  defaultKey(): string
  /** Refuses what can't be a key or tag here, before anything has happened. @throws InvalidKeyError, TenantKeyError */
  checkName(name: string, what: 'key' | 'tag'): void
  ttlOf(preset: CachePattern): Ttl
}

/**
 * What `@Cacheable`, `@CachePut` and `@CacheEvict` share: each call finds the cache of the instance's application and is handed to `around`,
 * which decides whether anything is cached. Without a cache the method runs as it is.
 *
 * @param decorator its name for errors, such as `@Cacheable` @param connection the `name` of a `forRoot`
 */
export function aroundMethod(
  decorator: string,
  connection: string = DEFAULT_CONNECTION,
  around: (call: CachedCall) => Promise<unknown>,
): AsyncMethodDecorator {
  return replaceMethod(decorator, getVextrusToken(RedisCacheService, connection), (call) => {
    const { of, name, args, ask } = call
    const cache = of && cacheOf(of.moduleRef, connection, of.instance.constructor, decorator)
    if (!of || !cache) return call.run()
    const { instance, moduleRef } = of
    const tenancy = findProvider(moduleRef, getVextrusToken(Tenancy, connection)) ?? ANY_TENANT
    return around({
      cache,
      tenancy,
      args,
      ask,
      run: async () => singleValue(await call.run(), call.where),
      defaultKey: () => {
        const tenant = tenancy.defaultKeyTenant()
        const label = labelOf(instance, name)
        return `${label}:${tenant === undefined ? '' : `${tenant}:`}${argumentKey(args)}`
      },
      checkName(given, what) {
        assertKey(given, what)
        tenancy.assertHeld(given, what)
      },
      ttlOf: (preset) =>
        findProvider(moduleRef, getVextrusToken(CachePresets, connection))?.ttlOf(preset) ?? DEFAULT_PRESETS[preset],
    })
  })
}

/**
 * The cache of an application; where there is none, `decorator` on `type` says so, once.
 * Undefined: nobody provides it. Null: it is not made yet.
 */
export function cacheOf(
  moduleRef: ModuleRef,
  connection: string,
  type: ClassLike,
  decorator: string,
): RedisCacheService | null | undefined {
  const cache = findProvider(moduleRef, getVextrusToken(RedisCacheService, connection))
  if (cache === undefined) warnOnce(moduleRef, connection, type, decorator)
  return cache
}

/** For an application that was given a cache and no `RedisCacheModule`: the turn counts, and nothing is demanded. */
export const ANY_TENANT = new Tenancy()

type ClassLike = Pick<Function, 'name'>

/** An Observable or a stream would be stored as an object, and its readers would find nothing in it. */
function singleValue(result: unknown, where: () => string): unknown {
  const source = sourceOfValues(result)
  if (source === undefined) return result
  const mend = source === 'an Observable' ? 'its value: `firstValueFrom(…)`' : 'one value'
  throw new SerializationError('$', `${where()} answered ${source}; answer a promise of ${mend}`)
}

/** The class of the instance, not the one that declares the method: two repositories that inherit `findOne` must not share keys. */
function labelOf(instance: object, method: string | symbol): string {
  const { name } = instance.constructor
  if (name === '' || typeof method === 'symbol') {
    throw new InvalidKeyError(
      `${name || 'a class without a name'}.${String(method)} has no name to make a key of; give its decorator a \`keyGenerator\``,
    )
  }
  return `${name}.${method}`
}

const warned = new WeakMap<ModuleRef, Set<string>>()

function warnOnce(moduleRef: ModuleRef, connection: string, type: ClassLike, decorator: string): void {
  const known = warned.get(moduleRef) ?? new Set()
  warned.set(moduleRef, known)
  const subject = `${type.name}@${connection}`
  if (known.has(subject)) return
  known.add(subject)
  new Logger('RedisCacheModule').warn(
    `${decorator} on ${type.name} caches nothing: this application has no RedisCacheService; ${importThat(connection)}`,
  )
}
