import { request } from 'node:http'
import { Readable } from 'node:stream'
import {
  type CanActivate,
  Controller,
  createParamDecorator,
  type ExecutionContext,
  Get,
  Header,
  HttpCode,
  type INestApplication,
  type NestInterceptor,
  NotFoundException,
  Post,
  type Provider,
  Redirect,
  Res,
  StreamableFile,
  type Type,
  UseInterceptors,
} from '@nestjs/common'
import { APP_INTERCEPTOR } from '@nestjs/core'
import { FastifyAdapter } from '@nestjs/platform-fastify'
import { delay, map, Observable, of } from 'rxjs'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { appWith, memoryCache } from '../../../test/support/cached-app.js'
import { ConfigurationError, InvalidDurationError } from '../../kernel/errors.js'
import { FakeClock } from '../../testing/fake-clock.js'
import { RedisCacheService } from '../cache.js'
import { MemoryHub } from '../../kernel/memory-hub.js'
import { needsOf } from '../../nest/decorated-method.js'
import { getVextrusToken } from '../../nest/tokens.js'
import { MemoryCacheStore } from '../stores/memory.js'
import { currentTenant, runAsTenant, type TenancyOptions } from '../tenancy.js'
import { CacheResponse, type CacheResponseOptions } from './cache-response.decorator.js'
import { CacheResponseInterceptor } from './cache-response.interceptor.js'
import { CacheResponseIdentity } from './response-identity.js'

/** What tests put on a request, as guards would. */
type TestRequest = { headers: Record<string, string>; user?: unknown; tenantId?: unknown; url: string }

const Req = createParamDecorator((_: unknown, context: ExecutionContext) =>
  context.switchToHttp().getRequest<unknown>(),
)

interface Setup {
  providers?: Provider[]
  /** Middleware that stands before everything. */
  before?: (request: TestRequest, response: NodeResponse, next: () => void) => void
  tenancy?: TenancyOptions
  cache?: RedisCacheService | null
  outside?: NestInterceptor[]
}

type NodeResponse = { setHeader(name: string, value: string): void }

let app: INestApplication | undefined
afterEach(async () => {
  vi.restoreAllMocks()
  await app?.close()
  app = undefined
})

/** As a guard would, from headers: who asks. */
const identify: CanActivate = {
  canActivate(context: ExecutionContext) {
    const request = context.switchToHttp().getRequest<TestRequest>()
    const { 'x-user': user, 'x-tenant': tenant } = request.headers
    if (user !== undefined) request.user = { id: user }
    if (tenant !== undefined) request.tenantId = tenant
    return true
  },
}

