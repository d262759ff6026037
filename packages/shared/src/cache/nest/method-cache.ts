import { Logger } from '@nestjs/common'
import type { ModuleRef } from '@nestjs/core'
import { ConfigurationError, InvalidKeyError, SerializationError } from '../../kernel/errors.js'
import type { Ttl } from '../../kernel/duration.js'
import { assertKey } from '../../kernel/key.js'
import { RedisCacheService } from '../cache.js'
import { Tenancy } from '../tenancy.js'
import { argumentKey } from './argument-key.js'
import { type CachePattern, CachePresets, DEFAULT_PRESETS } from './cache-pattern.js'
import type { AsyncMethodDecorator } from './decorator-options.js'
import { findProvider, moduleOf, rememberModule } from './module-of-instance.js'
import { DEFAULT_CONNECTION, getVextrusToken } from './tokens.js'

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
 * What `@Cacheable`, `@CachePut` and `@CacheEvict` share: the method is replaced on its prototype by one that finds the cache of the
 * instance's application at each call and hands the call to `around`.
 *
 * The replacement keeps what others know the method by: name, length, own properties and reflected metadata (guards, routes and parameter
 * decorators, whether they stand above or below). It runs the method at most once a call; whether anything is cached is `around`'s matter.
 *
 * @param decorator its name for errors, such as `@Cacheable` @param connection the `name` of a `forRoot`
 */
export function aroundMethod(
  decorator: string,
  connection: string = DEFAULT_CONNECTION,
  around: (call: CachedCall) => Promise<unknown>,
): AsyncMethodDecorator {
  return (prototype, name, descriptor) => {
    const method: unknown = (descriptor as PropertyDescriptor | undefined)?.value
    assertDecoratable(decorator, prototype, name, method)
    rememberModule(prototype)
    rememberConnection(prototype, connection)
    const { replacement } = {
      async replacement(this: object | undefined, ...args: unknown[]): Promise<unknown> {
        const moduleRef = typeof this === 'object' && this !== null ? moduleOf(this) : undefined
        const cache = moduleRef && cacheOf(moduleRef, connection, (this as object).constructor, decorator)
        if (!moduleRef || !cache) return method.apply(this, args)
        const tenancy = findProvider(moduleRef, getVextrusToken(Tenancy, connection)) ?? ANY_TENANT
        return around({
          cache,
          tenancy,
          args,
          run: async () =>
            singleValue(
              await method.apply(this, args),
              `${decorator} ${(this as object).constructor.name}.${String(name)}`,
            ),
          ask: (callback, ...given) => callback.apply(this, given),
          defaultKey: () => {
            const tenant = tenancy.defaultKeyTenant()
            const label = labelOf(this as object, name)
            return `${label}:${tenant === undefined ? '' : `${tenant}:`}${argumentKey(args)}`
          },
          checkName(given, what) {
            assertKey(given, what)
            tenancy.assertHeld(given, what)
          },
          ttlOf: (preset) =>
            findProvider(moduleRef, getVextrusToken(CachePresets, connection))?.ttlOf(preset) ??
            DEFAULT_PRESETS[preset],
        })
      },
    }
    copyIdentity(method, replacement)
    ;(descriptor as PropertyDescriptor).value = replacement
  }
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

/** The connections that the decorators on a class, or on one it extends, name. */
export function connectionsOf(prototype: object): ReadonlySet<string> {
  const names = new Set<string>()
  for (let type: object | null = prototype; type !== null; type = Object.getPrototypeOf(type) as object | null) {
    for (const name of connections.get(type) ?? []) names.add(name)
  }
  return names
}

/** Says that a class needs this connection, which is then opened before the application serves. */
export function rememberConnection(prototype: object, connection: string): void {
  const names = connections.get(prototype) ?? new Set()
  connections.set(prototype, names.add(connection))
}

/** For an application that was given a cache and no `RedisCacheModule`: the turn counts, and nothing is demanded. */
export const ANY_TENANT = new Tenancy()

type ClassLike = Pick<Function, 'name'>

type Method = (this: object | undefined, ...args: unknown[]) => unknown

const connections = new WeakMap<object, Set<string>>()

/** Generators and static methods would be wrapped into something else than they were; TC39 decorators come with other arguments. */
function assertDecoratable(
  decorator: string,
  prototype: unknown,
  name: unknown,
  method: unknown,
): asserts method is Method {
  if (typeof name === 'object') {
    throw new ConfigurationError(decorator, 'needs `"experimentalDecorators": true` in tsconfig.json, as Nest does')
  }
  const where = `${decorator} ${typeof prototype === 'function' ? prototype.name : (prototype as object).constructor.name}.${String(name)}`
  if (typeof prototype === 'function') {
    throw new ConfigurationError(where, 'is static; only a method of an instance can know its application')
  }
  if (typeof method !== 'function') throw new ConfigurationError(where, 'is no method')
  if (/Generator/.test(Object.prototype.toString.call(method))) {
    throw new ConfigurationError(where, 'is a generator; a decorated method answers one value, by a promise')
  }
}

/** An Observable or a stream would be stored as an object, and its readers would find nothing in it. */
function singleValue(result: unknown, where: string): unknown {
  if (typeof result === 'object' && result !== null) {
    if ('subscribe' in result && typeof result.subscribe === 'function') {
      throw new SerializationError(
        '$',
        `${where} answered an Observable; answer a promise of its value: \`firstValueFrom(…)\``,
      )
    }
    if (Symbol.asyncIterator in result) {
      throw new SerializationError('$', `${where} answered a stream; answer a promise of one value`)
    }
  }
  return result
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
  const mend =
    connection === DEFAULT_CONNECTION
      ? 'import RedisCacheModule.forRoot() in the root module'
      : `import RedisCacheModule.forRoot({ name: '${connection}' }) in the root module`
  new Logger('RedisCacheModule').warn(
    `${decorator} on ${type.name} caches nothing: this application has no RedisCacheService; ${mend}`,
  )
}

/** Metadata is copied, not shared: what is set later on one of the two must not appear on the other. */
function copyIdentity(method: Method, replacement: Method): void {
  Object.defineProperties(replacement, Object.getOwnPropertyDescriptors(method))
  for (const key of Reflect.getOwnMetadataKeys(method)) {
    Reflect.defineMetadata(key, Reflect.getOwnMetadata(key, method), replacement)
  }
}
