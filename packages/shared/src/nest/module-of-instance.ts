import { Inject, type InjectionToken } from '@nestjs/common'
import { ModuleRef } from '@nestjs/core'

/**
 * Tells a method decorator to which Nest application the instance belongs that its method is called on.
 *
 * A decorator wraps a prototype, once, before any application exists; instances come later, of several applications in one process, and of
 * request scope for each request. So the class is marked at decoration with one more property dependency, `ModuleRef` under a symbol, which
 * Nest itself resolves for every instance that it makes, in any scope. There is nothing for the user to inject, and no global to go stale.
 */
const MODULE_REF = Symbol('vextrus.moduleRef')

/** Marks the class of a decorated method. Twice on one class does no harm. */
export function rememberModule(prototype: object): void {
  if (Object.hasOwn(prototype, MODULE_REF)) return
  Object.defineProperty(prototype, MODULE_REF, {
    configurable: true,
    get: (): undefined => undefined,
    set(this: object, moduleRef: ModuleRef) {
      keep(this, moduleRef)
    },
  })
  Inject(ModuleRef)(prototype, MODULE_REF)
}

/** The module in which Nest made `instance`; undefined when it was made with `new`. */
export function moduleOf(instance: object): ModuleRef | undefined {
  return (instance as { [MODULE_REF]?: ModuleRef })[MODULE_REF] ?? frozen.get(instance)
}

/**
 * Says that `instance`, which a factory or `useValue` gave to Nest, belongs to a module. Only decorated classes take it; the first module
 * keeps it, so an instance that two applications share stays with the first.
 */
export function adopt(instance: object, moduleRef: ModuleRef): void {
  if (MODULE_REF in instance && moduleOf(instance) === undefined) keep(instance, moduleRef)
}

/**
 * What `token` stands for in the application of `moduleRef`: in its own module first, then anywhere.
 * Undefined: nobody provides it. Null: Nest has not made it yet, the application is still booting.
 */
export function findProvider<T>(moduleRef: ModuleRef, token: InjectionToken<T>): T | null | undefined {
  let known = found.get(moduleRef)
  if (known === undefined) found.set(moduleRef, (known = new Map()))
  if (known.has(token)) return known.get(token) as T | undefined
  const lookUp = (strict: boolean): T | null | undefined => {
    try {
      return moduleRef.get<T, T | undefined>(token as never, { strict }) ?? null
    } catch (error) {
      // Nest does not export the class of "no such provider"; any other error is the user's to see.
      if (error instanceof Error && error.constructor.name === 'UnknownElementException') return undefined
      throw error
    }
  }
  const own = lookUp(true)
  const provider = own === undefined ? lookUp(false) : own
  if (provider !== null) known.set(token, provider)
  return provider
}

const found = new WeakMap<ModuleRef, Map<InjectionToken, unknown>>()

/** For instances that nothing can be written on. */
const frozen = new WeakMap<object, ModuleRef>()

/** As a property where that is possible: it is then seen through a proxy around the instance, too. Never enumerable: tests compare instances. */
function keep(instance: object, moduleRef: ModuleRef): void {
  const property = { value: moduleRef, enumerable: false, configurable: true, writable: true }
  if (!Reflect.defineProperty(instance, MODULE_REF, property)) frozen.set(instance, moduleRef)
}
