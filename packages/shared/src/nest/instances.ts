import type { DiscoveryService, ModulesContainer } from '@nestjs/core'

/** What Nest keeps of a provider, controller, guard or middleware: how it is made, and what was made. */
export type Wrapper = ReturnType<DiscoveryService['getProviders']>[number]

/** Of everything that Nest makes in an application. */
export function wrappersOf(modules: ModulesContainer): readonly Wrapper[] {
  return [...modules.values()].flatMap(({ providers, controllers, injectables, middlewares }) => [
    ...providers.values(),
    ...controllers.values(),
    ...injectables.values(),
    ...middlewares.values(),
  ])
}

/** Where the decorators of its methods have left what they know; undefined: it has no methods, or is not made yet. */
export function prototypeOf({ instance, metatype, isNotMetatype }: Wrapper): object | undefined {
  if (!isNotMetatype) return (metatype as { prototype?: object } | null)?.prototype
  return typeof instance === 'object' && instance !== null ? (Object.getPrototypeOf(instance) as object) : undefined
}
