import {
  Controller,
  type DynamicModule,
  Inject,
  Injectable,
  Logger,
  type OnApplicationShutdown,
  Scope,
} from '@nestjs/common'
import { REQUEST } from '@nestjs/core'
import { Test } from '@nestjs/testing'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { Cacheable } from '../../cache/nest/cacheable.decorator.js'
import { currentTenant, runAsTenant } from '../../cache/tenancy.js'
import { ConfigurationError, InvalidKeyError } from '../../kernel/errors.js'
import { MemoryHub } from '../../kernel/memory-hub.js'
import { RedisCacheModule } from '../../module/redis-cache.module.js'
import { getVextrusToken } from '../../nest/tokens.js'
import { FakeClock } from '../../testing/fake-clock.js'
import { RedisCacheTestingModule } from '../../testing/redis-cache-testing.module.js'
import { settle } from '../../testing/settle.js'
import { PubSubUnavailableError } from '../errors.js'
import type { MessageMeta, SubscribeOptions } from '../public-types.js'
import { RedisPubSubService } from '../pubsub.js'
import { MessageHandlers } from './message-handlers.js'
import { OnMessage, type OnMessageOptions } from './on-message.decorator.js'

type Metadata = NonNullable<Parameters<typeof Test.createTestingModule>[0]>

const apps: { close(): Promise<void> }[] = []

async function boot(metadata: Metadata, module: DynamicModule = RedisCacheTestingModule.forRoot()) {
  const app = await Test.createTestingModule({ ...metadata, imports: [module, ...(metadata.imports ?? [])] }).compile()
  apps.push(app)
  await app.init()
  const messages = app.get(RedisPubSubService)
  const publish = async (channel: string, message: unknown, durable = false): Promise<void> => {
    await messages.publish(channel, message, { durable })
    await settle()
  }
  return { app, messages, publish }
}

/** What a class has heard. */
class Heard {
  readonly heard: unknown[] = []
}

@Injectable()
class Orders extends Heard {
  @OnMessage('orders:*')
  changed(event: unknown, { channel, pattern }: MessageMeta): void {
    this.heard.push([event, channel, pattern])
  }
}

/** A store that is away for the first `times` calls, or for good. */
function awayFor(times: number) {
  let calls = 0
  const original = RedisPubSubService.prototype.subscribe
  return vi.spyOn(RedisPubSubService.prototype, 'subscribe').mockImplementation(async function (
    this: RedisPubSubService,
    ...args: Parameters<typeof original>
  ) {
    if (++calls <= times) throw new PubSubUnavailableError('the server is away', { unsent: true })
    return original.apply(this, args)
  } as typeof original)
}

afterEach(async () => {
  for (const app of apps.splice(0)) await app.close()
  vi.restoreAllMocks()
})

