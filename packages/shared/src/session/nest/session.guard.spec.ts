import { Controller, Delete, Get, type INestApplication, Post, Res, UseGuards } from '@nestjs/common'
import { APP_GUARD } from '@nestjs/core'
import { ExpressAdapter } from '@nestjs/platform-express'
import { FastifyAdapter } from '@nestjs/platform-fastify'
import { Test } from '@nestjs/testing'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { ConfigurationError } from '../../kernel/errors.js'
import { MemoryHub } from '../../kernel/memory-hub.js'
import { FakeClock } from '../../testing/fake-clock.js'
import { SessionUnavailableError } from '../errors.js'
import type { SessionOptions } from '../options.js'
import { type Session, SessionService } from '../session.js'
import type { SessionStore } from '../session-store.js'
import { MemorySessionStore } from '../stores/memory.js'
import { CurrentSession } from './current-session.decorator.js'
import { sessionOf } from './request-session.js'
import { clearSessionCookie, setSessionCookie } from './session-cookie.js'
import { type SessionGuardOptions, SessionGuardSettings } from './session-guard-settings.js'
import { SessionGuard } from './session.guard.js'

interface Cart {
  readonly items: readonly string[]
}

const OPEN = { name: 'sid', secure: false } as const

@Controller()
class Shop {
  constructor(private readonly sessions: SessionService<Cart>) {}

  @Get('open/log-in')
  async logIn(@Res({ passthrough: true }) response: object): Promise<string> {
    const session = await this.sessions.create('u1', { items: ['pen'] }, { tenantId: 't1' })
    setSessionCookie(response, session, OPEN)
    return session.id
  }

  @Get('open/greeting')
  greeting(@CurrentSession('userId') user?: string): string {
    return `hello ${user ?? 'stranger'}`
  }

  @Get('cart')
  // Twice: the session is read once.
  @UseGuards(SessionGuard)
  cart(@CurrentSession() session: Session<Cart>): object {
    return { user: session.userId, tenant: session.tenantId, items: session.data.items }
  }

  @Delete('session')
  async logOut(
    @CurrentSession() { id }: Session<Cart>,
    @Res({ passthrough: true }) response: object,
  ): Promise<boolean> {
    clearSessionCookie(response, OPEN)
    return this.sessions.destroy(id)
  }

  @Post('fail')
  fail(): never {
    throw new Error('reached')
  }
}

let app: INestApplication | undefined
afterEach(async () => {
  vi.restoreAllMocks()
  await app?.close()
  app = undefined
})

const PLATFORMS = ['Express', 'Fastify'] as const

async function serve(platform: (typeof PLATFORMS)[number], guard?: SessionGuardOptions, options?: SessionOptions) {
  const clock = new FakeClock()
  const hub = new MemoryHub({ clock })
  const store: SessionStore = new MemorySessionStore(hub, 'vextrus:')
  const sessions = new SessionService<Cart>(() => store, options, { clock })
  const isOpen: SessionGuardOptions['optional'] = (context) =>
    (context.switchToHttp().getRequest<{ url: string }>().url ?? '').startsWith('/open/')
  const settings = (): SessionGuardSettings => new SessionGuardSettings({ cookie: OPEN, optional: isOpen, ...guard })
  const module = await Test.createTestingModule({
    controllers: [Shop],
    providers: [
      { provide: SessionService, useValue: sessions },
      { provide: SessionGuardSettings, useFactory: settings },
      { provide: APP_GUARD, useClass: SessionGuard },
    ],
  }).compile()
  const adapter = platform === 'Express' ? new ExpressAdapter() : new FastifyAdapter()
  app = module.createNestApplication(adapter as never, { logger: false })
  await app.listen(0, '127.0.0.1')
  const url = await app.getUrl()
  const ask = async (path: string, headers: Record<string, string> = {}, method = 'GET') => {
    const response = await fetch(url + path, { method, headers: { ...headers, connection: 'close' } })
    return { status: response.status, headers: response.headers, body: await response.text() }
  }
  return { clock, hub, store, sessions, ask }
}

