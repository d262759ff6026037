import type { InjectionToken } from '@nestjs/common'
import type { ModuleRef } from '@nestjs/core'
import { ConfigurationError } from '../kernel/errors.js'
import type { AsyncMethodDecorator } from './decorator-options.js'
import { moduleOf, rememberModule } from './module-of-instance.js'
import { DEFAULT_CONNECTION } from './tokens.js'

/** One call of a decorated method. */
export interface MethodCall {
  /** The instance, and the module in which Nest made it. Undefined: it was made with `new`, or the method was called on nothing. */
  readonly of: { readonly instance: object; readonly moduleRef: ModuleRef } | undefined
  /** The method's. */
  readonly name: string | symbol
  readonly args: readonly unknown[]
  /** Runs the method itself. */
  run(): Promise<unknown>
  /** Runs a callback of the decorator with the instance as `this`. */
  ask<Args extends unknown[], Result>(callback: (...args: Args) => Result, ...args: Args): Result
  /** For messages: decorator, class of the instance and method, such as `@Cacheable Products.find`. */
  where(): string
}

/**
 * What the toolkit's method decorators share: the method is replaced on its prototype by one that hands each call to `around`.
 *
 * The replacement keeps what others know the method by: name, length, own properties and reflected metadata (guards, routes and parameter
 * decorators, whether they stand above or below). It runs the method when `around` does, and answers what `around` answers.
 *
 * @param decorator its name for errors, such as `@Cacheable`
 * @param need the provider that the calls will look for; its connection is opened before the application serves
 */
export function replaceMethod(
  decorator: string,
  need: InjectionToken,
  around: (call: MethodCall) => Promise<unknown>,
): AsyncMethodDecorator {
  return (prototype, name, descriptor) => {
    const method: unknown = (descriptor as PropertyDescriptor | undefined)?.value
    assertDecoratable(decorator, prototype, name, method)
    rememberModule(prototype)
    rememberNeed(prototype, need)
    const { replacement } = {
      async replacement(this: object | undefined, ...args: unknown[]): Promise<unknown> {
        const instance = typeof this === 'object' && this !== null ? this : undefined
        const moduleRef = instance && moduleOf(instance)
        return around({
          of: instance && moduleRef && { instance, moduleRef },
          name,
          args,
          run: async () => method.apply(this, args),
          ask: (callback, ...given) => callback.apply(this, given),
          where: () => placeOf(decorator, instance ?? prototype, name),
        })
      },
    }
    copyIdentity(method, replacement)
    ;(descriptor as PropertyDescriptor).value = replacement
  }
}

/** Says that a class needs a provider, which then counts as injected. */
export function rememberNeed(prototype: object, token: InjectionToken): void {
  const tokens = needs.get(prototype) ?? new Set()
  needs.set(prototype, tokens.add(token))
}

/** The providers that the decorators on a class, or on one it extends, need. */
export function needsOf(prototype: object): ReadonlySet<InjectionToken> {
  const tokens = new Set<InjectionToken>()
  for (let type: object | null = prototype; type !== null; type = Object.getPrototypeOf(type) as object | null) {
    for (const token of needs.get(type) ?? []) tokens.add(token)
  }
  return tokens
}

/** What mends an application that lacks the services of a connection. */
export function importThat(connection: string): string {
  return connection === DEFAULT_CONNECTION
    ? 'import RedisCacheModule.forRoot() in the root module'
    : `import RedisCacheModule.forRoot({ name: '${connection}' }) in the root module`
}

/** What a result is when it is no value but a source of values that come later; undefined: it is none. */
export function sourceOfValues(result: unknown): 'an Observable' | 'a stream' | undefined {
  if (typeof result !== 'object' || result === null) return undefined
  if ('subscribe' in result && typeof result.subscribe === 'function') return 'an Observable'
  return Symbol.asyncIterator in result ? 'a stream' : undefined
}

type Method = (this: object | undefined, ...args: unknown[]) => unknown

const needs = new WeakMap<object, Set<InjectionToken>>()

/**
 * Refuses what no decorator of the toolkit can stand on: generators and static methods would be something else than they were; TC39 decorators come
 * with other arguments. @throws ConfigurationError
 */
export function assertDecoratable(
  decorator: string,
  prototype: unknown,
  name: unknown,
  method: unknown,
): asserts method is Method {
  if (typeof name === 'object') {
    throw new ConfigurationError(decorator, 'needs `"experimentalDecorators": true` in tsconfig.json, as Nest does')
  }
  const where = placeOf(decorator, prototype as object, name as string | symbol)
  if (typeof prototype === 'function') {
    throw new ConfigurationError(where, 'is static; only a method of an instance can know its application')
  }
  if (typeof method !== 'function') throw new ConfigurationError(where, 'is no method')
  if (/Generator/.test(Object.prototype.toString.call(method))) {
    throw new ConfigurationError(where, 'is a generator; a decorated method answers one value, by a promise')
  }
}

/** For messages: decorator, class and method, such as `@Cacheable Products.find`. */
export function placeOf(decorator: string, owner: object, name: string | symbol): string {
  const type = typeof owner === 'function' ? owner : owner.constructor
  return `${decorator} ${type.name}.${String(name)}`
}

/** Metadata is copied, not shared: what is set later on one of the two must not appear on the other. */
function copyIdentity(method: Method, replacement: Method): void {
  Object.defineProperties(replacement, Object.getOwnPropertyDescriptors(method))
  for (const key of Reflect.getOwnMetadataKeys(method)) {
    Reflect.defineMetadata(key, Reflect.getOwnMetadata(key, method), replacement)
  }
}
