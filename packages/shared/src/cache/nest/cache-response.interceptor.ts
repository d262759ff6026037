import {
  type CallHandler,
  type ExecutionContext,
  Inject,
  Injectable,
  Logger,
  type NestInterceptor,
} from '@nestjs/common'
import { ModuleRef } from '@nestjs/core'
import { from, lastValueFrom, type Observable } from 'rxjs'
import { identityText } from '../../nest/identity-text.js'
import { findProvider } from '../../nest/module-of-instance.js'
import { getVextrusToken } from '../../nest/tokens.js'
import type { RedisCacheService } from '../cache.js'
import { Tenancy } from '../tenancy.js'
import { type ResponsePlan, responsePlanOf } from './cache-response.decorator.js'
import { HttpExchange, type HttpRequest, type HttpResponse, type StoredHeaders } from './http-exchange.js'
import { ANY_TENANT, cacheOf } from './method-cache.js'
import { shareableBody } from './response-body.js'
import { CacheResponseIdentity } from './response-identity.js'
import { headerNames, responseKey, type ResponseSubject, tenantSegment } from './response-key.js'

/**
 * Answers `GET` – and `HEAD`, from what `GET` has stored – of routes marked with `@CacheResponse` from the cache, on Express and Fastify. One
 * handler runs for all who ask for the same at once.
 *
 * Guards run first, and interceptors that stand further out see hits as they see other answers. Not cached is: a request with a body, or with
 * `Authorization` where the route neither varies by the user nor says `anyUser`; one whose user or tenant is not known where the route varies
 * by it; an answer of another status than 200, with a cookie, with `Cache-Control` of `no-store`, `no-cache` or `private`, with a `Vary` that
 * the route does not have; streams and files; an error; and instances of classes that an interceptor further out turns into something else.
 * Routes that answer by themselves (`@Res()`), redirects and server-sent events pass, as does all that is not HTTP.
 *
 * Use it with `@UseInterceptors(CacheResponseInterceptor)` or, for all controllers, as `APP_INTERCEPTOR`.
 */
@Injectable()
export class CacheResponseInterceptor implements NestInterceptor {
  private readonly logger = new Logger('CacheResponseInterceptor')

  constructor(@Inject(ModuleRef) private readonly moduleRef: ModuleRef) {}

  /** Called by Nest. */
  async intercept(context: ExecutionContext, next: CallHandler): Promise<Observable<unknown>> {
    if (context.getType() !== 'http') return next.handle()
    const plan = responsePlanOf(context.getHandler(), context.getClass())
    const request = context.switchToHttp().getRequest<HttpRequest>()
    if (plan === undefined || !METHODS.has(request.method) || inHand.has(request)) return next.handle()
    // It may stand on the controller and be global: the outer one does the work.
    inHand.add(request)
    const exchange = new HttpExchange(request, context.switchToHttp().getResponse<HttpResponse>())
    exchange.vary(headerNames(plan.vary))
    const cache = cacheOf(this.moduleRef, plan.connection, context.getClass(), '@CacheResponse')
    const subject = await this.subjectOf(context, plan, request)
    if (!cache || answersByItself(context) || !isCacheable(exchange, plan, subject)) {
      exchange.say('BYPASS')
      return next.handle()
    }
    const key = responseKey(subject, plan.vary, exchange)
    if (request.method === 'HEAD') return answerHead(cache, key, exchange, next)
    return from(this.answer(cache, key, plan, exchange, next))
  }

  /** The value for the interceptors further out. */
  private answer(
    cache: RedisCacheService,
    key: string,
    plan: ResponsePlan,
    exchange: HttpExchange,
    next: CallHandler,
  ): Promise<unknown> {
    return new Promise((resolve, reject) => {
      let own: { readonly value: unknown } | undefined
      let answered = false
      const answerWith = (value: unknown): void => {
        answered = true
        resolve(value)
      }
      const loading = cache.getOrSet<StoredResponse>(
        key,
        async (load) => {
          // Of a hit that is about to expire the cache loads anew behind its caller's back; a handler can't run behind its response. After
          // a turn of the event loop the caller of a hit has it.
          await nextTurn()
          if (answered) {
            load.skip()
            return UNSHARED
          }
          exchange.say('MISS')
          own = { value: await lastValueFrom(next.handle(), { defaultValue: undefined }) }
          const shareable = exchange.isShareable(plan.vary) ? shareableBody(own.value) : null
          const headers = exchange.handlerHeaders()
          if (shareable !== null) {
            const stored = shareable.body === undefined ? { headers } : { headers, body: shareable.body }
            if (shareable.faithful) return stored
            const unchanged = exchange.sends(own.value)
            answerWith(own.value)
            if (await unchanged) return stored
          } else exchange.say('BYPASS')
          load.skip()
          return UNSHARED
        },
        { ttl: plan.ttl, tags: tagsOf(plan, exchange.request), grace: false },
      )
      loading.then(
        (stored) => {
          if (own !== undefined) answerWith(own.value)
          else if (isShared(stored)) answerWith(replay(stored, exchange))
          else {
            exchange.say('BYPASS')
            answerWith(lastValueFrom(next.handle(), { defaultValue: undefined }))
          }
        },
        (error: unknown) => {
          if (answered) this.logger.error('a response was sent and could not be stored', stackOf(error))
          reject(error as Error)
        },
      )
    })
  }

