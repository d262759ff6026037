import { once } from 'node:events'
import { createRequire } from 'node:module'
import type { AddressInfo, Server } from 'node:net'
import {
  type CanActivate,
  Controller,
  type ExecutionContext,
  Get,
  type INestApplication,
  type INestMicroservice,
  Logger,
  type Provider,
  SetMetadata,
  type Type,
  UseGuards,
} from '@nestjs/common'
import { APP_GUARD } from '@nestjs/core'
import { ExecutionContextHost } from '@nestjs/core/helpers/execution-context-host.js'
import { type ClientProxy, ClientProxyFactory, MessagePattern, Transport } from '@nestjs/microservices'
import { WsAdapter } from '@nestjs/platform-ws'
import { Test, type TestingModule } from '@nestjs/testing'
import { SubscribeMessage, WebSocketGateway } from '@nestjs/websockets'
import { firstValueFrom } from 'rxjs'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { type HandStore, JwtWorld } from '../../../test/support/jwt-world.js'
import { httpApp, PLATFORMS } from '../../../test/support/limited-app.js'
import { JwtBlacklistService, type JwtClaims } from '../jwt-blacklist.js'
import type { JwtBlacklistOptions } from '../options.js'
import { type JwtGuardOptions, JwtGuardSettings } from './guard-options.js'
import { JwtBlacklistGuard } from './jwt-blacklist.guard.js'
import { JwtRefusedException } from './jwt-refused.exception.js'

let world: JwtWorld
let blacklist: JwtBlacklistService
let store: HandStore
let app: INestApplication | INestMicroservice | undefined
const closing: (() => unknown)[] = []
beforeEach(() => {
  world = new JwtWorld()
  ;({ blacklist, store } = world.process())
})
afterEach(async () => {
  for (const close of closing.splice(0)) close()
  await app?.close()
  app = undefined
})

const Public = (): MethodDecorator & ClassDecorator => SetMetadata('isPublic', true)
const claims: JwtClaims = { jti: 'a', sub: 'ann', iat: 1 }

/** Stands for the guard that verifies: its “token” is the claims as base64url. */
const verifying: CanActivate = {
  canActivate(context: ExecutionContext): boolean {
    const [request] = context.getArgs<{ headers?: { authorization?: string }; user?: unknown }[]>()
    const [, token] = request?.headers?.authorization?.split(' ') ?? []
    if (token !== undefined) request!.user = JSON.parse(Buffer.from(token, 'base64url').toString())
    return true
  },
}
const tokenOf = (of: object): string => Buffer.from(JSON.stringify(of)).toString('base64url')

function moduleOf(
  parts: { controllers?: Type[]; providers?: Provider[] },
  options?: JwtGuardOptions,
  isGlobal = true,
): Promise<TestingModule> {
  const settings = { provide: JwtGuardSettings, useValue: new JwtGuardSettings(options) }
  return Test.createTestingModule({
    controllers: parts.controllers ?? [],
    providers: [
      { provide: JwtBlacklistService, useValue: blacklist },
      ...(options === undefined ? [] : [settings]),
      ...(isGlobal
        ? [
            { provide: APP_GUARD, useValue: verifying },
            { provide: APP_GUARD, useClass: JwtBlacklistGuard },
          ]
        : []),
      ...(parts.providers ?? []),
    ],
  }).compile()
}

