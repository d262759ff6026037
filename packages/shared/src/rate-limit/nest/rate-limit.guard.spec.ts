import {
  type CanActivate,
  Controller,
  Delete,
  type ExecutionContext,
  Get,
  type INestApplication,
  Inject,
  Injectable,
  Logger,
  Res,
  Scope,
  type Type,
  UseGuards,
} from '@nestjs/common'
import { APP_FILTER, APP_GUARD, REQUEST } from '@nestjs/core'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { type HttpAnswer, httpGet } from '../../../test/support/http-get.js'
import { httpApp, limitedModule, type LimitedOptions, PLATFORMS } from '../../../test/support/limited-app.js'
import { Cacheable } from '../../cache/nest/cacheable.decorator.js'
import { VextrusExceptionFilter } from '../../nest/vextrus-exception.filter.js'
import { rateLimitRefused } from '../events.js'
import type { RateLimitIds } from '../public-types.js'
import { RateLimit, SkipRateLimit } from './rate-limit.decorator.js'
import { RateLimitGuard } from './rate-limit.guard.js'

type Headers = Readonly<Record<string, string>>
interface TestRequest {
  query: Record<string, string | undefined>
  headers: Record<string, string | undefined>
  user?: unknown
  tenantId?: unknown
}

/** As a guard would, from headers: who asks. */
@Injectable()
class Identify implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const request = context.switchToHttp().getRequest<TestRequest>()
    const { 'x-user': user, 'x-sub': sub, 'x-tenant': tenant } = request.headers
    if (user !== undefined) request.user = { id: user }
    if (sub !== undefined) request.user = { sub, tenant }
    else if (tenant !== undefined) request.tenantId = tenant
    return true
  }
}

const identified = { provide: APP_GUARD, useClass: Identify }
const once = { limit: 1, window: '1h' } as const

@Controller()
class Limited {
  @Get('it')
  @RateLimit({ limit: 2, window: '1m', algorithm: 'fixed-window', name: 'few' })
  it(): object {
    return { done: true }
  }
}

let app: INestApplication | undefined
afterEach(async () => {
  vi.restoreAllMocks()
  await app?.close()
  app = undefined
})

