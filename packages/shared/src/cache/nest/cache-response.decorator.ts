import type { Ttl } from '../../kernel/duration.js'
import { ConfigurationError } from '../../kernel/errors.js'
import { rememberNeed } from '../../nest/decorated-method.js'
import { checkOptions, isConnection, isFlag, isTexts, isTtl, orCallback } from '../../nest/decorator-options.js'
import { DEFAULT_CONNECTION, getVextrusToken } from '../../nest/tokens.js'
import { RedisCacheService } from '../cache.js'

/** What separates two answers of one route: who asks, or a request header such as `'accept-language'`. */
export type ResponseVariant = 'tenant' | 'user' | (string & {})

/** How {@link CacheResponse} caches. Every field also accepts undefined. */
export interface CacheResponseOptions {
  /** How long an answer stays: seconds, or a string such as `'5m'`. @default the module's `defaultTtl` */
  readonly ttl?: Ttl | undefined
  /**
   * What the answer depends on besides the URL: `'user'`, `'tenant'`, names of request headers. Where the user or tenant that is named here
   * can't be told, the request is not cached. @default nothing
   */
  readonly vary?: readonly ResponseVariant[] | undefined
  /** Tags by which the answers can be invalidated, or a function of the request. @default none */
  // oxlint-disable-next-line typescript/no-explicit-any -- the request of Express, or of Fastify
  readonly tags?: readonly string[] | ((request: any) => readonly string[]) | undefined
  /** True: the answer does not depend on the user, so requests with `Authorization` are cached without `'user'` in `vary`. @default false */
  readonly anyUser?: boolean | undefined
  /** The `name` of the `forRoot` whose cache is used. @default 'default' */
  readonly connection?: string | undefined
}

/**
 * Marks a route, or all of a controller's, as cacheable; `CacheResponseInterceptor` does it, for `GET`. It says in `X-Cache` what it did:
 * `HIT`; `MISS`, the handler ran; `BYPASS`, this request or this answer is not cacheable.
 *
 * @example
 * ```ts
 * @UseInterceptors(CacheResponseInterceptor)
 * @Controller('products')
 * class ProductController {
 *   @Get()
 *   @CacheResponse({ ttl: '1m', vary: ['tenant', 'user'] })
 *   list(@Query() query: ProductQuery): Promise<Product[]> { … }
 * }
 * ```
 * @throws ConfigurationError, InvalidDurationError at decoration: an option that can't be used
 */
export function CacheResponse(options: CacheResponseOptions = {}): MethodDecorator & ClassDecorator {
  checkOptions<CacheResponseOptions>('@CacheResponse', options, {
    ttl: isTtl,
    vary: isVariants,
    tags: orCallback(isTexts),
    anyUser: isFlag,
    connection: isConnection,
  })
  const { ttl, vary = [], tags, anyUser = false, connection = DEFAULT_CONNECTION } = options
  const plan: ResponsePlan = Object.freeze({
    ttl,
    vary: Object.freeze([...new Set(vary.map((name) => name.toLowerCase()))]),
    tags: typeof tags === 'function' ? tags : Object.freeze([...(tags ?? [])]),
    anyUser,
    connection,
  })
  return (target: object, _name?: string | symbol, descriptor?: PropertyDescriptor) => {
    const isClass = descriptor === undefined
    const marked: unknown = isClass ? target : descriptor.value
    if (typeof marked !== 'function' || (!isClass && typeof target === 'function')) {
      throw new ConfigurationError('@CacheResponse', 'stands on a controller, or on a route of one')
    }
    const prototype = isClass ? (target as { prototype: object }).prototype : target
    rememberNeed(prototype, getVextrusToken(RedisCacheService, connection))
    Reflect.defineMetadata(PLAN, plan, marked)
  }
}

/** The options, complete. */
export interface ResponsePlan {
  readonly ttl: Ttl | undefined
  /** In lower case, each once. */
  readonly vary: readonly string[]
  readonly tags: readonly string[] | ((request: unknown) => readonly string[])
  readonly anyUser: boolean
  readonly connection: string
}

/** What stands on the route, else on its controller; undefined: nothing. */
export function responsePlanOf(handler: object, controller: object): ResponsePlan | undefined {
  return (Reflect.getMetadata(PLAN, handler) ?? Reflect.getMetadata(PLAN, controller)) as ResponsePlan | undefined
}

const PLAN = Symbol('vextrus.cacheResponse')

/** The characters of a header's name, without the asterisk: `Vary: *` says that nothing may be reused. */
const HEADER_NAME = /^[\w!#$%&'+.^`|~-]+$/

function isVariants(value: unknown, option: string): void {
  if (!Array.isArray(value) || !value.every((name) => typeof name === 'string' && HEADER_NAME.test(name))) {
    throw new ConfigurationError(option, "must be a list of 'tenant', 'user' and names of request headers")
  }
}
