import type { InjectionToken } from '@nestjs/common'
import { ModuleRef, type ModulesContainer } from '@nestjs/core'
import { needsOf } from '../nest/decorated-method.js'
import { prototypeOf, type Wrapper, wrappersOf } from '../nest/instances.js'
import { adopt } from '../nest/module-of-instance.js'

/**
 * Which of a connection's services the application asks for, read from the graph that Nest has just resolved.
 *
 * Nest makes every provider of a module, wanted or not; so "is made" says nothing, and what nobody wants must not open a connection.
 */
export class Injections {
  private readonly wrappers: readonly Wrapper[]

  constructor(modules: ModulesContainer) {
    this.wrappers = wrappersOf(modules)
  }

  /**
   * Whether something injects one of `tokens`, by constructor, property or factory, or has a decorator that needs one of them.
   * `own` are the providers that don't count: the toolkit's.
   */
  wants(tokens: ReadonlySet<InjectionToken>, own: ReadonlySet<InjectionToken>): boolean {
    return this.wrappers.some((wrapper) => {
      if (own.has(wrapper.token)) return false
      const prototype = prototypeOf(wrapper)
      if (prototype !== undefined && [...needsOf(prototype)].some((token) => tokens.has(token))) return true
      // Nest answers nothing for what has no dependencies, or was not resolved yet.
      const byConstructor = (wrapper.getCtorMetadata() ?? []) as readonly (Wrapper | undefined)[]
      const byProperty = (wrapper.getPropertiesMetadata() ?? []).map((property) => property.wrapper as Wrapper)
      return [...byConstructor, ...byProperty].some((each) => each !== undefined && tokens.has(each.token))
    })
  }

  /** Tells instances that came from a factory or `useValue`, and so were not given their module by Nest, where they belong. */
  adoptInstances(): void {
    for (const { instance, host, isNotMetatype } of this.wrappers) {
      if (!isNotMetatype || typeof instance !== 'object' || instance === null || host === undefined) continue
      const moduleRef: unknown = host.providers.get(ModuleRef)?.instance
      if (moduleRef instanceof ModuleRef) adopt(instance as object, moduleRef)
    }
  }
}
