import { applyDecorators, UseInterceptors } from '@nestjs/common'
import { ApiOkResponse, ApiOperation } from '@nestjs/swagger'
import { ApiProblems } from '@vextrus/service-kit'
import { CacheResponse, CacheResponseInterceptor, type Ttl } from '@vextrus/shared/cache'
import type { GatewayRequest } from '../http/gateway-request.js'
import type { ServiceName } from '../proxy/service-names.js'
import { answersTag } from './service-writes.js'
import type { Audience } from './service-reads.js'

/** What a cached route is. */
export interface CachedOptions {
  readonly summary: string
  /** Whose answers they are. */
  readonly service: ServiceName
  readonly for: Audience
  /** For how long what is written past the gateway stays unseen. */
  readonly ttl: Ttl
}

/**
 * A `GET` whose answers the gateway caches for those who may share them, with the word for it in `X-Cache`. The decorator says for whom once: what
 * the cache tells apart (`vary`) and, through `ServiceReads`, what the service is told.
 */
export const Cached = ({ summary, service, for: audience, ttl }: CachedOptions): MethodDecorator =>
  applyDecorators(
    UseInterceptors(CacheResponseInterceptor),
    CacheResponse({
      ttl,
      vary: VARY[audience],
      // Where the user is not told apart, the service is not told who it is: a token on the request changes nothing.
      anyUser: true,
      tags: ({ user }: GatewayRequest) => (user === undefined ? [] : [answersTag(user.tenantId, service)]),
    }),
    ApiOperation({ summary }),
    ApiOkResponse({
      description: `What ${service} answers`,
      headers: {
        'X-Cache': {
          description: 'HIT: the service was not asked',
          schema: { type: 'string', enum: ['HIT', 'MISS', 'BYPASS'] },
        },
      },
    }),
    ApiProblems({ 502: 'The service could not be reached', 504: 'The service did not answer in time' }),
  )

const VARY = { everybody: [], tenant: ['tenant'], user: ['tenant', 'user'] } as const satisfies Record<
  Audience,
  readonly string[]
>