describe.each(['Express', 'Fastify'])('CacheResponseInterceptor on %s', (platform) => {
  async function serve(controller: Type, { providers = [], before, tenancy, cache, outside = [] }: Setup = {}) {
    const interceptors: Provider[] = [
      ...outside.map((useValue) => ({ provide: APP_INTERCEPTOR, useValue })),
      { provide: APP_INTERCEPTOR, useClass: CacheResponseInterceptor },
    ]
    const module = await appWith([...providers, ...interceptors], {
      controllers: [controller],
      ...(cache === undefined ? {} : { cache }),
      ...(tenancy && { tenancy }),
    }).compile()
    app =
      platform === 'Express'
        ? module.createNestApplication()
        : module.createNestApplication(new FastifyAdapter() as never)
    if (before) app.use(before)
    app.useGlobalGuards(identify)
    await app.listen(0, '127.0.0.1')
    const url = await app.getUrl()
    return async (path: string, headers: Record<string, string> = {}, method = 'GET') => {
      const response = await fetch(url + path, { method, headers, redirect: 'manual' })
      const text = await response.text()
      return {
        status: response.status,
        state: response.headers.get('x-cache'),
        body: text.startsWith('{') ? (JSON.parse(text) as unknown) : text,
        headers: response.headers,
      }
    }
  }

  /** A controller with one route, `GET /it`. */
  function routeOf(answer: (request: TestRequest, calls: number) => unknown, options: CacheResponseOptions = {}) {
    @Controller()
    class Route {
      static calls = 0
      @Get('it')
      @CacheResponse({ ttl: 60, ...options })
      it(@Req() request: TestRequest): unknown {
        return answer(request, ++Route.calls)
      }
    }
    return Route
  }

  it('answers the second request from the cache, and says so', async () => {
    const Route = routeOf((_, calls) => ({ calls, at: new Date(5), tags: new Map() }))
    const get = await serve(Route)
    const [first, second] = [await get('/it'), await get('/it')]
    expect([first.state, second.state]).toEqual(['MISS', 'HIT'])
    expect(first.body).toEqual({ calls: 1, at: '1970-01-01T00:00:00.005Z', tags: {} })
    expect(second.body).toEqual(first.body)
    expect(second.headers.get('content-type')).toBe(first.headers.get('content-type'))
    expect(second.headers.get('content-length')).toBe(first.headers.get('content-length'))
  })

  it.each(['copy', 'frozen', 'shared'] as const)(
    'answers the same from L1, with values that are %s',
    async (values) => {
      const store = new MemoryCacheStore(new MemoryHub())
      const cache = new RedisCacheService(store, { l1: { values } })
      @Controller()
      class Route {
        @Get('it')
        @CacheResponse({ ttl: 60 })
        it(@Res({ passthrough: true }) response: { header(name: string, value: string[]): void }): object {
          response.header('Link', ['</a>; rel=next', '</b>; rel=prev'])
          return { at: new Date(5), lines: [{ sku: 'a', sizes: new Set([1]) }], file: Buffer.from('x') }
        }
      }
      const dated: NestInterceptor = {
        intercept: (_, next) => next.handle().pipe(map((body: object) => ({ ...body, dated: true }))),
      }
      const get = await serve(Route, { cache, outside: [dated] })
      const answers = [await get('/it'), await get('/it'), await get('/it'), await get('/it')]
      expect(answers.map(({ state }) => state)).toEqual(['MISS', 'HIT', 'HIT', 'HIT'])
      expect(cache.getStatistics()).toMatchObject({ l1: { hits: 2 }, l2: { hits: 1 } })
      for (const { status, body, headers } of answers) {
        expect(status).toBe(200)
        expect(body).toEqual(answers[0]!.body)
        expect(body).toMatchObject({ at: '1970-01-01T00:00:00.005Z', lines: [{ sku: 'a' }], dated: true })
        expect(headers.get('link')).toBe('</a>; rel=next, </b>; rel=prev')
      }
      expect(await get('/it', {}, 'HEAD')).toMatchObject({ state: 'HIT', body: '' })
      expect(cache.getStatistics()).toMatchObject({ l1: { hits: 3 } })
    },
  )

  it('knows one query in any order and spelling, and tells different ones, paths and hosts apart', async () => {
    @Controller('products')
    class Products {
      calls = 0
      @Get(':id')
      @CacheResponse()
      one(): object {
        return { calls: ++this.calls }
      }
    }
    const get = await serve(Products)
    await get('/products/1?a=x%20y&b=2')
    for (const same of ['/products/1?b=2&a=x+y', '/products/1?b=2&a=%78%20y']) {
      expect(await get(same)).toMatchObject({ state: 'HIT', body: { calls: 1 } })
    }
    for (const other of ['?a=x+y&b=3', '?a=x+y', '', '?a=x+y&b=2&b=2', '?a=x%2By&b=2']) {
      expect(await get(`/products/1${other}`)).toMatchObject({ state: 'MISS' })
    }
    expect(await get('/products/2?a=x+y&b=2')).toMatchObject({ state: 'MISS' })
    await get('/products/3?a=1&a=2')
    expect(await get('/products/3?a=2&a=1')).toMatchObject({ state: 'MISS' })
  })

  it('gives two users, two tenants and two languages their own answers where the route varies by them', async () => {
    const answer = (request: TestRequest) => ({
      for: `${request.headers['x-tenant']}/${request.headers['x-user']}/${request.headers['accept-language']}`,
    })
    const Route = routeOf(answer, { vary: ['tenant', 'user', 'Accept-Language'] })
    const get = await serve(Route)
    const callers = ['t1', 't2'].flatMap((tenant) =>
      ['ann', 'bob'].flatMap((user) =>
        ['en', 'bn'].map((language) => ({ 'x-tenant': tenant, 'x-user': user, 'accept-language': language })),
      ),
    )
    for (const state of ['MISS', 'HIT']) {
      for (const caller of callers) {
        const own = `${caller['x-tenant']}/${caller['x-user']}/${caller['accept-language']}`
        expect(await get('/it', { ...caller, authorization: 'Bearer x' })).toMatchObject({ state, body: { for: own } })
      }
    }
    expect((await get('/it', callers[0])).headers.get('vary')).toBe('accept-language')
  })

  it('caches nothing where the user or tenant that the route varies by is not known', async () => {
    for (const [vary, headers] of [
      ['user', { 'x-tenant': 't1' }],
      ['tenant', { 'x-user': 'ann' }],
      ['tenant', { 'x-tenant': 'a:b' }],
    ] as const) {
      const Route = routeOf((_, calls) => ({ calls }), { vary: [vary] })
      const get = await serve(Route)
      for (const calls of [1, 2]) expect(await get('/it', headers)).toMatchObject({ state: 'BYPASS', body: { calls } })
      await app!.close()
    }
  })

  it('keeps tenants apart even where the route does not say that it varies by them', async () => {
    const Route = routeOf((request) => ({ for: request.tenantId }), { vary: ['user'] })
    const get = await serve(Route)
    for (const [tenant, state] of [
      ['t1', 'MISS'],
      ['t2', 'MISS'],
      ['t1', 'HIT'],
    ]) {
      const answer = await get('/it', { 'x-user': '1', 'x-tenant': tenant! })
      expect(answer).toMatchObject({ state, body: { for: tenant } })
    }
  })

  it('does not share what was asked for with Authorization, unless the route says that every user may have it', async () => {
    const authorized = { authorization: 'Bearer secret' }
    const get = await serve(routeOf((_, calls) => ({ calls })))
    for (const calls of [1, 2]) expect(await get('/it', authorized)).toMatchObject({ state: 'BYPASS', body: { calls } })
    await app!.close()
    const open = await serve(routeOf((_, calls) => ({ calls }), { anyUser: true }))
    await open('/it', authorized)
    expect(await open('/it', { authorization: 'Bearer other' })).toMatchObject({ state: 'HIT' })
    await app!.close()
    const byToken = await serve(routeOf((_, calls) => ({ calls }), { vary: ['authorization'] }))
    await byToken('/it', authorized)
    expect(await byToken('/it', authorized)).toMatchObject({ state: 'HIT' })
    expect(await byToken('/it', { authorization: 'Bearer other' })).toMatchObject({ state: 'MISS' })
  })

  it('is told by the application who asks', async () => {
    class Claims extends CacheResponseIdentity {
      override async userOf(request: TestRequest) {
        return request.headers['x-claim']
      }
    }
    const Route = routeOf((request) => ({ for: request.headers['x-claim'] }), { vary: ['user'] })
    const get = await serve(Route, { providers: [{ provide: CacheResponseIdentity, useClass: Claims }] })
    await get('/it', { 'x-claim': 'ann' })
    expect(await get('/it', { 'x-claim': 'ann' })).toMatchObject({ state: 'HIT' })
    expect(await get('/it', { 'x-claim': 'bob' })).toMatchObject({ state: 'MISS', body: { for: 'bob' } })
    expect(await get('/it', { 'x-user': 'ann' })).toMatchObject({ state: 'BYPASS' })
  })

  it("takes the tenant of the turn first, and puts it where a tenant's scope looks", async () => {
    const cache = memoryCache()
    const Route = routeOf((_, calls) => ({ calls }), {
      vary: ['tenant'],
      tags: (request: TestRequest) => [request.url],
    })
    const get = await serve(Route, {
      cache,
      tenancy: { required: true },
      before: (request, _response, next) => runAsTenant(request.headers['x-turn']!, next),
    })
    const stored = vi.spyOn(cache, 'getOrSet')
    await get('/it', { 'x-turn': 't1' })
    expect(await get('/it', { 'x-turn': 't1' })).toMatchObject({ state: 'HIT' })
    expect(await get('/it', { 'x-turn': 't2' })).toMatchObject({ state: 'MISS' })
    expect(stored.mock.calls[0]![0]).toMatch(/^response:t1:Route\.it:[\w-]{43}$/)
    await cache.invalidateByTag('/it')
    expect(await get('/it', { 'x-turn': 't1' })).toMatchObject({ state: 'MISS' })
  })

  it('runs inside an interceptor that says whose turn it is, as the handler does', async () => {
    const turns: NestInterceptor = {
      intercept: (context, next) => {
        const { tenantId } = context.switchToHttp().getRequest<{ tenantId: string }>()
        return new Observable((subscriber) => runAsTenant(tenantId, () => next.handle().subscribe(subscriber)))
      },
    }
    const Route = routeOf(() => ({ turn: currentTenant() }))
    const get = await serve(Route, { tenancy: { required: true }, outside: [turns] })
    for (const state of ['MISS', 'HIT']) {
      for (const turn of ['t1', 't2']) {
        expect(await get('/it', { 'x-tenant': turn })).toMatchObject({ state, body: { turn } })
      }
    }
  })

  it('keeps to what the cache demands of tenants: a turn, or a first segment that is for all', async () => {
    const before: Setup['before'] = (request, _response, next) => {
      const turn = request.headers['x-turn']
      if (turn === undefined) next()
      else runAsTenant(turn, next)
    }
    const served = async (tenancy: TenancyOptions) => {
      const cache = new RedisCacheService(new MemoryCacheStore(new MemoryHub()), { jitter: 0, tenancy })
      return serve(
        routeOf((_, calls) => ({ calls })),
        { cache, tenancy, before },
      )
    }
    const strict = await served({ required: true })
    app!.useLogger(false)
    expect(await strict('/it')).toMatchObject({ status: 500 })
    await strict('/it', { 'x-turn': 't1' })
    expect(await strict('/it', { 'x-turn': 't1' })).toMatchObject({ state: 'HIT' })
    await app!.close()
    const open = await served({ required: true, global: ['response'] })
    await open('/it')
    expect(await open('/it')).toMatchObject({ state: 'HIT' })
    expect(await open('/it', { 'x-turn': 't1' })).toMatchObject({ state: 'MISS' })
  })

  it('lets a request with a body pass', async () => {
    const get = await serve(routeOf((_, calls) => ({ calls })))
    const { port, hostname } = new URL(await app!.getUrl())
    const withBody = () =>
      new Promise<string | undefined>((resolve, reject) => {
        const headers = { 'content-type': 'application/json', 'content-length': '2' }
        const sending = request({ port, hostname, path: '/it', headers }, (response) => {
          response.resume().on('end', () => resolve(response.headers['x-cache'] as string | undefined))
        })
        sending.on('error', reject).end('{}')
      })
    expect(await withBody()).toBe('BYPASS')
    expect(await get('/it')).toMatchObject({ state: 'MISS' })
    expect(await withBody()).toBe('BYPASS')
  })

  it('runs one handler for all who ask at once', async () => {
    let open!: () => void
    const opened = new Promise<void>((resolve) => (open = resolve))
    let seen = 0
    const Route = routeOf(async (_, calls) => (await opened, { calls }))
    const get = await serve(Route, {
      before: (_request, _response, next) => (++seen === 8 && setImmediate(open), next()),
    })
    const answers = await Promise.all(Array.from({ length: 8 }, () => get('/it')))
    expect(answers.map(({ body }) => body)).toEqual(Array(8).fill({ calls: 1 }))
    expect(answers.filter(({ state }) => state === 'MISS')).toHaveLength(1)
  })

  it('gives nobody else an answer that is for one alone, not even those who asked at once', async () => {
    let open!: () => void
    const opened = new Promise<void>((resolve) => (open = resolve))
    let seen = 0
    @Controller()
    class Route {
      calls = 0
      @Get('it')
      @CacheResponse()
      async it(@Res({ passthrough: true }) response: { header(name: string, value: string): void }): Promise<object> {
        const calls = ++this.calls
        await opened
        response.header('Set-Cookie', `session=${calls}`)
        return { calls }
      }
    }
    const get = await serve(Route, {
      before: (_request, _response, next) => (++seen === 4 && setImmediate(open), next()),
    })
    const answers = await Promise.all(Array.from({ length: 4 }, () => get('/it')))
    expect(new Set(answers.map(({ body }) => (body as { calls: number }).calls)).size).toBe(4)
    expect(answers.every(({ state }) => state === 'BYPASS')).toBe(true)
    for (const { body, headers } of answers) {
      expect(headers.get('set-cookie')).toBe(`session=${(body as { calls: number }).calls}`)
    }
  })

  it.each<[string, MethodDecorator]>([
    ['another status than 200', HttpCode(202)],
    ['Cache-Control: no-store', Header('Cache-Control', 'max-age=0, no-store')],
    ['Cache-Control: private', Header('Cache-Control', 'Private, max-age=60')],
    ['Cache-Control: no-cache="x"', Header('Cache-Control', 'no-cache="x"')],
    ['a cookie', Header('Set-Cookie', 'a=b')],
  ])('does not store an answer with %s', async (_, decorate) => {
    const Route = routeOf((_request, calls) => ({ calls }))
    decorate(Route.prototype, 'it', Object.getOwnPropertyDescriptor(Route.prototype, 'it')!)
    const get = await serve(Route)
    for (const calls of [1, 2]) expect(await get('/it')).toMatchObject({ state: 'BYPASS', body: { calls } })
  })

  it('does not store an answer that varies by a header which the route does not name', async () => {
    @Controller()
    class Route {
      calls = 0
      @Get('it')
      @CacheResponse({ vary: ['accept'] })
      it(@Res({ passthrough: true }) response: { header(name: string, value: string): void }): object {
        response.header('Vary', this.calls === 0 ? 'Accept' : 'Accept, X-Region')
        return { calls: ++this.calls }
      }
    }
    const get = await serve(Route)
    await get('/it')
    expect(await get('/it')).toMatchObject({ state: 'HIT' })
    for (const calls of [2, 3])
      expect(await get('/it', { accept: 'text/x' })).toMatchObject({ state: 'BYPASS', body: { calls } })
  })

  it('does not store an error', async () => {
    const Route = routeOf((_, calls) => {
      if (calls < 3) throw new NotFoundException(`call ${calls}`)
      return { calls }
    })
    const get = await serve(Route)
    expect(await get('/it')).toMatchObject({ status: 404, body: { message: 'call 1' } })
    expect(await get('/it')).toMatchObject({ status: 404, body: { message: 'call 2' } })
    expect(await get('/it')).toMatchObject({ status: 200, state: 'MISS' })
    expect(await get('/it')).toMatchObject({ status: 200, state: 'HIT' })
  })

  it('never serves a response past its TTL: no handler could run behind it to load the next one', async () => {
    const clock = new FakeClock()
    const hub = new MemoryHub({ clock })
    const cache = new RedisCacheService(new MemoryCacheStore(hub), { jitter: 0, grace: '1h' }, { clock })
    const get = await serve(
      routeOf((_, calls) => ({ calls }), { ttl: 10 }),
      { cache },
    )
    await get('/it')
    await clock.advance(9_000)
    expect(await get('/it')).toMatchObject({ state: 'HIT', body: { calls: 1 } })
    await clock.advance(2_000)
    expect(await get('/it')).toMatchObject({ state: 'MISS', body: { calls: 2 } })
  })

  it('brings back the headers that the handler set, and none of those that belong to a request', async () => {
    let requests = 0
    @Controller()
    class Route {
      @Get('it')
      @Header('X-Fixed', 'always')
      @CacheResponse()
      it(@Res({ passthrough: true }) response: { header(name: string, value: string): void }): string {
        response.header('Content-Type', 'text/csv; charset=utf-8')
        response.header('X-Rows', '2')
        return 'a,b\n1,2'
      }
    }
    const get = await serve(Route, {
      before: (_request, response, next) => (response.setHeader('X-Request-Id', String(++requests)), next()),
    })
    const answers = [await get('/it'), await get('/it')]
    expect(answers.map(({ state }) => state)).toEqual(['MISS', 'HIT'])
    for (const [at, { body, headers }] of answers.entries()) {
      expect(body).toBe('a,b\n1,2')
      expect(['content-type', 'x-rows', 'x-fixed', 'x-request-id'].map((name) => headers.get(name))).toEqual([
        expect.stringMatching(/^text\/csv/),
        '2',
        'always',
        String(at + 1),
      ])
    }
  })

  it.each<[string, unknown]>([
    ['a text', 'text'],
    ['an empty text', ''],
    ['a number', 42],
    ['false', false],
    ['null', null],
    ['undefined', undefined],
    ['a list', [1, 2]],
    ['an Observable of one value', of({ from: 'rx' })],
    ['an Observable of several', of(1, 2, { last: true }).pipe(delay(1))],
  ])('gives %s the same way from the cache', async (_, value) => {
    const get = await serve(routeOf(() => value))
    const [miss, hit] = [await get('/it'), await get('/it')]
    expect([miss.state, hit.state]).toEqual(['MISS', 'HIT'])
    expect([hit.status, hit.body, hit.headers.get('content-type')]).toEqual([
      miss.status,
      miss.body,
      miss.headers.get('content-type'),
    ])
  })

  it('lets a stream and a file pass', async () => {
    const get = await serve(routeOf((_, calls) => new StreamableFile(Readable.from([Buffer.from(`call ${calls}`)]))))
    expect(await get('/it')).toMatchObject({ state: 'BYPASS', body: 'call 1' })
    expect(await get('/it')).toMatchObject({ state: 'BYPASS', body: 'call 2' })
  })

  it('lets a route pass that answers by itself, a redirect, and what is not GET', async () => {
    @Controller()
    class Route {
      calls = 0
      @Get('own')
      @CacheResponse()
      own(@Res() response: { send(body: object): void }): void {
        setImmediate(() => response.send({ calls: ++this.calls }))
      }
      @Get('redirect')
      @Redirect('/own')
      @CacheResponse()
      redirect(): void {}

      @Post('post')
      @CacheResponse()
      post(): object {
        return { calls: ++this.calls }
      }
    }
    const get = await serve(Route)
    expect(await get('/own')).toMatchObject({ state: 'BYPASS', body: { calls: 1 } })
    expect(await get('/own')).toMatchObject({ state: 'BYPASS', body: { calls: 2 } })
    for (let i = 0; i < 2; i++) expect(await get('/redirect')).toMatchObject({ state: 'BYPASS', status: 302 })
    expect(await get('/post', {}, 'POST')).toMatchObject({ state: null, body: { calls: 3 } })
    expect(await get('/post', {}, 'POST')).toMatchObject({ state: null, body: { calls: 4 } })
  })

  it('answers HEAD with what GET has stored, and stores nothing for it', async () => {
    const Route = routeOf((_, calls) => ({ calls }))
    const get = await serve(Route)
    expect(await get('/it', {}, 'HEAD')).toMatchObject({ state: 'MISS', body: '' })
    const miss = await get('/it')
    expect(miss).toMatchObject({ state: 'MISS', body: { calls: 2 } })
    const head = await get('/it', {}, 'HEAD')
    expect(head).toMatchObject({ state: 'HIT', body: '', status: 200 })
    expect(head.headers.get('content-length')).toBe(miss.headers.get('content-length'))
    expect(Route.calls).toBe(2)
  })

  class Customer {
    constructor(
      readonly name: string,
      readonly internal: string,
    ) {}
  }

  it('stores the instances of a class as the JSON that is sent of them', async () => {
    const get = await serve(routeOf((_, calls) => [new Customer('Ann', `${calls}`)]))
    const [miss, hit] = [await get('/it'), await get('/it')]
    expect([miss.state, hit.state]).toEqual(['MISS', 'HIT'])
    expect(hit.body).toEqual(miss.body)
  })

  it('does not store instances that an interceptor further out turns into something else', async () => {
    // As ClassSerializerInterceptor: what is no instance passes as it is, with all its fields.
    const serializer: NestInterceptor = {
      intercept: (_context, next) =>
        next.handle().pipe(map((value) => (value instanceof Customer ? { name: value.name } : (value as object)))),
    }
    const get = await serve(
      routeOf((_, calls) => new Customer(`Ann ${calls}`, 'secret')),
      { outside: [serializer] },
    )
    for (const calls of [1, 2]) expect((await get('/it')).body).toEqual({ name: `Ann ${calls}` })
    const together = await Promise.all([get('/it'), get('/it'), get('/it')])
    for (const { body } of together) expect(body).toEqual({ name: expect.stringMatching(/^Ann \d$/) })
  })

  it('lets interceptors further out see a hit as they see any answer', async () => {
    const envelope: NestInterceptor = {
      intercept: (_context, next) => next.handle().pipe(map((data: unknown) => ({ data }))),
    }
    const get = await serve(
      routeOf((_, calls) => ({ calls })),
      { outside: [envelope] },
    )
    expect(await get('/it')).toMatchObject({ state: 'MISS', body: { data: { calls: 1 } } })
    expect(await get('/it')).toMatchObject({ state: 'HIT', body: { data: { calls: 1 } } })
  })

  it('may stand on a controller, also beside the global one', async () => {
    @Controller('all')
    @UseInterceptors(CacheResponseInterceptor)
    @CacheResponse({ ttl: 60 })
    class All {
      calls = 0
      @Get('one')
      one(): object {
        return { calls: ++this.calls }
      }
      @Get('two')
      @CacheResponse({ vary: ['user'] })
      two(): object {
        return { calls: ++this.calls }
      }
    }
    const cache = memoryCache()
    const looked = vi.spyOn(cache, 'getOrSet')
    const get = await serve(All, { cache })
    await get('/all/one')
    expect(looked).toHaveBeenCalledTimes(1)
    expect(await get('/all/one')).toMatchObject({ state: 'HIT', body: { calls: 1 } })
    expect(await get('/all/two')).toMatchObject({ state: 'BYPASS' })
  })

  it('says nothing of a route that is not marked', async () => {
    @Controller()
    class Route {
      @Get('it')
      it(): string {
        return 'plain'
      }
    }
    expect(await (await serve(Route))('/it')).toMatchObject({ state: null, body: 'plain' })
  })
})

