import { once } from 'node:events'
import { createRequire } from 'node:module'
import type { AddressInfo, Server } from 'node:net'
import {
  Controller,
  type ExecutionContext,
  Get,
  type INestApplication,
  type INestMicroservice,
  Injectable,
  type Type,
} from '@nestjs/common'
import { ExternalContextCreator } from '@nestjs/core'
import { ExecutionContextHost } from '@nestjs/core/helpers/execution-context-host.js'
import { type ClientProxy, ClientProxyFactory, MessagePattern, Transport } from '@nestjs/microservices'
import { WsAdapter } from '@nestjs/platform-ws'
import { SubscribeMessage, WebSocketGateway } from '@nestjs/websockets'
import { buildSchema, graphql, type GraphQLFieldResolver } from 'graphql'
import { firstValueFrom } from 'rxjs'
import { afterEach, describe, expect, it } from 'vitest'
import { httpApp, limitedModule } from '../../../test/support/limited-app.js'
import { RateLimiterService } from '../rate-limiter.js'
import { RateLimitGuardSettings } from './guard-options.js'
import { RateLimit } from './rate-limit.decorator.js'
import { RateLimitExceededException } from './rate-limit.exception.js'
import { RateLimitGuard } from './rate-limit.guard.js'

const few = { limit: 2, window: '1m', algorithm: 'fixed-window' } as const
const told = {
  status: 'error',
  code: 'TOO_MANY_REQUESTS',
  message: 'Too many requests. Try again later.',
  retryAfter: 60,
}

let app: INestApplication | INestMicroservice | undefined
const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0)) close()
  await app?.close()
  app = undefined
})

describe('RateLimitGuard in a web socket gateway', () => {
  @WebSocketGateway()
  class Gateway {
    @SubscribeMessage('ask')
    @RateLimit(few)
    ask(): object {
      return { event: 'answer', data: 'done' }
    }
    @SubscribeMessage('free')
    free(): object {
      return { event: 'answer', data: 'free' }
    }
  }

  async function connect(): Promise<(event: string) => Promise<unknown>> {
    const address = (app as INestApplication).getHttpServer().address() as AddressInfo
    const socket = new WebSocket(`ws://127.0.0.1:${address.port}`)
    closing.push(() => socket.terminate())
    await once(socket, 'open')
    return async (event) => {
      socket.send(JSON.stringify({ event, data: {} }))
      const [message] = (await once(socket, 'message')) as [Buffer]
      return JSON.parse(message.toString())
    }
  }

  it('counts messages by the address of the connection, and tells the client of a refusal', async () => {
    const { module, clock } = await limitedModule({ providers: [Gateway] })
    app = httpApp(module, 'Express')
    app.useWebSocketAdapter(new WsAdapter(app))
    await app.listen(0, '127.0.0.1')
    const [one, other] = [await connect(), await connect()]
    const done = { event: 'answer', data: 'done' }
    expect([await one('ask'), await other('ask')]).toEqual([done, done])
    expect(await one('ask')).toEqual({ event: 'exception', data: told })
    expect(await other('free')).toEqual({ event: 'answer', data: 'free' })
    await clock.advance('1m')
    expect(await other('ask')).toEqual(done)
  })
})

describe('RateLimitGuard in a microservice', () => {
  async function connectTo(controller: Type): Promise<(pattern: string) => Promise<unknown>> {
    const { module } = await limitedModule({ controllers: [controller] })
    const options = { transport: Transport.TCP as const, options: { host: '127.0.0.1', port: 0 } }
    const service = module.createNestMicroservice(options)
    app = service
    await service.listen()
    const { port } = service.unwrap<Server>().address() as AddressInfo
    const client: ClientProxy = ClientProxyFactory.create({ ...options, options: { ...options.options, port } })
    closing.push(() => client.close())
    return (pattern) =>
      firstValueFrom(client.send(pattern, { user: 'ann' })).catch((error: unknown) => ({ refused: error }))
  }

  it('counts what nobody is known to have sent for each handler, and answers a refusal', async () => {
    @Controller()
    @RateLimit(few)
    class Messages {
      @MessagePattern('one')
      one(): string {
        return 'one'
      }
      @MessagePattern('other')
      other(): string {
        return 'other'
      }
    }
    const send = await connectTo(Messages)
    expect([await send('one'), await send('one')]).toEqual(['one', 'one'])
    expect(await send('one')).toEqual({ refused: told })
    expect(await send('other')).toBe('other')
  })
})

