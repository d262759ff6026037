import { idFault } from '../tenancy.js'
import { argumentKey } from './argument-key.js'
import type { HttpExchange } from './http-exchange.js'

/** Who asks, and where. */
export interface ResponseSubject {
  /** `Controller.method`. */
  readonly route: string
  /** Nest's version of the route: two controllers of one name may differ by it alone. */
  readonly version: unknown
  /** Whose turn it is, by `runAsTenant` or `tenancy.resolve`. */
  readonly turn: string | undefined
  /** The tenant that the request names. */
  readonly tenant: string | undefined
  readonly user: string | undefined
}

/**
 * The key of a response: `response:[tenant:]Controller.method:` and a hash of everything that two requests with different answers could differ
 * in. So `forTenant(t).deleteByPattern('response:ProductController.list:*')` finds the answers of a route.
 *
 * In the hash: where the request was sent to (also the host that a proxy was trusted to name, and the protocol: answers hold links), its path,
 * its query – as pairs in the order of their names, and as the framework has parsed it, which may see more in their order – the headers that
 * the route varies by, the user if it varies by that, and the tenant wherever one is known, also if the route does not say that it varies by it.
 */
export function responseKey(subject: ResponseSubject, vary: readonly string[], exchange: HttpExchange): string {
  const { route, version, turn, tenant, user } = subject
  const { request } = exchange
  const { path, query } = splitUrl(request.originalUrl ?? request.url)
  const hash = argumentKey([
    route,
    version,
    [request.protocol, exchange.requestHeader('host'), request.hostname],
    path,
    [...new URLSearchParams(query)].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)),
    request.query,
    headerNames(vary).map((name) => exchange.requestHeader(name)),
    turn,
    tenant,
    vary.includes('user') ? user : undefined,
  ])
  const segment = tenantSegment(subject)
  return `response:${segment === undefined ? '' : `${segment}:`}${route}:${hash}`
}

/** The tenant as a segment of the key; undefined: none is known, or it can't be one. */
export function tenantSegment({ turn, tenant }: ResponseSubject): string | undefined {
  return turn ?? (tenant === undefined || idFault(tenant) !== null ? undefined : tenant)
}

/** The request headers among what a route varies by. */
export function headerNames(vary: readonly string[]): string[] {
  return vary.filter((name) => name !== 'tenant' && name !== 'user')
}

function splitUrl(url: string): { path: string; query: string } {
  const at = url.indexOf('?')
  return at === -1 ? { path: url, query: '' } : { path: url.slice(0, at), query: url.slice(at + 1) }
}