describe.each(PLATFORMS)('JwtBlacklistGuard on %s', (platform) => {
  @Controller()
  class Orders {
    @Get('orders')
    list(): string[] {
      return ['order']
    }
    @Get('login')
    @Public()
    login(): string {
      return 'login'
    }
  }

  async function serve(
    options?: JwtGuardOptions,
    controllers: Type[] = [Orders],
    isGlobal = true,
  ): Promise<(path: string, authorization?: string) => Promise<{ status: number; headers: Headers; body: unknown }>> {
    const module = await moduleOf({ controllers }, options, isGlobal)
    app = httpApp(module, platform)
    await app.listen(0, '127.0.0.1')
    const url = await app.getUrl()
    return async (path, authorization) => {
      const response = await fetch(url + path, { headers: authorization === undefined ? {} : { authorization } })
      const text = await response.text()
      const isJson = /json/.test(response.headers.get('content-type') ?? '')
      return { status: response.status, headers: response.headers, body: isJson ? (JSON.parse(text) as unknown) : text }
    }
  }

  it('refuses a token from the moment it is revoked, by `jti`, as a whole, and of a user', async () => {
    const get = await serve()
    const ask = async (of: object): Promise<number> => (await get('/orders', `Bearer ${tokenOf(of)}`)).status
    expect(await ask(claims)).toBe(200)
    await blacklist.revoke({ jti: 'a' })
    expect(await ask(claims)).toBe(401)
    const whole = { ...claims, jti: 'b' }
    expect(await ask(whole)).toBe(200)
    await blacklist.revokeToken(tokenOf(whole))
    expect([await ask(whole), await ask({ ...whole, jti: 'c' })]).toEqual([401, 200])
    await blacklist.revokeAllForUser('ann')
    expect([await ask({ ...whole, jti: 'c' }), await ask({ ...whole, jti: 'c', iat: world.now + 1 })]).toEqual([
      401, 200,
    ])
  })

  it('tells a client why', async () => {
    const get = await serve()
    await blacklist.revoke({ jti: 'a' })
    const refused = await get('/orders', `Bearer ${tokenOf(claims)}`)
    expect(refused.body).toEqual({
      ...{ type: 'about:blank', title: 'Unauthorized', status: 401, code: 'TOKEN_REFUSED' },
      detail: 'This token is not accepted any more. Log in again.',
    })
    expect(refused.headers.get('content-type')).toBe('application/problem+json; charset=utf-8')
    expect(refused.headers.get('cache-control')).toBe('no-store')
    expect(refused.headers.get('www-authenticate')).toBe(
      'Bearer error="invalid_token", error_description="This token is not accepted any more. Log in again."',
    )
    const missing = await get('/orders')
    expect(missing).toMatchObject({ status: 401, body: { code: 'TOKEN_REQUIRED', detail: 'Log in.' } })
    expect(missing.headers.get('www-authenticate')).toBe('Bearer')
  })

  it('answers 503 and when to come again while nobody knows, and never lets pass', async () => {
    const get = await serve({ isPublic: 'isPublic' })
    store.away = true
    for (const path of ['/orders', '/login']) {
      const undecided = await get(path, `Bearer ${tokenOf(claims)}`)
      expect(undecided).toMatchObject({ status: 503, body: { code: 'JWT_UNAVAILABLE', title: 'Service Unavailable' } })
      expect(undecided.headers.get('retry-after')).toBe('5')
      expect(undecided.headers.get('www-authenticate')).toBeNull()
    }
    expect((await get('/login')).status).toBe(200)
    store.away = false
    expect((await get('/orders', `Bearer ${tokenOf(claims)}`)).status).toBe(200)
  })

  it.each([
    ['deny', 401],
    ['allow', 200],
  ] as const)('answers by `onUnavailable`: %s is %i', async (onUnavailable, status) => {
    ;({ blacklist, store } = world.process({ onUnavailable } satisfies JwtBlacklistOptions))
    const get = await serve()
    store.away = true
    expect((await get('/orders', `Bearer ${tokenOf(claims)}`)).status).toBe(status)
    expect((await get('/orders')).status).toBe(401)
  })

  it.each<[string, JwtGuardOptions['isPublic']]>([
    ['by the name of metadata', 'isPublic'],
    ['by a function', (context: ExecutionContext) => context.getHandler().name === 'login'],
  ])('lets pass without a token what is public %s, and looks at one that is there', async (_, isPublic) => {
    const get = await serve({ isPublic })
    expect([(await get('/login')).status, (await get('/orders')).status]).toEqual([200, 401])
    expect((await get('/login', `Bearer ${tokenOf(claims)}`)).status).toBe(200)
    await blacklist.revoke({ jti: 'a' })
    expect((await get('/login', `Bearer ${tokenOf(claims)}`)).status).toBe(401)
  })

  it('knows a class that is public, and a method of it that is not', async () => {
    const PUBLIC = Symbol('public')
    @Controller('open')
    @SetMetadata(PUBLIC, true)
    class Open {
      @Get('all')
      all(): string {
        return 'all'
      }
      @Get('some')
      @SetMetadata(PUBLIC, false)
      some(): string {
        return 'some'
      }
    }
    const get = await serve({ isPublic: PUBLIC }, [Open])
    expect([(await get('/open/all')).status, (await get('/open/some')).status]).toEqual([200, 401])
  })

  it('stands on a class or a method too, behind the guard that verifies', async () => {
    @Controller('guarded')
    @UseGuards(verifying, JwtBlacklistGuard)
    class Guarded {
      @Get()
      get(): string {
        return 'in'
      }
    }
    const get = await serve(undefined, [Guarded], false)
    expect((await get('/guarded', `Bearer ${tokenOf(claims)}`)).status).toBe(200)
    await blacklist.revoke({ jti: 'a' })
    expect((await get('/guarded', `Bearer ${tokenOf(claims)}`)).status).toBe(401)
  })

  it('takes the claims and the token from where it is told', async () => {
    // As a passport strategy that answers a user of its own leaves it.
    const claimsOf = async (context: ExecutionContext): Promise<JwtClaims | null> => {
      const { headers } = context.switchToHttp().getRequest<{ headers: Record<string, string> }>()
      return headers['x-jti'] === undefined ? null : { jti: headers['x-jti'] }
    }
    const tokens: unknown[] = []
    const module = await moduleOf(
      { controllers: [Orders] },
      { claimsOf, tokenOf: (context) => (tokens.push(context.getType()), null) },
    )
    app = httpApp(module, platform)
    await app.listen(0, '127.0.0.1')
    const url = `${await app.getUrl()}/orders`
    const ask = async (headers: Record<string, string>): Promise<number> => (await fetch(url, { headers })).status
    await blacklist.revokeToken(tokenOf({ userId: 1 }))
    const authorization = `Bearer ${tokenOf({ userId: 1 })}`
    expect([await ask({ authorization }), await ask({ authorization, 'x-jti': 'a' })]).toEqual([401, 200])
    await blacklist.revoke({ jti: 'a' })
    expect(await ask({ 'x-jti': 'a' })).toBe(401)
    expect(tokens).toEqual(['http', 'http'])
  })

  it('refuses a user that no revocation can reach, whatever token comes along, and says so once', async () => {
    const warn = vi.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined)
    closing.push(() => warn.mockRestore())
    const get = await serve({ isPublic: 'isPublic' })
    for (const user of [{ userId: 1, name: 'ann' }, {}, ['sub'], 'ann', 5, { jti: null, sub: '' }, { sub: {} }]) {
      expect((await get('/orders', `Bearer ${tokenOf(user as object)}`)).status, JSON.stringify(user)).toBe(401)
    }
    expect((await get('/login', `Bearer ${tokenOf({ userId: 1 })}`)).status).toBe(401)
    expect(warn.mock.calls.filter(([message]) => String(message).includes('jwt.claimsOf'))).toHaveLength(1)
    expect(store.reads).toHaveLength(0)
  })
})