describe('RateLimitGuard in GraphQL', () => {
  @Injectable()
  class Orders {
    @RateLimit(few)
    orders(): string {
      return 'done'
    }
  }

  /** As the drivers of `@nestjs/graphql` make their resolvers. */
  async function serve(): Promise<(context: unknown) => Promise<unknown>> {
    const { module } = await limitedModule({ providers: [Orders] })
    app = httpApp(module, 'Express')
    await app.init()
    const creator = module.get(ExternalContextCreator, { strict: false })
    const orders = module.get(Orders)
    const resolve = creator.create(
      orders,
      orders.orders,
      'orders',
      undefined,
      undefined,
      undefined,
      undefined,
      undefined,
      'graphql',
    )
    const schema = buildSchema('type Query { orders: String! }')
    schema.getQueryType()!.getFields()['orders']!.resolve = resolve as GraphQLFieldResolver<unknown, unknown>
    return async (contextValue) => {
      const { data, errors } = await graphql({ schema, source: '{ orders }', contextValue })
      return data?.['orders'] ?? errors?.map(({ message, extensions }) => ({ message, extensions }))
    }
  }

  const refused = [
    {
      message: 'Too many requests. Try again later.',
      extensions: { code: 'TOO_MANY_REQUESTS', retryAfter: 60 },
    },
  ]

  it.each([
    ['the request of Apollo', (user: object, ip: string) => ({ req: { user, ip } })],
    [
      'the request of a subscription',
      (user: object, ip: string) => ({ request: { user, socket: { remoteAddress: ip } } }),
    ],
    ['the reply of Mercurius', (user: object, ip: string) => ({ reply: { request: { user, ip } } })],
    ['the context itself', (user: object, ip: string) => ({ user, ip })],
  ])('finds who asks in %s, and tells of a refusal in the extensions', async (_, contextOf) => {
    const ask = await serve()
    const ann = contextOf({ sub: 'ann' }, '10.0.0.1')
    expect([await ask(ann), await ask(ann), await ask(contextOf({ sub: 'bob' }, '10.0.0.1'))]).toEqual([
      'done',
      'done',
      'done',
    ])
    expect(await ask(ann)).toEqual(refused)
    const nobody = contextOf({}, '10.0.0.1')
    expect([await ask(nobody), await ask(nobody), await ask(nobody)]).toEqual(['done', 'done', refused])
    expect(await ask(contextOf({}, '10.0.0.2'))).toBe('done')
  })

  it('does not fall over a context that has nothing', async () => {
    for (const context of [undefined, null, {}, { req: null }, { req: { headers: null } }]) {
      const ask = await serve()
      expect([await ask(context), await ask(context), await ask(context)]).toEqual(['done', 'done', refused])
      await app?.close()
    }
  })
})

