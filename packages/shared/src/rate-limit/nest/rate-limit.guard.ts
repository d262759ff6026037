import { type CanActivate, type ExecutionContext, Inject, Injectable, Logger } from '@nestjs/common'
import { announceProblem, httpReplyOf } from '../../nest/http-reply.js'
import { transportError } from '../../nest/transport-error.js'
import type { RateLimitResult, RateLimitRuleResult } from '../public-types.js'
import { RateLimiterService } from '../rate-limiter.js'
import { RateLimitGuardSettings } from './guard-options.js'
import { limitField, policyField, policyName } from './rate-limit-headers.js'
import { RateLimitExceededException, RateLimitUndecidedException } from './rate-limit.exception.js'
import { identityOf } from './request-identity.js'
import { type RouteLimits, RouteTable } from './route-limits.js'
import { withContext } from './route-rule.js'

/**
 * Keeps the limits of `@RateLimit` and those of `rateLimit.rules`, over HTTP on Express and Fastify, GraphQL, web sockets and microservices.
 *
 * Use it as `APP_GUARD`, after the guard that knows the user, or with `@UseGuards(RateLimitGuard)`. Where it stands in several of these places one
 * handling of a request counts once: Nest gives all guards of one handling the same context.
 *
 * A response of HTTP has `RateLimit-Policy` and `RateLimit`. A refusal is a {@link RateLimitExceededException}: 429 as problem+json, with
 * `Retry-After`; `extensions` of a GraphQL error; `{ status: 'error', code, message, retryAfter }` for a web socket and a microservice.
 *
 * The user is `id`, `sub` or `userId` of the request's `user`, the tenant the one whose turn it is, `tenantId` of the request, or `tenantId` or
 * `tenant` of its `user`, and the address as the platform makes it, IPv6 by its /64. Who has none of them is one with all such callers of a handler.
 *
 * Without Redis each rule's `onUnavailable` decides. What `identity`, `skip` or a function `by` throws is the answer to the request, as it is.
 *
 * @example `providers: [{ provide: APP_GUARD, useClass: RateLimitGuard }]`
 */
@Injectable()
export class RateLimitGuard implements CanActivate {
  private readonly logger = new Logger('RateLimitGuard')
  private readonly routes: RouteTable

  constructor(
    @Inject(RateLimiterService) private readonly limiter: RateLimiterService,
    @Inject(RateLimitGuardSettings) private readonly settings: RateLimitGuardSettings,
  ) {
    this.routes = new RouteTable(settings.options.rules)
  }

  /** Called by Nest. @throws RateLimitExceededException, RateLimitUndecidedException */
  canActivate(context: ExecutionContext): boolean | Promise<boolean> {
    if (counted.has(context)) return true
    counted.add(context)
    const limits = this.routes.find(context.getHandler(), context.getClass())
    if (limits.rules.length === 0 || this.settings.options.skip?.(context) === true) return true
    return this.decide(context, limits)
  }

  private async decide(context: ExecutionContext, limits: RouteLimits): Promise<true> {
    const found = identityOf(context, this.settings)
    const ids = withContext(found instanceof Promise ? await found : found, context)
    const { isShadow } = this.settings.options
    const shadow = limits.rules.filter(({ name }) => isShadow(name!))
    const kept = shadow.length === 0 ? limits.rules : limits.rules.filter((rule) => !shadow.includes(rule))
    if (kept.length > 0) await this.keep(context, limits, await this.limiter.consume(kept, ids))
    // On its own, and after: one that refuses would keep the others from counting.
    if (shadow.length > 0) this.tell(await this.limiter.consume(shadow, ids))
    return true
  }

  private async keep(context: ExecutionContext, { known }: RouteLimits, result: RateLimitResult): Promise<void> {
    const response = httpReplyOf(context)
    const { headers, errorMessage } = this.settings.options
    const refusing = result.allowed ? [] : result.rules.filter(({ allowed }) => !allowed)
    if (response !== undefined && headers && result.rules.length > 0) {
      response.header('RateLimit-Policy', policyField(result.rules, known))
      // Of a refusal what refuses: nothing else that it tells is then later than its Retry-After, as the draft asks for.
      response.header('RateLimit', limitField(result.allowed ? result.rules : refusing, known))
    }
    if (result.allowed) return
    const names = refusing.map(({ name }) => policyName(name))
    const refusal = isUndecided(result, refusing, known)
      ? new RateLimitUndecidedException(names, result.retryAfterMs)
      : new RateLimitExceededException(names, result.retryAfterMs, errorMessage)
    if (response !== undefined) announceProblem(response, { 'Retry-After': String(refusal.retryAfter) })
    throw await transportError(context.getType(), refusal)
  }

  private tell({ rules }: RateLimitResult): void {
    for (const { name, allowed } of rules) {
      if (!allowed && this.settings.isNews(`shadow ${name}`)) {
        this.logger.warn(`the limit '${name}' is in shadow mode and would have refused a request`)
      }
    }
  }
}

/** Handlings that have been decided, by whichever guard came first. */
const counted = new WeakSet<ExecutionContext>()

/** Whether it was refused without anybody having counted: the rules that refuse say so by themselves. */
function isUndecided(
  { source }: RateLimitResult,
  refusing: readonly RateLimitRuleResult[],
  known: RouteLimits['known'],
): boolean {
  if (source !== 'unavailable' && source !== 'local') return false
  return refusing.every(({ name }) => known.get(name)!.onUnavailable === 'deny')
}