describe('@OnMessage', () => {
  it('calls the method with each message and what is told beside it, on the instance of Nest', async () => {
    const { app, publish } = await boot({ providers: [Orders] })
    await publish('orders:t1', { id: 1 })
    await publish('invoices:t1', { id: 2 })
    await publish('orders:t2', { id: 3 })
    expect(app.get(Orders).heard).toEqual([
      [{ id: 1 }, 'orders:t1', 'orders:*'],
      [{ id: 3 }, 'orders:t2', 'orders:*'],
    ])
  })

  it('works on controllers, on what a factory or useValue provides, and under other decorators', async () => {
    @Controller()
    class Listening extends Heard {
      @Cacheable({ ttl: 60, keyGenerator: () => 'x' })
      @OnMessage('a')
      async hear(message: unknown): Promise<void> {
        this.heard.push(message)
      }
    }
    const value = new Orders()
    const { app, publish } = await boot({
      controllers: [Listening],
      providers: [
        { provide: 'MADE', useFactory: async () => new Orders() },
        { provide: 'VALUE', useValue: value },
        { provide: 'ALIAS', useExisting: 'VALUE' },
      ],
    })
    await publish('a', 1)
    await publish('orders:t1', 2)
    expect(app.get(Listening).heard).toEqual([1])
    expect(app.get<Orders>('MADE').heard).toHaveLength(1)
    // Once, although it stands under two tokens.
    expect(value.heard).toHaveLength(1)
  })

  it('stands on one method several times, and is inherited unless the method is overridden', async () => {
    @Injectable()
    class Both extends Heard {
      @OnMessage('a')
      @OnMessage('b')
      hear(message: unknown): void {
        this.heard.push(message)
      }
    }
    @Injectable()
    class Heir extends Both {}
    @Injectable()
    class Silent extends Both {
      override hear(message: unknown): void {
        this.heard.push(`silent ${String(message)}`)
      }
    }
    @Injectable()
    class Other extends Both {
      @OnMessage('c')
      override hear(message: unknown): void {
        super.hear(message)
      }
    }
    const { app, publish } = await boot({ providers: [Both, Heir, Silent, Other] })
    for (const channel of ['a', 'b', 'c']) await publish(channel, channel)
    const heard = [Both, Heir, Silent, Other].map((type) => app.get(type).heard)
    expect(heard).toEqual([['a', 'b'], ['a', 'b'], [], ['c']])
  })

  it('takes what `subscribe` takes: a group works on durable messages together', async () => {
    const group: OnMessageOptions = { group: 'mailer', from: 'start' }
    @Injectable()
    class Mailer extends Heard {
      @OnMessage('invoices', group)
      send(message: unknown, { id, deliveries }: MessageMeta): void {
        this.heard.push([message, typeof id, deliveries])
      }
    }
    const hub = new MemoryHub()
    const module = () => RedisCacheModule.forRoot({ driver: 'memory', memory: hub })
    vi.spyOn(Logger.prototype, 'warn').mockReturnValue(undefined)
    const before = await boot({}, module())
    await before.publish('invoices', 1, true)
    const [one, two] = [await boot({ providers: [Mailer] }, module()), await boot({ providers: [Mailer] }, module())]
    await before.publish('invoices', 2, true)
    await vi.waitFor(() => expect(heardBy(one, two)).toHaveLength(2), { timeout: 15_000 })
    const both = [[1, 'string', 1], [2, 'string', 1]] // prettier-ignore
    expect(heardBy(one, two)).toEqual(expect.arrayContaining(both))

    function heardBy(...of: Awaited<ReturnType<typeof boot>>[]): unknown[] {
      return of.flatMap(({ app }) => app.get(Mailer).heard)
    }
  })

  it('tells a method what was missed, with the instance as `this`', async () => {
    let told: unknown
    @Injectable()
    class Watching {
      readonly name = 'watching'
      @OnMessage('a', {
        onMissed(this: Watching, reason) {
          told = [this.name, reason]
        },
      } as OnMessageOptions)
      hear(): void {}
    }
    const subscribe = vi.spyOn(RedisPubSubService.prototype, 'subscribe')
    await boot({ providers: [Watching] })
    const { onMissed } = subscribe.mock.calls[0]![2] as SubscribeOptions
    await onMissed!('connection')
    expect(told).toEqual(['watching', 'connection'])
  })

  it('runs as no tenant, whoever publishes', async () => {
    @Injectable()
    class Who extends Heard {
      @OnMessage('a')
      hear(): void {
        this.heard.push(currentTenant())
      }
    }
    const { app, publish } = await boot({ providers: [Who] })
    await runAsTenant('t1', () => publish('a', 1))
    expect(app.get(Who).heard).toEqual([undefined])
  })

  it('listens on the connection that it names, each application to its own', async () => {
    @Injectable()
    class Reports extends Heard {
      @OnMessage('a', { connection: 'reports' })
      hear(message: unknown): void {
        this.heard.push(message)
      }
    }
    const metadata = { imports: [RedisCacheTestingModule.forRoot({ name: 'reports' })], providers: [Reports] }
    const [one, two] = [await boot(metadata), await boot(metadata)]
    await one.publish('a', 'default')
    await one.app.get<RedisPubSubService>(getVextrusToken(RedisPubSubService, 'reports')).publish('a', 'reports')
    await settle()
    expect([one, two].map(({ app }) => app.get(Reports).heard)).toEqual([['reports'], []])
  })

  it('goes to what a test has put in the place of the messages, if that listens', async () => {
    const unsubscribe = vi.fn(async () => undefined)
    const subscribe = vi.fn(async () => ({ unsubscribe }))
    for (const messages of [{ subscribe }, { publish: () => undefined }]) {
      const app = await Test.createTestingModule({ imports: [RedisCacheTestingModule.forRoot()], providers: [Orders] })
        .overrideProvider(RedisPubSubService)
        .useValue(messages)
        .compile()
      await app.init()
      await app.close()
    }
    expect(subscribe).toHaveBeenCalledExactlyOnceWith('orders:*', expect.any(Function), expect.anything())
    expect(unsubscribe).toHaveBeenCalledTimes(1)
  })
})

