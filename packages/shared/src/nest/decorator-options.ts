import { type Ttl, ttlToMs } from '../kernel/duration.js'
import { ConfigurationError } from '../kernel/errors.js'

/**
 * A callback of a decorator: gets the method's arguments, and the instance as `this`.
 *
 * The arguments are `any` because a decorator can't know the method it will stand on; write their types, as in
 * `(tenantId: string, id: string) => …`.
 */
// oxlint-disable-next-line typescript/no-explicit-any -- as said above
export type ArgsCallback<Result> = (this: any, ...args: any[]) => Result

/** A callback of a decorator that also gets what the method answered, first. It is not called for null and undefined, unless said so. */
// oxlint-disable-next-line typescript/no-explicit-any -- as above
export type ResultCallback<Result> = (this: any, result: any, ...args: any[]) => Result

/** Stands on methods that answer a promise; on any other it does not compile. */
export type AsyncMethodDecorator = <
  // oxlint-disable-next-line typescript/no-explicit-any -- any asynchronous method
  Method extends (...args: any[]) => PromiseLike<any>,
>(
  prototype: object,
  name: string | symbol,
  descriptor: TypedPropertyDescriptor<Method>,
) => void

/** Refuses a value; `option` is its name in the error, such as `@Cacheable.ttl`. */
export type Check = (value: unknown, option: string) => void

/** Refuses, at decoration, options that nobody knows and values that can't be used. Undefined is as good as absent. */
export function checkOptions<Options extends object>(
  decorator: string,
  options: Options,
  checks: Record<keyof Options & string, Check>,
): void {
  for (const [name, value] of Object.entries(options)) {
    const option = `${decorator}.${name}`
    if (!Object.hasOwn(checks, name)) {
      throw new ConfigurationError(option, `no such option; there are ${Object.keys(checks).join(', ')}`)
    }
    if (value !== undefined) checks[name as keyof Options & string](value, option)
  }
}

/** Refuses two options that say the same thing in two ways. */
export function refuseBoth<Options extends object>(
  decorator: string,
  options: Options,
  one: keyof Options & string,
  other: keyof Options & string,
): void {
  if (options[one] !== undefined && options[other] !== undefined) {
    throw new ConfigurationError(`${decorator}.${one}`, `contradicts \`${other}\`; give one of the two`)
  }
}

export const isCallback: Check = (value, option) => {
  if (typeof value !== 'function') throw new ConfigurationError(option, 'must be a function')
}

export const isTtl: Check = (value, option) => {
  ttlToMs(value as Ttl, option)
}

export const isFlag: Check = (value, option) => {
  if (typeof value !== 'boolean') throw new ConfigurationError(option, 'must be true or false')
}

export const isConnection: Check = (value, option) => {
  if (typeof value !== 'string' || value === '') {
    throw new ConfigurationError(option, 'must be the `name` of a RedisCacheModule.forRoot')
  }
}

export const isTexts: Check = (value, option) => {
  if (!Array.isArray(value) || value.some((item) => typeof item !== 'string')) {
    throw new ConfigurationError(option, 'must be a list of strings, or a function that answers one')
  }
}

/** A callback, or else what `check` accepts. */
export function orCallback(check: Check): Check {
  return (value, option) => {
    if (typeof value !== 'function') check(value, option)
  }
}

/** False, or else what `check` accepts. */
export function orFalse(check: Check): Check {
  return (value, option) => {
    if (value !== false) check(value, option)
  }
}