describe.each(PLATFORMS)('SessionGuard on %s', (platform) => {
  it('lets pass who has a session, and gives it to the handler', async () => {
    const { ask, store, sessions } = await serve(platform)
    const { headers, body: id } = await ask('/open/log-in')
    expect(headers.getSetCookie()).toEqual([`sid=${id}; Path=/; HttpOnly; SameSite=Lax`])
    const read = vi.spyOn(store, 'read')
    const { status, body } = await ask('/cart', { cookie: `a=b; sid=${id}` })
    expect([status, JSON.parse(body)]).toEqual([200, { user: 'u1', tenant: 't1', items: ['pen'] }])
    expect(read).toHaveBeenCalledTimes(1)
    expect((await ask('/open/greeting', { cookie: `sid=${id}` })).body).toBe('hello u1')
    const out = await ask('/session', { cookie: `sid=${id}` }, 'DELETE')
    expect(out.body).toBe('true')
    expect(out.headers.getSetCookie()).toEqual([expect.stringMatching(/^sid=; .*Max-Age=0/)])
    expect((await ask('/cart', { cookie: `sid=${id}` })).status).toBe(401)
    expect(await sessions.get(id)).toBeNull()
  })

  it('refuses who has none: 401 as a problem', async () => {
    const { ask, sessions } = await serve(platform)
    const made = await sessions.create('u1', { items: [] })
    const unknown = made.id.replace(/^./, (first) => (first === 'A' ? 'B' : 'A'))
    for (const cookie of ['', 'sid=', 'sid=x', `sid=${unknown}`, `__Host-sid=${made.id}`, `sid=${made.id}x`]) {
      const { status, headers, body } = await ask('/fail', cookie === '' ? {} : { cookie }, 'POST')
      expect([cookie, status]).toEqual([cookie, 401])
      expect(headers.get('content-type')).toContain('application/problem+json')
      expect(headers.get('cache-control')).toBe('no-store')
      expect(JSON.parse(body)).toEqual({
        ...{ type: 'about:blank', title: 'Unauthorized', status: 401, detail: 'Log in.', code: 'SESSION_REQUIRED' },
      })
    }
    // A bearer is no cookie.
    expect((await ask('/cart', { authorization: `Bearer ${made.id}` })).status).toBe(401)
    expect((await ask('/open/greeting')).body).toBe('hello stranger')
  })

  it('answers 503 while nobody can say whether there is one, and lets nobody pass', async () => {
    const { ask, store } = await serve(platform)
    const { body: id } = await ask('/open/log-in')
    vi.spyOn(store, 'read').mockRejectedValue(new SessionUnavailableError('redis.secret.host:6379 is away'))
    for (const path of ['/cart', '/open/greeting']) {
      const { status, headers, body } = await ask(path, { cookie: `sid=${id}` })
      expect([status, headers.get('retry-after')]).toEqual([503, '5'])
      expect(headers.get('content-type')).toContain('application/problem+json')
      expect(JSON.parse(body)).toMatchObject({ status: 503, code: 'SESSION_UNAVAILABLE' })
      expect(body).not.toContain('secret')
    }
    expect((await ask('/open/greeting')).body).toBe('hello stranger')
  })

  it('takes the id as a bearer alone, when it is told to', async () => {
    const { ask } = await serve(platform, { from: 'bearer' })
    const { body: id } = await ask('/open/log-in')
    expect((await ask('/cart', { authorization: `Bearer ${id}` })).status).toBe(200)
    expect((await ask('/cart', { authorization: `bearer  ${id}` })).status).toBe(200)
    const others: Record<string, string>[] = [
      { cookie: `sid=${id}` },
      { authorization: id },
      { authorization: `Basic ${id}` },
    ]
    for (const headers of others) {
      const { status, headers: told } = await ask('/cart', headers)
      expect([status, told.get('www-authenticate')]).toEqual([401, 'Bearer'])
    }
  })

  it('takes the id from a header of one’s own, when it is told to', async () => {
    const { ask } = await serve(platform, { from: { header: 'X-Session' } })
    const { body: id } = await ask('/open/log-in')
    expect((await ask('/cart', { 'x-session': id })).status).toBe(200)
    expect((await ask('/cart', { cookie: `sid=${id}` })).status).toBe(401)
  })

  it('takes a session whose key is gone for none', async () => {
    const key = (id: string) => ({ keys: [{ id, secret: Buffer.alloc(32, id) }] })
    const { ask, store, sessions } = await serve(platform, {}, { encryption: key('b') })
    const other = new SessionService<Cart>(() => store, { encryption: key('a') })
    const { id } = await other.create('u1', { items: [] })
    expect((await ask('/cart', { cookie: `sid=${id}` })).status).toBe(401)
    const { id: readable } = await sessions.create('u1', { items: [] })
    expect((await ask('/cart', { cookie: `sid=${readable}` })).status).toBe(200)
  })

  it('refuses when the idle time is over, which each request begins anew', async () => {
    const { ask, clock } = await serve(platform)
    const { body: id } = await ask('/open/log-in')
    await clock.advance('20m')
    expect((await ask('/cart', { cookie: `sid=${id}` })).status).toBe(200)
    await clock.advance('20m')
    expect((await ask('/cart', { cookie: `sid=${id}` })).status).toBe(200)
    await clock.advance('30m')
    expect((await ask('/cart', { cookie: `sid=${id}` })).status).toBe(401)
  })
})