describe('@OnMessage at boot', () => {
  it('is tried again while the store is away, which delays nobody and is said once', async () => {
    const warn = vi.spyOn(Logger.prototype, 'warn').mockReturnValue(undefined)
    const subscribe = awayFor(3)
    const clock = new FakeClock()
    const { app, publish } = await boot({ providers: [Orders] }, RedisCacheTestingModule.forRoot({ clock }))
    await publish('orders:t1', 'unheard')
    for (let i = 0; i < 3; i++) await clock.advance(2_000)
    expect(subscribe).toHaveBeenCalledTimes(4)
    await publish('orders:t1', 'heard')
    expect(app.get(Orders).heard).toEqual([['heard', 'orders:t1', 'orders:*']])
    expect(warn.mock.calls).toEqual([
      [expect.stringMatching(/^@OnMessage Orders\.changed hears nothing yet, and is tried again: the server is away/)],
    ])
  })

  it('is tried no more once the application is closed', async () => {
    vi.spyOn(Logger.prototype, 'warn').mockReturnValue(undefined)
    const subscribe = awayFor(Infinity)
    const clock = new FakeClock()
    const { app } = await boot({ providers: [Orders] }, RedisCacheTestingModule.forRoot({ clock }))
    await app.close()
    await clock.advance(60_000)
    expect(subscribe).toHaveBeenCalledTimes(1)
  })

  it('refuses a class that has no one instance, by name', async () => {
    @Injectable({ scope: Scope.REQUEST })
    class PerRequest extends Orders {}
    @Injectable({ scope: Scope.TRANSIENT })
    class Transient extends Orders {}
    @Injectable()
    class Bubbled extends Orders {
      constructor(@Inject(REQUEST) readonly request: unknown) {
        super()
      }
    }
    for (const type of [PerRequest, Transient, Bubbled]) {
      const booting = boot({ providers: [type] })
      await expect(booting).rejects.toThrow(ConfigurationError)
      await expect(booting).rejects.toThrow(new RegExp(`^@OnMessage ${type.name}\\.changed: .*default scope`))
    }
  })

  it('refuses a connection that there is not, and options that contradict each other, by name', async () => {
    @Injectable()
    class Lost {
      @OnMessage('a', { connection: 'report' })
      hear(): void {}
    }
    @Injectable()
    class Contradicting {
      @OnMessage('a:*', { from: 'start' })
      hear(): void {}
    }
    await expect(boot({ providers: [Lost] })).rejects.toThrow(
      /^@OnMessage Lost\.hear\.connection: .*forRoot\(\{ name: 'report' \}\)/,
    )
    await expect(boot({ providers: [Contradicting] })).rejects.toThrow(
      /^@OnMessage Contradicting\.hear: from: .*pattern/,
    )
  })
})

describe('@OnMessage at shutdown', () => {
  it('lets the call under way end before any class shuts down, and begins no other', async () => {
    let go!: () => void
    const gate = new Promise<void>((resolve) => (go = resolve))
    const { onModuleDestroy } = MessageHandlers.prototype
    vi.spyOn(MessageHandlers.prototype, 'onModuleDestroy').mockImplementation(async function (this: MessageHandlers) {
      const stopped = onModuleDestroy.call(this)
      go()
      await stopped
    })
    const seen: string[] = []

    @Injectable()
    class Slow implements OnApplicationShutdown {
      @OnMessage('a')
      async hear(message: string): Promise<void> {
        seen.push(`begun ${message}`)
        await gate
        seen.push(`ended ${message}`)
      }
      onApplicationShutdown(): void {
        seen.push('shutdown')
      }
    }
    vi.spyOn(Logger.prototype, 'warn').mockReturnValue(undefined)
    const { app, publish } = await boot({ providers: [Slow] }, RedisCacheModule.forRoot({ driver: 'memory' }))
    await publish('a', 'one')
    await publish('a', 'two')
    await app.close()
    await settle()
    expect(seen).toEqual(['begun one', 'ended one', 'shutdown'])
  })

  it('waits for no call that does not end', async () => {
    @Injectable()
    class Stuck extends Heard {
      @OnMessage('a')
      hear(message: unknown): Promise<void> {
        this.heard.push(message)
        return new Promise(() => undefined)
      }
    }
    // On a clock that nobody moves on, shutdown gives no time at all.
    const { app, publish } = await boot(
      { providers: [Stuck] },
      RedisCacheTestingModule.forRoot({ clock: new FakeClock() }),
    )
    await publish('a', 1)
    await app.close()
    expect(app.get(Stuck).heard).toEqual([1])
  })
})

describe('@OnMessage at decoration', () => {
  const decorate = (options: unknown, channel = 'a') => OnMessage(channel, options as OnMessageOptions)

  it.each([
    ['from', { from: 5 }],
    ['group', { group: '' }],
    ['consumer', { consumer: null }],
    ['concurrency', { concurrency: 0 }],
    ['maxQueued', { maxQueued: 1.5 }],
    ['onMissed', { onMissed: true }],
    ['connection', { connection: '' }],
    ['durable', { durable: true }],
  ])('refuses by name: %s', (option, options) => {
    expect(() => decorate(options)).toThrow(ConfigurationError)
    expect(() => decorate(options)).toThrow(`@OnMessage.${option}: `)
  })

  it('refuses what is no channel, and what is no method of an instance', () => {
    expect(() => decorate({}, '')).toThrow(InvalidKeyError)
    class Static {
      static hear(): void {}
    }
    const descriptor = Object.getOwnPropertyDescriptor(Static, 'hear')!
    expect(() => decorate({})(Static, 'hear', descriptor)).toThrow(/^@OnMessage Static\.hear: is static/)
    expect(() => decorate({})(Static.prototype, 'other', undefined as never)).toThrow(/is no method/)
  })
})