describe('JwtBlacklistGuard in a web socket gateway', () => {
  @WebSocketGateway()
  class Gateway {
    handleConnection(client: { user?: unknown }): void {
      client.user = claims
    }
    @SubscribeMessage('ask')
    ask(): object {
      return { event: 'answer', data: 'done' }
    }
  }

  it('looks at each message, and tells the client of a refusal', async () => {
    const module = await moduleOf({ providers: [Gateway] })
    app = httpApp(module, 'Express')
    app.useWebSocketAdapter(new WsAdapter(app))
    await app.listen(0, '127.0.0.1')
    const address = (app as INestApplication).getHttpServer().address() as AddressInfo
    const socket = new WebSocket(`ws://127.0.0.1:${address.port}`)
    closing.push(() => socket.terminate())
    await once(socket, 'open')
    const ask = async (): Promise<unknown> => {
      socket.send(JSON.stringify({ event: 'ask', data: {} }))
      const [message] = (await once(socket, 'message')) as [Buffer]
      return JSON.parse(message.toString())
    }
    const refused = (code: string, message: string, rest = {}): object => ({
      event: 'exception',
      data: { status: 'error', code, message, ...rest },
    })
    expect(await ask()).toEqual({ event: 'answer', data: 'done' })
    store.away = true
    store.changes.reset()
    expect(await ask()).toEqual(
      refused(
        'JWT_UNAVAILABLE',
        'Whether this token is still accepted can not be said at the moment. Try again later.',
        {
          retryAfter: 5,
        },
      ),
    )
    store.away = false
    await blacklist.revoke({ jti: 'a' })
    expect(await ask()).toEqual(refused('TOKEN_REFUSED', 'This token is not accepted any more. Log in again.'))
  })
})