describe('CacheResponseInterceptor', () => {
  it('runs the handler when Redis is away', async () => {
    const cache = memoryCache()
    vi.spyOn(cache, 'getOrSet').mockImplementation(async (key, load) =>
      load({ key, setTtl: () => undefined, addTags: () => undefined, skip: () => undefined } as never),
    )
    const value = await through({ cache })
    expect(value).toEqual({ body: { calls: 1 }, state: 'MISS' })
  })

  it('does not hide what the cache refuses', async () => {
    const cache = memoryCache()
    vi.spyOn(cache, 'getOrSet').mockRejectedValue(new TypeError('a bug'))
    expect((await through({ cache })).body).toMatchObject({ statusCode: 500 })
  })

  it('runs the handler where the application has no cache', async () => {
    vi.spyOn((await import('@nestjs/common')).Logger.prototype, 'warn').mockReturnValue(undefined)
    expect(await through({ cache: null })).toEqual({ body: { calls: 1 }, state: 'BYPASS' })
  })

  it('does not run a handler behind a response that was given from the cache', async () => {
    const cache = memoryCache()
    let refreshed: unknown
    // A hit that is about to expire: the cache answers it, and loads anew at the same time.
    vi.spyOn(cache, 'getOrSet').mockImplementation(async (key, load) => {
      const context = { key, setTtl: () => undefined, addTags: () => undefined, skip: vi.fn() }
      refreshed = Promise.resolve(load(context as never)).then(() => context.skip.mock.calls.length)
      return { headers: {}, body: { calls: 'stored' } } as never
    })
    expect(await through({ cache })).toEqual({ body: { calls: 'stored' }, state: 'HIT' })
    expect(await refreshed).toBe(1)
  })

  async function through({ cache }: { cache: RedisCacheService | null }) {
    @Controller()
    class Route {
      calls = 0
      @Get('it')
      @UseInterceptors(CacheResponseInterceptor)
      @CacheResponse()
      it(): object {
        return { calls: ++this.calls }
      }
    }
    app = (await appWith([], { controllers: [Route], cache }).compile()).createNestApplication({ logger: false })
    await app.listen(0, '127.0.0.1')
    const response = await fetch(`${await app.getUrl()}/it`)
    return { body: (await response.json()) as unknown, state: response.headers.get('x-cache') }
  }

  it('lets pass what is not HTTP', async () => {
    const interceptor = new CacheResponseInterceptor(null as never)
    const answer = of('message')
    const context = { getType: () => 'rpc' } as ExecutionContext
    expect(await interceptor.intercept(context, { handle: () => answer })).toBe(answer)
  })
})

