/**
 * Tells `CacheResponseInterceptor` who asks. This one reads what guards and middleware usually leave on a request; for another place, provide
 * a class of your own under this one. An answer of undefined means nobody: a route that varies by it is then not cached.
 *
 * @example
 * ```ts
 * class ClaimsIdentity extends CacheResponseIdentity {
 *   override tenantOf(request: { claims?: { org?: string } }) { return request.claims?.org }
 * }
 * // providers: [{ provide: CacheResponseIdentity, useClass: ClaimsIdentity }]
 * ```
 */
export class CacheResponseIdentity {
  /** The user's id: `request.user.id`, else its `userId`, else its `sub`. */
  // oxlint-disable-next-line typescript/no-explicit-any -- the request of Express, or of Fastify, with what guards put on it
  userOf(request: any): ResponseIdentity | Promise<ResponseIdentity> {
    const user = (request as { user?: UserLike | null }).user
    return user?.id ?? user?.userId ?? user?.sub
  }

  /** The tenant's id: `request.tenantId`, else `request.user.tenantId`. The tenant of `runAsTenant` and of `tenancy.resolve` comes before it. */
  // oxlint-disable-next-line typescript/no-explicit-any -- as above
  tenantOf(request: any): ResponseIdentity | Promise<ResponseIdentity> {
    const { tenantId, user } = request as { tenantId?: ResponseIdentity; user?: UserLike | null }
    return tenantId ?? user?.tenantId
  }
}

/** An id; null and undefined: there is none. */
export type ResponseIdentity = string | number | bigint | null | undefined

interface UserLike {
  readonly id?: ResponseIdentity
  readonly userId?: ResponseIdentity
  readonly sub?: ResponseIdentity
  readonly tenantId?: ResponseIdentity
}