describe('JwtBlacklistGuard in a microservice', () => {
  @Controller()
  class Messages {
    @MessagePattern('one')
    one(): string {
      return 'one'
    }
  }

  async function connect(options?: JwtGuardOptions): Promise<(message: object) => Promise<unknown>> {
    const module = await moduleOf({ controllers: [Messages] }, options, false)
    const transport = { transport: Transport.TCP as const, options: { host: '127.0.0.1', port: 0 } }
    const service = module.createNestMicroservice(transport)
    app = service
    service.useGlobalGuards(new JwtBlacklistGuard(blacklist, options && new JwtGuardSettings(options)))
    await service.listen()
    const { port } = service.unwrap<Server>().address() as AddressInfo
    const client: ClientProxy = ClientProxyFactory.create({ ...transport, options: { ...transport.options, port } })
    closing.push(() => client.close())
    return (message) =>
      firstValueFrom(client.send('one', message)).catch((error: unknown) => ({
        refused: (error as { code: string }).code,
      }))
  }

  it('believes no message by itself', async () => {
    const send = await connect()
    expect(await send({ user: claims })).toEqual({ refused: 'TOKEN_REQUIRED' })
  })

  it('takes the claims from where it is told', async () => {
    const send = await connect({
      claimsOf: (context) => context.switchToRpc().getData<{ claims?: JwtClaims }>().claims,
    })
    expect([await send({ claims }), await send({})]).toEqual(['one', { refused: 'TOKEN_REQUIRED' }])
    await blacklist.revoke({ jti: 'a' })
    expect(await send({ claims })).toEqual({ refused: 'TOKEN_REFUSED' })
  })
})

describe('JwtBlacklistGuard in any context', () => {
  class Somewhere {
    handle(): void {}
  }

  async function ask(type: string, args: unknown[]): Promise<unknown> {
    const context = new ExecutionContextHost(args, Somewhere, Somewhere.prototype.handle)
    context.setType(type)
    try {
      return await new JwtBlacklistGuard(blacklist).canActivate(context)
    } catch (error) {
      const refusal = (error as Error).cause ?? error
      expect(refusal).toBeInstanceOf(JwtRefusedException)
      return (refusal as JwtRefusedException).code
    }
  }
  const authorization = `bearer  ${tokenOf(claims)}`

  it.each<[string, string, (request: object) => unknown[]]>([
    ['GraphQL, with Apollo', 'graphql', (req) => [{}, {}, { req }, {}]],
    ['GraphQL, of a subscription', 'graphql', (request) => [{}, {}, { request }, {}]],
    ['GraphQL, with Mercurius', 'graphql', (request) => [{}, {}, { reply: { request } }, {}]],
    ['GraphQL, of the context itself', 'graphql', (context) => [{}, {}, context, {}]],
    ['GraphQL, of a reference', 'graphql', (req) => [{}, { req }, {}]],
    ['HTTP', 'http', (request) => [request, {}]],
    ['socket.io', 'ws', (request) => [{ data: request, handshake: request, emit: () => true }]],
    ['a socket', 'ws', (request) => [request]],
  ])('finds claims and token in %s', async (_, type, argsOf) => {
    const user = { jti: `of ${type}`, sub: 'ann' }
    expect(await ask(type, argsOf({ user, headers: { authorization } }))).toBe(true)
    await blacklist.revokeToken(tokenOf(claims))
    expect(await ask(type, argsOf({ user, headers: { authorization } }))).toBe('TOKEN_REFUSED')
    for (const other of ['Basic YTpi', `Bearer ${tokenOf(claims)}x`, 'Bearer', 'Bearer a b', undefined, 5]) {
      expect(await ask(type, argsOf({ user, headers: { authorization: other } })), String(other)).toBe(true)
    }
    await blacklist.revoke({ jti: user.jti })
    expect(await ask(type, argsOf({ user }))).toBe('TOKEN_REFUSED')
  })

  it('tells GraphQL in the extensions of the error', async () => {
    const told = async (user?: object): Promise<unknown> => {
      const context = new ExecutionContextHost([{}, {}, { req: { user } }, {}], Somewhere, Somewhere.prototype.handle)
      context.setType('graphql')
      const error: unknown = await new JwtBlacklistGuard(blacklist).canActivate(context).catch((each: unknown) => each)
      return { message: (error as Error).message, extensions: (error as JwtRefusedException).extensions }
    }
    expect(await told()).toEqual({ message: 'Log in.', extensions: { code: 'TOKEN_REQUIRED' } })
    store.away = true
    expect(await told(claims)).toMatchObject({ extensions: { code: 'JWT_UNAVAILABLE', retryAfter: 5 } })
  })

  it('does not fall over one that has nothing, and lets nobody pass', async () => {
    for (const type of ['http', 'graphql', 'ws', 'rpc', 'telegram']) {
      for (const args of [
        [],
        [null],
        [{}],
        [null, null, null],
        [{}, {}, { req: null }, {}],
        [{ user: null, data: null, headers: null }],
      ]) {
        expect(await ask(type, args), type).toBe('TOKEN_REQUIRED')
      }
    }
  })
})

/** Of the package ws, which has no types of its own. */
const WebSocket = createRequire(import.meta.url)('ws') as new (url: string) => NodeJS.EventEmitter & {
  send(text: string): void
  terminate(): void
}