describe('@CacheResponse', () => {
  it.each<[string, object, unknown]>([
    ['a TTL of 0', { ttl: 0 }, InvalidDurationError],
    ['a vary that is no list', { vary: 'user' }, ConfigurationError],
    ['a header that can be none', { vary: ['accept language'] }, ConfigurationError],
    ['`Vary: *`', { vary: ['*'] }, ConfigurationError],
    ['tags that are no texts', { tags: [1] }, ConfigurationError],
    ['an option that does not exist', { key: 'a' }, ConfigurationError],
  ])('refuses %s at decoration', (_, options, error) => {
    expect(() => CacheResponse(options)).toThrow(error as typeof ConfigurationError)
  })

  it('names the connection that its class needs, so that it is open before the application serves', () => {
    class Named {
      @CacheResponse({ connection: 'reports' })
      list(): void {}
    }
    CacheResponse({ connection: 'all' })(Named)
    const needed = ['reports', 'all'].map((name) => getVextrusToken(RedisCacheService, name))
    expect([...needsOf(Named.prototype)]).toEqual(needed)
  })

  it('accepts undefined for every option', () => {
    const unset: Record<keyof CacheResponseOptions, undefined> = {
      ttl: undefined,
      vary: undefined,
      tags: undefined,
      anyUser: undefined,
      connection: undefined,
    }
    expect(() => CacheResponse(unset)).not.toThrow()
  })

  it('refuses to stand on a property or a static method', () => {
    expect(() => CacheResponse()({}, 'x', { value: 1 })).toThrow(ConfigurationError)
    expect(() => CacheResponse()(class {}, 'x', { value: () => 1 })).toThrow(ConfigurationError)
  })
})