  private async subjectOf(
    context: ExecutionContext,
    plan: ResponsePlan,
    request: HttpRequest,
  ): Promise<ResponseSubject> {
    const [handler, controller] = [context.getHandler(), context.getClass()]
    const tenancy = findProvider(this.moduleRef, getVextrusToken(Tenancy, plan.connection)) ?? ANY_TENANT
    const identity = findProvider(this.moduleRef, CacheResponseIdentity) ?? DEFAULT_IDENTITY
    return {
      route: `${controller.name}.${methodNameOf(context)}`,
      version: Reflect.getMetadata(VERSION, handler) ?? Reflect.getMetadata(VERSION, controller),
      turn: tenancy.defaultKeyTenant(),
      tenant: identityText(await identity.tenantOf(request)),
      user: identityText(await identity.userOf(request)),
    }
  }
}

const METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD'])

/** Requests that one of the interceptors has taken. */
const inHand = new WeakSet<HttpRequest>()

const DEFAULT_IDENTITY = new CacheResponseIdentity()

/** What is stored. Without a body, the handler answered undefined. */
type StoredResponse = { readonly headers: StoredHeaders; readonly body?: unknown } | typeof UNSHARED

/** What those who joined a load are told when its answer is only for the one who made it; never stored. */
const UNSHARED = Object.freeze({ unshared: true })

function isShared(stored: StoredResponse): stored is Exclude<StoredResponse, typeof UNSHARED> {
  return 'headers' in stored
}

function replay(stored: Exclude<StoredResponse, typeof UNSHARED>, exchange: HttpExchange): unknown {
  exchange.replay(stored.headers)
  exchange.say('HIT')
  return stored.body
}

/** A handler may spare itself the body of a `HEAD`, so its answer is stored for nobody. */
async function answerHead(
  cache: RedisCacheService,
  key: string,
  exchange: HttpExchange,
  next: CallHandler,
): Promise<Observable<unknown>> {
  const { hit, value } = await cache.lookup<StoredResponse>(key)
  if (hit && value !== null && isShared(value)) return from([replay(value, exchange)])
  exchange.say('MISS')
  return next.handle()
}

/** Whether the request can be answered with what another one was answered. */
function isCacheable(exchange: HttpExchange, { vary, anyUser }: ResponsePlan, subject: ResponseSubject): boolean {
  const length = exchange.requestHeader('content-length')
  if ((length !== undefined && length !== '0') || exchange.requestHeader('transfer-encoding') !== undefined)
    return false
  if (vary.includes('tenant') && tenantSegment(subject) === undefined) return false
  if (vary.includes('user')) return subject.user !== undefined
  return anyUser || vary.includes('authorization') || exchange.requestHeader('authorization') === undefined
}

function tagsOf({ tags }: ResponsePlan, request: HttpRequest): readonly string[] {
  return typeof tags === 'function' ? tags(request) : tags
}

/** Names of Nest's metadata, which it does not export. */
const VERSION = '__version__'
const REDIRECT = '__redirect__'
const SERVER_SENT_EVENTS = '__sse__'
const ARGUMENTS = '__routeArguments__'
const PASSTHROUGH = '__responsePassthrough__'

/** `RouteParamtypes` of Nest: the response, and `next`. */
const RESPONSE_ARGUMENT = /^[12]:/

/** Whether Nest sends what the handler returns. Where it does not, a hit would never be answered. */
function answersByItself(context: ExecutionContext): boolean {
  const [handler, controller, name] = [context.getHandler(), context.getClass(), methodNameOf(context)]
  if (Reflect.hasMetadata(REDIRECT, handler) || Reflect.hasMetadata(SERVER_SENT_EVENTS, handler)) return true
  const taken = Object.keys((Reflect.getMetadata(ARGUMENTS, controller, name) ?? {}) as object)
  return (
    taken.some((argument) => RESPONSE_ARGUMENT.test(argument)) &&
    Reflect.getMetadata(PASSTHROUGH, controller, name) !== true
  )
}

/** The name under which the controller has the handler: a decorator that wraps a method may have given the function another. */
function methodNameOf(context: ExecutionContext): string {
  const handler: unknown = context.getHandler()
  let type = context.getClass().prototype as object | null
  for (; type !== null && type !== Object.prototype; type = Object.getPrototypeOf(type) as object | null) {
    for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(type))) {
      if (value === handler) return name
    }
  }
  return context.getHandler().name
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}