describe.each(PLATFORMS)('RateLimitGuard on %s', (platform) => {
  async function serve(controllers: Type | Type[], options: LimitedOptions & { trusted?: string } = {}) {
    const { module, ...world } = await limitedModule({
      ...options,
      controllers: [controllers].flat(),
      providers: [identified, ...(options.providers ?? [])],
    })
    app = httpApp(module, platform, options.trusted)
    await app.listen(0, '127.0.0.1')
    const url = await app.getUrl()
    const get = (path: string, headers?: Headers): Promise<HttpAnswer> => httpGet(url + path, headers)
    const statuses = async (...paths: string[]): Promise<number[]> => {
      const answers: number[] = []
      for (const path of paths) answers.push((await get(path)).status)
      return answers
    }
    return { ...world, get, statuses, url }
  }

  it('lets a limit pass and tells what is left of it', async () => {
    const { get, clock } = await serve(Limited)
    const first = await get('/it')
    expect([first.status, first.body]).toEqual([200, '{"done":true}'])
    expect(first.headers['ratelimit-policy']).toBe('"few";q=2;w=60')
    expect(first.headers['ratelimit']).toBe('"few";r=1;t=60')
    expect(first.headers['retry-after']).toBeUndefined()
    await clock.advance('15s')
    expect((await get('/it')).headers['ratelimit']).toBe('"few";r=0;t=45')
  })

  it('answers what is beyond it with 429 as problem+json and one Retry-After, until the time is over', async () => {
    const { get, clock } = await serve(Limited)
    await get('/it')
    await get('/it')
    await clock.advance(1_500)
    const { status, headers, body } = await get('/it')
    expect(status).toBe(429)
    expect(headers['content-type']).toBe('application/problem+json; charset=utf-8')
    expect(headers['cache-control']).toBe('no-store')
    expect(headers['retry-after']).toBe('59')
    expect([headers['ratelimit-policy'], headers['ratelimit']]).toEqual(['"few";q=2;w=60', '"few";r=0;t=59'])
    expect(JSON.parse(body)).toEqual({
      type: 'https://iana.org/assignments/http-problem-types#quota-exceeded',
      title: 'Request cannot be satisfied as assigned quota has been exceeded',
      status: 429,
      detail: 'Too many requests. Try again later.',
      'violated-policies': ['few'],
    })
    await clock.advance('58.499s')
    expect((await get('/it')).status).toBe(429)
    await clock.advance(1)
    expect((await get('/it')).status).toBe(200)
  })

  it('tells all rules on what passes, and on a refusal the longest time and what refuses', async () => {
    @Controller()
    class Several {
      @Get('it')
      @RateLimit({ limit: 2, window: 500, name: 'shortly', algorithm: 'fixed-window' })
      @RateLimit({ limit: 2, window: '10s', name: 'long "one" \\ é', algorithm: 'fixed-window' })
      @RateLimit({ limit: 50, window: '1d', name: 'tenant', by: 'tenant', algorithm: 'fixed-window' })
      it(): string {
        return 'done'
      }
    }
    const { get } = await serve(Several)
    const passed = await get('/it')
    const encoded = '"long%20%22one%22%20%5C%20%C3%A9"'
    expect(passed.headers['ratelimit-policy']).toBe(`"shortly";q=2;w=1, ${encoded};q=2;w=10, "tenant";q=50;w=86400`)
    expect(passed.headers['ratelimit']).toBe(`"shortly";r=1;t=1, ${encoded};r=1;t=10, "tenant";r=49;t=86400`)
    await get('/it')
    const refused = await get('/it')
    expect(refused.headers['retry-after']).toBe('10')
    expect(refused.headers['ratelimit']).toBe(`"shortly";r=0;t=1, ${encoded};r=0;t=10`)
    expect(JSON.parse(refused.body)).toMatchObject({
      'violated-policies': ['shortly', 'long%20%22one%22%20%5C%20%C3%A9'],
    })
  })

  it('says a Retry-After of at least a second', async () => {
    @Controller()
    class Short {
      @Get('it')
      @RateLimit({ limit: 1, window: 100 })
      it(): string {
        return 'done'
      }
    }
    const { get } = await serve(Short)
    await get('/it')
    expect((await get('/it')).headers['retry-after']).toBe('1')
  })

  it('is told by none of its headers to be silent but the Retry-After, with `headers: false`', async () => {
    const { get } = await serve(Limited, { guard: { headers: false, errorMessage: 'Slow down.' } })
    const passed = await get('/it')
    await get('/it')
    const refused = await get('/it')
    for (const { headers } of [passed, refused]) {
      expect([headers['ratelimit'], headers['ratelimit-policy']]).toEqual([undefined, undefined])
    }
    expect([refused.status, refused.headers['retry-after']]).toEqual([429, '60'])
    expect(JSON.parse(refused.body)).toMatchObject({ detail: 'Slow down.' })
  })

  it('answers the same where the exception filter of the toolkit stands', async () => {
    const { get, statuses } = await serve(Limited, {
      providers: [{ provide: APP_FILTER, useClass: VextrusExceptionFilter }],
    })
    expect(await statuses('/it', '/it', '/it')).toEqual([200, 200, 429])
    const { headers } = await get('/it')
    expect(headers['content-type']).toBe('application/problem+json; charset=utf-8')
  })

  it('counts each user, and who is nobody by address', async () => {
    const { get } = await serve(Limited, { guard: { rules: [{ ...once, name: 'own' }] } })
    const who: Headers[] = [{ 'x-user': 'ann' }, { 'x-sub': 'bob' }, { 'x-user': '' }, {}]
    const statuses = async (): Promise<number[]> => {
      const answers: number[] = []
      for (const headers of who) answers.push((await get('/it', headers)).status)
      return answers
    }
    expect(await statuses()).toEqual([200, 200, 200, 429])
    expect(await statuses()).toEqual([429, 429, 429, 429])
  })

  it('counts a user of each tenant apart, and a tenant as one', async () => {
    const { get } = await serve(Limited, { guard: { rules: [once, { limit: 2, window: '1h', by: 'tenant' }] } })
    const ask = async (user: string, tenant: string): Promise<number> =>
      (await get('/it', { 'x-sub': user, 'x-tenant': tenant })).status
    expect([await ask('ann', 't1'), await ask('ann', 't2'), await ask('ann', 't1')]).toEqual([200, 200, 429])
    expect([await ask('bob', 't1'), await ask('eve', 't1'), await ask('eve', 't2')]).toEqual([200, 429, 200])
  })

  it('takes the tenant whose turn it is before that of the request', async () => {
    let turn: string | undefined = 't1'
    const { get } = await serve(Limited, { guard: { rules: [once] }, currentTenant: () => turn })
    const ask = async (): Promise<number> => (await get('/it', { 'x-user': 'ann', 'x-tenant': 't2' })).status
    expect([await ask(), await ask()]).toEqual([200, 429])
    turn = undefined
    expect([await ask(), await ask()]).toEqual([200, 429])
  })

  it('believes X-Forwarded-For of nobody, until the platform is told whom to trust', async () => {
    const from = (address: string): Headers => ({ 'x-forwarded-for': address })
    const untold = await serve(Limited, { guard: { rules: [once] } })
    expect((await untold.get('/it', from('203.0.113.1'))).status).toBe(200)
    expect((await untold.get('/it', from('203.0.113.2'))).status).toBe(429)
    await app!.close()

    const { get } = await serve(Limited, { guard: { rules: [once] }, trusted: 'loopback' })
    const ask = async (address: string): Promise<number> => (await get('/it', from(address))).status
    expect([await ask('203.0.113.1'), await ask('203.0.113.2'), await ask('203.0.113.1')]).toEqual([200, 200, 429])
    // A client says what it likes; the trusted proxy adds from where that came.
    expect(await ask('198.51.100.7, 203.0.113.2')).toBe(429)
    expect([await ask('2001:db8::1'), await ask('2001:db8::ffff:0:2'), await ask('2001:db8:0:1::1')]).toEqual([
      ...[200, 429, 200],
    ])
    expect([await ask('::ffff:203.0.113.9'), await ask('203.0.113.9')]).toEqual([200, 429])
  })

  it('counts IPv6 by as many bits as it is told', async () => {
    const { get } = await serve(Limited, { guard: { rules: [once], ipv6Prefix: 48 }, trusted: 'loopback' })
    const ask = async (address: string): Promise<number> => (await get('/it', { 'x-forwarded-for': address })).status
    expect([await ask('2001:db8::1'), await ask('2001:db8:0:1::1'), await ask('2001:db8:1::1')]).toEqual([
      200, 429, 200,
    ])
  })

  it('asks for an identity of the application, over its own', async () => {
    const identity = vi.fn(async (context: ExecutionContext) => {
      const { headers } = context.switchToHttp().getRequest<TestRequest>()
      return { apiKey: headers['x-key'], ...(headers['x-ip'] && { ip: headers['x-ip'] }) }
    })
    @Controller()
    class Keyed {
      @Get('it')
      @RateLimit({ ...once, by: 'apiKey' })
      it(): string {
        return 'done'
      }
    }
    const { get } = await serve(Keyed, { guard: { identity } })
    const ask = async (headers: Headers): Promise<number> => (await get('/it', headers)).status
    expect([await ask({ 'x-key': 'a' }), await ask({ 'x-key': 'b' }), await ask({ 'x-key': 'a' })]).toEqual([
      ...[200, 200, 429],
    ])
    // Without a key by address, in the form in which addresses are counted.
    expect([await ask({}), await ask({})]).toEqual([200, 429])
    expect([await ask({ 'x-ip': '2001:db8::1' }), await ask({ 'x-ip': '2001:db8::2' })]).toEqual([200, 429])
  })

  it('takes an id that is null, or no text, for nobody', async () => {
    // All of them one address.
    const answers: unknown[] = [{ user: null }, { user: {} }, { user: Number.NaN }, { user: null, ip: null }]
    const { statuses } = await serve(Limited, { guard: { rules: [once], identity: () => answers.shift() as never } })
    expect(await statuses('/it', '/it', '/it', '/it')).toEqual([200, 429, 429, 429])
  })

  it('surfaces what an identity throws, and spends nothing', async () => {
    let fails = true
    const identity = (): RateLimitIds => {
      if (fails) throw new Error('no directory')
      return {}
    }
    const { statuses } = await serve(Limited, { guard: { rules: [once], identity } })
    expect(await statuses('/it')).toEqual([500])
    fails = false
    expect(await statuses('/it', '/it')).toEqual([200, 429])
  })

  it('counts by what a function makes of the request, and where it makes nothing by address', async () => {
    @Controller()
    class Keyed {
      @Get('it')
      @RateLimit({ ...once, by: (context) => context.switchToHttp().getRequest<TestRequest>().query['key'] })
      it(): string {
        return 'done'
      }
    }
    const { statuses } = await serve(Keyed)
    expect(await statuses('/it?key=a', '/it?key=a', '/it?key=b')).toEqual([200, 429, 200])
    expect(await statuses('/it', '/it?key=')).toEqual([200, 429])
    // A key that reads like that of an address is another client than who has the address, and than the one whose key reads like that again.
    const lookalikes = ['127.0.0.1', 'ip:127.0.0.1', '\0ip:127.0.0.1', '\0\0ip:127.0.0.1']
    for (const key of lookalikes) {
      expect(await statuses(`/it?key=${encodeURIComponent(key)}`)).toEqual([200])
    }
  })

  it('counts once where it is global, on the class and on the method', async () => {
    @Controller()
    @UseGuards(RateLimitGuard)
    class Everywhere {
      @Get('it')
      @UseGuards(RateLimitGuard, RateLimitGuard)
      @RateLimit({ limit: 2, window: '1h' })
      it(): string {
        return 'done'
      }
    }
    const { statuses, store } = await serve(Everywhere)
    expect(await statuses('/it', '/it', '/it')).toEqual([200, 200, 429])
    expect(store.demands).toHaveLength(3)
  })

  it('spends rules of every route, of the class and of the method together, in one demand', async () => {
    @Controller()
    @RateLimit({ limit: 20, window: '1h' })
    class Orders {
      @Get('a')
      @RateLimit({ limit: 3, window: '1h' })
      @RateLimit({ limit: 4, window: '1h' })
      a(): string {
        return 'done'
      }
      @Get('b')
      b(): string {
        return 'done'
      }
    }
    const { get, store, statuses } = await serve(Orders, { guard: { rules: [{ limit: 30, window: '1h' }] } })
    expect((await get('/a')).headers['ratelimit-policy']).toBe(
      '"all-routes";q=30;w=3600, "Orders";q=20;w=3600, "Orders.a";q=3;w=3600, "Orders.a#2";q=4;w=3600',
    )
    expect((await get('/b')).headers['ratelimit']).toMatch(/^"all-routes";r=28;t=\d+, "Orders";r=18;t=\d+$/)
    expect(await statuses('/a', '/a', '/a')).toEqual([200, 200, 429])
    // What one rule refuses is not spent in the others.
    expect((await get('/b')).headers['ratelimit']).toMatch(/^"all-routes";r=25;t=\d+, "Orders";r=15;t=\d+$/)
    expect(store.demands.map((demand) => demand.length)).toEqual([4, 2, 4, 4, 4, 2])
  })

  it('counts a base class’ rules for each class that extends it, and leaves out what is skipped', async () => {
    @RateLimit(once)
    abstract class Base {
      @Get('list')
      list(): string {
        return 'done'
      }
      @Get('own')
      @RateLimit(once)
      own(): string {
        return 'done'
      }
      @Get('free')
      @SkipRateLimit()
      free(): string {
        return 'done'
      }
    }
    @Controller('a')
    class Apples extends Base {}
    @Controller('b')
    class Berries extends Base {}
    @Controller('c')
    @SkipRateLimit()
    class Cherries extends Base {}
    const { statuses } = await serve([Apples, Berries, Cherries])
    expect(await statuses('/a/list', '/a/list', '/a/own', '/b/list', '/b/list')).toEqual([200, 429, 429, 200, 429])
    expect(await statuses('/a/free', '/a/free', '/c/list', '/c/list')).toEqual([200, 200, 200, 200])
    // Alone, without the rule of the class.
    expect(await statuses('/c/own', '/c/own')).toEqual([200, 429])
  })

  it('skips what the application says, without a word', async () => {
    const skip = (context: ExecutionContext): boolean =>
      context.switchToHttp().getRequest<TestRequest>().headers['x-probe'] === 'yes'
    const { get, store } = await serve(Limited, { guard: { rules: [once], skip } })
    for (let i = 0; i < 3; i++) {
      const { status, headers } = await get('/it', { 'x-probe': 'yes' })
      expect([status, headers['ratelimit']]).toEqual([200, undefined])
    }
    expect(store.demands).toEqual([])
    expect([(await get('/it')).status, (await get('/it')).status]).toEqual([200, 429])
  })

  it('keeps routes of request scope, and those that other decorators have wrapped', async () => {
    @Controller({ scope: Scope.REQUEST })
    class Scoped {
      constructor(@Inject(REQUEST) readonly request: TestRequest) {}

      @Get('scoped')
      @RateLimit(once)
      scoped(): string {
        return String(this.request.headers['x-user'])
      }
      @Get('wrapped')
      @Cacheable({ keyGenerator: () => 'x' })
      @RateLimit(once)
      async wrapped(): Promise<string> {
        return 'done'
      }
    }
    const { get } = await serve(Scoped)
    const ask = async (path: string, user: string): Promise<unknown[]> => {
      const { status, headers } = await get(path, { 'x-user': user })
      return [status, headers['ratelimit-policy']]
    }
    for (const name of ['scoped', 'wrapped']) {
      const policy = `"Scoped.${name}";q=1;w=3600`
      expect(await ask(`/${name}`, 'ann')).toEqual([200, policy])
      expect(await ask(`/${name}`, 'ann')).toEqual([429, policy])
      expect(await ask(`/${name}`, 'bob')).toEqual([200, policy])
    }
  })

  it('asks with one list of rules for all requests of a route, which is read once', async () => {
    const { get, limiter } = await serve(Limited, { guard: { rules: [once] } })
    const consume = vi.spyOn(limiter, 'consume')
    await get('/it')
    await get('/it')
    expect(consume.mock.calls[0]![0]).toBe(consume.mock.calls[1]![0])
  })

  it('limits nothing where nothing is limited', async () => {
    @Controller()
    class Free {
      @Get('it')
      it(): string {
        return 'done'
      }
    }
    const { get, store } = await serve(Free)
    expect((await get('/it')).headers).not.toHaveProperty('ratelimit-policy')
    expect(store.calls).toEqual([])
  })

  describe('in shadow mode', () => {
    it('counts and refuses nobody, says so once a rule, and tells clients nothing', async () => {
      const warn = vi.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined)
      const refused: unknown[] = []
      const stop = rateLimitRefused.subscribe(({ rules }) => refused.push(rules))
      const { get, limiter } = await serve(Limited, { guard: { shadow: true } })
      for (let i = 0; i < 4; i++) {
        const { status, headers } = await get('/it', { 'x-user': 'ann' })
        expect([status, headers['ratelimit'], headers['retry-after']]).toEqual([200, undefined, undefined])
      }
      stop()
      expect(refused).toEqual([['few'], ['few']])
      expect(warn.mock.calls).toEqual([["the limit 'few' is in shadow mode and would have refused a request"]])
      const few = { limit: 2, window: '1m', algorithm: 'fixed-window', name: 'few' } as const
      expect((await limiter.peek([few], { user: 'ann' })).allowed).toBe(false)
    })

    it('keeps the other rules, which count whatever the shadow says, and first', async () => {
      vi.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined)
      const { get, statuses, store } = await serve(Limited, {
        guard: { rules: [{ ...once, name: 'new' }], shadow: (rule) => rule === 'new' },
      })
      expect((await get('/it')).headers['ratelimit-policy']).toBe('"few";q=2;w=60')
      expect(await statuses('/it', '/it')).toEqual([200, 429])
      // What the others refuse is not a request that the shadow counts.
      expect(store.calls.filter((call) => call === 'take')).toHaveLength(5)
    })
  })

  describe('while Redis is away', () => {
    @Controller()
    class Policies {
      @Get('allow')
      @RateLimit({ ...once, onUnavailable: 'allow' })
      allow(): string {
        return 'done'
      }
      @Get('deny')
      @RateLimit({ ...once, onUnavailable: 'deny' })
      @RateLimit({ limit: 3, window: '1h' })
      deny(): string {
        return 'done'
      }
      @Get('local')
      @RateLimit(once)
      local(): string {
        return 'done'
      }
    }

    it('lets each rule decide, and is never a 500', async () => {
      const { statuses, store } = await serve(Policies, { limiter: { instances: 1 } })
      store.always = 'unsent'
      expect(await statuses('/allow', '/allow', '/local', '/local')).toEqual([200, 200, 200, 429])
      expect(await statuses('/deny', '/deny')).toEqual([503, 503])
      store.always = undefined
      expect(await statuses('/deny', '/deny')).toEqual([200, 429])
    })

    it('says 429 of what it has counted alone, whatever else is not known', async () => {
      @Controller()
      class Both {
        @Get('it')
        @RateLimit({ ...once, onUnavailable: 'deny' })
        @RateLimit({ ...once, limit: 0 })
        it(): string {
          return 'done'
        }
      }
      const { statuses, store } = await serve(Both)
      store.always = 'unsent'
      expect(await statuses('/it')).toEqual([429])
    })

    it('blames no client for what nobody has counted', async () => {
      const { get, store } = await serve(Policies)
      store.always = 'unsent'
      const { status, headers, body } = await get('/deny')
      expect([status, headers['retry-after'], headers['content-type']]).toEqual([
        ...[503, '1', 'application/problem+json; charset=utf-8'],
      ])
      expect(JSON.parse(body)).toEqual({
        type: 'https://iana.org/assignments/http-problem-types#temporary-reduced-capacity',
        title: 'Request cannot be satisfied due to temporary server capacity constraints',
        status: 503,
        detail: 'Something that this request needs is not available at the moment. Try again later.',
        'violated-policies': ['Policies.deny'],
      })
    })
  })

  it('tells a client that it knows to be over its limit what it told before, without asking', async () => {
    const { get, store, limiter, clock } = await serve(Limited)
    await limiter.consume([], {})
    await clock.settle()
    for (let i = 0; i < 3; i++) await get('/it')
    const { length } = store.demands
    const { status, headers } = await get('/it')
    expect([status, headers['ratelimit-policy'], headers['ratelimit']]).toEqual([
      ...[429, '"few";q=2;w=60', '"few";r=0;t=60'],
    ])
    expect(store.demands).toHaveLength(length)
  })

  it('tells the limit and the window of a tenant’s plan', async () => {
    const plan = () => ({ few: { limit: 1, window: '30s' } })
    const { get } = await serve(Limited, { limiter: { plan } })
    const passed = await get('/it', { 'x-tenant': 't1' })
    expect(passed.headers['ratelimit-policy']).toBe('"few";q=1;w=30')
    expect((await get('/it', { 'x-tenant': 't1' })).status).toBe(429)
  })

  it('does not fall over a response that has begun', async () => {
    @Injectable()
    class Early implements CanActivate {
      canActivate(context: ExecutionContext): boolean {
        const response = context.switchToHttp().getResponse<{ raw?: NodeReply } & NodeReply>()
        const raw = response.raw ?? response
        raw.writeHead(200)
        raw.write('half')
        return true
      }
    }
    interface NodeReply {
      writeHead(status: number): void
      write(text: string): void
      end(text: string): void
    }
    @Controller()
    class Begun {
      @Get('it')
      @RateLimit(once)
      it(@Res() response: { raw?: NodeReply } & NodeReply): void {
        ;(response.raw ?? response).end(' done')
      }
    }
    const { get } = await serve(Begun, { providers: [{ provide: APP_GUARD, useClass: Early }] })
    const answers = [await get('/it'), await get('/it')]
    expect(answers.map(({ status, body }) => [status, body])).toEqual([
      [200, 'half done'],
      [200, 'half'],
    ])
  })

  it('limits methods of every kind, with a body or none', async () => {
    @Controller()
    class Removing {
      @Delete('it')
      @RateLimit(once)
      it(): string {
        return 'done'
      }
    }
    const { url } = await serve(Removing)
    const remove = async (): Promise<number> => {
      const response = await fetch(`${url}/it`, { method: 'DELETE' })
      await response.arrayBuffer()
      return response.status
    }
    expect([await remove(), await remove()]).toEqual([200, 429])
  })
})