describe('RateLimitGuard in a context of any other kind', () => {
  class Somewhere {
    @RateLimit({ limit: 1, window: '1m', name: 'rule' })
    handle(): void {}
    @RateLimit({ limit: 1, window: '1m', name: 'rule', by: 'tenant' })
    ofTenant(): void {}
    @Get()
    free(): void {}
  }

  function contextOf(type: string, args: unknown[], method: keyof Somewhere = 'handle'): ExecutionContext {
    const context = new ExecutionContextHost(args, Somewhere, Somewhere.prototype[method])
    context.setType(type)
    return context
  }

  async function guarded() {
    const { module, store } = await limitedModule({})
    const guard = new RateLimitGuard(module.get(RateLimiterService), module.get(RateLimitGuardSettings))
    const ask = async (...of: Parameters<typeof contextOf>): Promise<boolean> => {
      try {
        return await guard.canActivate(contextOf(...of))
      } catch (error) {
        expect((error as Error).cause ?? error).toBeInstanceOf(RateLimitExceededException)
        return false
      }
    }
    return { ask, store }
  }

  it.each([
    ['the handshake of socket.io', (address: string) => ({ handshake: { address }, data: {}, emit: () => true })],
    ['the socket of ws', (remoteAddress: string) => ({ _socket: { remoteAddress } })],
    ['the request of Node', (remoteAddress: string) => ({ socket: { remoteAddress } })],
  ])('finds the address in %s', async (_, clientOf) => {
    const { ask } = await guarded()
    expect([
      await ask('ws', [clientOf('::ffff:10.0.0.1')]),
      await ask('ws', [clientOf('10.0.0.1')]),
      await ask('ws', [clientOf('10.0.0.2')]),
    ]).toEqual([true, false, true])
  })

  it('finds the user and the tenant that a gateway has put on a client', async () => {
    const { ask } = await guarded()
    const client = (data: object): unknown[] => [{ handshake: { address: '10.0.0.1' }, data }]
    expect([
      await ask('ws', client({ user: { id: 1 } })),
      await ask('ws', client({ user: { id: 2 } })),
      await ask('ws', client({ user: { userId: 2n } })),
    ]).toEqual([true, true, false])
    const tenant = (data: object): Promise<boolean> => ask('ws', client(data), 'ofTenant')
    expect([
      await tenant({ tenantId: 't1' }),
      await tenant({ user: { id: 3, tenant: 't1' } }),
      await tenant({ user: { id: 3, tenantId: 't2' } }),
    ]).toEqual([true, false, true])
  })

  it.each(['http', 'ws', 'rpc', 'graphql', 'telegram'])(
    'counts callers without an address as one for each handler, of type %s, whatever is there',
    async (type) => {
      const everything = [
        [],
        [undefined, undefined],
        [null, null, null],
        ['text', 1],
        [{ socket: null, data: null }, {}],
      ]
      for (const args of everything) {
        const { ask } = await guarded()
        expect([await ask(type, args), await ask(type, args), await ask(type, args, 'ofTenant')]).toEqual([
          ...[true, false, true],
        ])
      }
    },
  )

  it('finds who asks in a resolver of references, which has no arguments', async () => {
    const { ask } = await guarded()
    const reference = (id: number): unknown[] => [{ __typename: 'Order' }, { req: { user: { id } } }, {}]
    expect([await ask('graphql', reference(1)), await ask('graphql', reference(2))]).toEqual([true, true])
    expect(await ask('graphql', reference(1))).toBe(false)
  })

  it('believes of a request nothing that only a client of a web socket has', async () => {
    const { ask } = await guarded()
    const request = (id: number): unknown[] => [{ data: { user: { id } }, handshake: { address: `10.0.0.${id}` } }]
    expect([await ask('http', request(1)), await ask('http', request(2))]).toEqual([true, false])
  })

  it('counts a message by nothing that its sender says', async () => {
    const { ask } = await guarded()
    expect([
      await ask('rpc', [{ user: { id: 1 }, ip: '1' }]),
      await ask('rpc', [{ user: { id: 2 }, ip: '2' }]),
    ]).toEqual([...[true, false]])
  })

  it('counts each handling, and one that several guards see once', async () => {
    const { ask, store } = await guarded()
    expect([await ask('http', []), await ask('http', [])]).toEqual([true, false])
    const { module, store: other } = await limitedModule({})
    const [one, two] = [0, 1].map(
      () => new RateLimitGuard(module.get(RateLimiterService), module.get(RateLimitGuardSettings)),
    )
    const context = contextOf('http', [])
    expect([await one!.canActivate(context), await two!.canActivate(context)]).toEqual([true, true])
    expect([store.demands.length, other.demands.length]).toEqual([2, 1])
    expect(await two!.canActivate(contextOf('http', [], 'free'))).toBe(true)
  })
})

/** Of the package ws, which has no types of its own. */
const WebSocket = createRequire(import.meta.url)('ws') as new (url: string) => NodeJS.EventEmitter & {
  send(text: string): void
  terminate(): void
}