describe('SessionGuard, where there is no request of HTTP', () => {
  function world(optional = false) {
    const store: SessionStore = new MemorySessionStore(new MemoryHub(), 'vextrus:')
    const sessions = new SessionService<Cart>(() => store)
    const guard = new SessionGuard(sessions, new SessionGuardSettings({ optional: () => optional }))
    /** Of a GraphQL query, or with what a gateway has. */
    const contextOf = (type: string, ...args: unknown[]) => ({ getType: () => type, getArgs: () => args }) as never
    return { store, sessions, guard, contextOf }
  }

  it.each([
    ['ws', { data: {} }],
    ['rpc', { data: {} }],
  ])('refuses a message by %s as its client is told errors', async (type, first) => {
    const { guard, contextOf } = world()
    const refused = await guard.canActivate(contextOf(type, first)).catch((error: unknown) => error)
    expect(refused).toMatchObject({ error: { status: 'error', code: 'SESSION_REQUIRED', message: 'Log in.' } })
  })

  it('answers a GraphQL client by `extensions`', async () => {
    const { guard, store, contextOf } = world()
    const asked = (cookie: string) =>
      guard.canActivate(contextOf('graphql', {}, {}, { req: { headers: { cookie } } }, {}))
    await expect(asked('')).rejects.toMatchObject({ extensions: { code: 'SESSION_REQUIRED' } })
    vi.spyOn(store, 'read').mockRejectedValue(new SessionUnavailableError('away'))
    const extensions = { code: 'SESSION_UNAVAILABLE', retryAfter: 5 }
    await expect(asked(`__Host-sid=${'a'.repeat(46)}`)).rejects.toMatchObject({ extensions })
  })

  it('reads the session once for the fields of a query, and sees a log-out at the next operation of a socket', async () => {
    const { guard, store, sessions, contextOf } = world()
    const { id } = await sessions.create('u1', { items: [] })
    const read = vi.spyOn(store, 'read')
    const requestOf = (more = {}) => ({ headers: { cookie: `__Host-sid=${id}`, ...more } })
    const ask = (req: object) => guard.canActivate(contextOf('graphql', {}, {}, { req }, {}))
    const query = requestOf()
    for (let i = 0; i < 3; i++) expect(await ask(query)).toBe(true)
    expect(read).toHaveBeenCalledTimes(1)
    // One for all operations of the connection.
    const socket = requestOf({ upgrade: 'websocket' })
    expect(await ask(socket)).toBe(true)
    await sessions.destroy(id)
    await expect(ask(socket)).rejects.toMatchObject({ code: 'SESSION_REQUIRED' })
  })

  it('leaves nothing of a session that has ended to an operation that is for everybody', async () => {
    const { guard, sessions, contextOf } = world(true)
    const { id } = await sessions.create('u1', { items: [] })
    const socket = { headers: { cookie: `__Host-sid=${id}`, upgrade: 'websocket' }, user: undefined }
    const context = contextOf('graphql', {}, {}, { req: socket }, {})
    await guard.canActivate(context)
    expect([socket.user, sessionOf(socket)?.userId]).toEqual([{ id: 'u1', tenantId: undefined }, 'u1'])
    await sessions.destroy(id)
    expect(await guard.canActivate(context)).toBe(true)
    expect([socket.user, sessionOf(socket)]).toEqual([undefined, undefined])
  })
})

it('the guard works by the defaults where nobody set them', async () => {
  const store = new MemorySessionStore(new MemoryHub(), 'vextrus:')
  const sessions = new SessionService<Cart>(() => store)
  const module = await Test.createTestingModule({
    controllers: [Shop],
    providers: [
      { provide: SessionService, useValue: sessions },
      { provide: APP_GUARD, useClass: SessionGuard },
    ],
  }).compile()
  app = module.createNestApplication(new ExpressAdapter() as never, { logger: false })
  await app.listen(0, '127.0.0.1')
  const { id } = await sessions.create('u1', { items: [] })
  const ask = async (cookie: string): Promise<number> => {
    const headers = { cookie, connection: 'close' }
    const response = await fetch(`${await app!.getUrl()}/cart`, { headers })
    await response.text()
    return response.status
  }
  expect([await ask(`__Host-sid=${id}`), await ask(`sid=${id}`)]).toEqual([200, 401])
})

it.each([{ from: 'query' }, { from: { header: 'a b' } }, { from: null }, { optional: true }])(
  'the guard’s options are checked: %j',
  (options) => {
    expect(() => new SessionGuardSettings(options as never)).toThrow(ConfigurationError)
  },
)
