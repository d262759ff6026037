import { Inject, type InjectionToken } from '@nestjs/common'

/** The name of the connection that is meant when none is given. */
export const DEFAULT_CONNECTION = 'default'

/** A class that stands for one of the toolkit's services. */
// oxlint-disable-next-line typescript/no-explicit-any -- any constructor will do: only its identity and its name are used
export type ServiceClass<T = unknown> = abstract new (...args: any[]) => T

/**
 * The token under which `forRoot({ name })` provides a service: the class itself on the default connection, a text such as
 * `RedisCacheService@reports` on a named one.
 *
 * @example `app.get<RedisCacheService>(getVextrusToken(RedisCacheService, 'reports'))`
 */
export function getVextrusToken<T>(service: ServiceClass<T>, name: string = DEFAULT_CONNECTION): InjectionToken<T> {
  return name === DEFAULT_CONNECTION ? service : `${service.name}@${name}`
}

/**
 * Injects a service of a named connection.
 *
 * @example `constructor(@InjectVextrus(RedisCacheService, 'reports') private readonly cache: RedisCacheService) {}`
 */
export function InjectVextrus(service: ServiceClass, name?: string): PropertyDecorator & ParameterDecorator {
  return Inject(getVextrusToken(service, name))
}
