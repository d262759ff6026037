import { Injectable, Logger, Module, type OnModuleDestroy } from '@nestjs/common'
import { Test } from '@nestjs/testing'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { ConfigurationError } from '../kernel/errors.js'
import { MemoryHub } from '../kernel/memory-hub.js'
import { getVextrusToken, InjectVextrus } from '../nest/tokens.js'
import { MessageTooLargeError, OnMessage, PubSubUnavailableError, RedisPubSubService } from '../pubsub/index.js'
import { settle } from '../testing/settle.js'
import type { RedisCacheModuleOptions } from './module-options.js'
import { RedisCacheModule } from './redis-cache.module.js'

const memory: RedisCacheModuleOptions = { driver: 'memory' }

type Imports = NonNullable<Parameters<typeof Test.createTestingModule>[0]['imports']>

const boot = (...imports: Imports) => Test.createTestingModule({ imports }).compile()

const at = (name: string) => getVextrusToken(RedisPubSubService, name)

/** What the service hears on the channel `a` from now on. */
async function listen(messages: RedisPubSubService): Promise<unknown[]> {
  const heard: unknown[] = []
  await messages.subscribe('a', (message) => void heard.push(message))
  return heard
}

beforeEach(() => {
  vi.spyOn(Logger.prototype, 'warn').mockReturnValue(undefined)
})
afterEach(() => {
  vi.restoreAllMocks()
})

describe('the messages of a module', () => {
  it('are injected by class, and by name where the connection has one', async () => {
    @Injectable()
    class Reports {
      constructor(
        readonly messages: RedisPubSubService,
        @InjectVextrus(RedisPubSubService, 'reports') readonly named: RedisPubSubService,
      ) {}
    }
    const imports = [RedisCacheModule.forRoot(memory), RedisCacheModule.forRoot({ ...memory, name: 'reports' })]
    const app = await Test.createTestingModule({ imports, providers: [Reports] }).compile()
    const { messages, named } = app.get(Reports)
    expect([app.get(RedisPubSubService), app.get(at('reports'))]).toEqual([messages, named])
    expect(messages).not.toBe(named)
  })

  it('reach those who share a hub and a prefix, and nobody else', async () => {
    const shared = { ...memory, memory: new MemoryHub() }
    const all = [shared, shared, { ...shared, keyPrefix: 'other:' }, memory]
    const services = await Promise.all(
      all.map(async (each) => (await boot(RedisCacheModule.forRoot(each))).get(RedisPubSubService)),
    )
    const heard = await Promise.all(services.map(listen))
    await services[0]!.publish('a', 'hello')
    await settle()
    expect(heard).toEqual([['hello'], ['hello'], [], []])
  })

  it('take their options from `pubsub`', async () => {
    const app = await boot(RedisCacheModule.forRoot({ ...memory, pubsub: { maxBytes: 100 } }))
    await expect(app.get(RedisPubSubService).publish('a', 'x'.repeat(200))).rejects.toThrow(MessageTooLargeError)
  })

  it('live where `use.pubsub` says, under its prefix', async () => {
    const shared = { ...memory, memory: new MemoryHub(), keyPrefix: 'bus:' }
    const app = await boot(
      RedisCacheModule.forRoot({ ...memory, use: { pubsub: 'bus' } }),
      RedisCacheModule.forRoot({ ...shared, name: 'bus' }),
    )
    const peer = (await boot(RedisCacheModule.forRoot(shared))).get(RedisPubSubService)
    const heard = [await listen(app.get(RedisPubSubService)), await listen(app.get(at('bus')))]
    await peer.publish('a', 1)
    await settle()
    expect(heard).toEqual([[1], [1]])
    const booting = boot(RedisCacheModule.forRoot({ ...memory, use: { pubsub: 'bus' } }))
    await expect(booting).rejects.toThrow(ConfigurationError)
    await expect(booting).rejects.toThrow(/^use\.pubsub: no RedisCacheModule\.forRoot .* named 'bus'/)
  })

  it('say so while that connection is still being made', async () => {
    let configured!: (options: RedisCacheModuleOptions) => void
    const options = new Promise<RedisCacheModuleOptions>((resolve) => (configured = resolve))
    let failed: unknown
    @Module({
      providers: [
        {
          provide: 'EARLY',
          useFactory: async (messages: RedisPubSubService) => {
            failed = await messages.subscribe('a', () => undefined).catch((error: unknown) => error)
            configured(memory)
          },
          inject: [RedisPubSubService],
        },
      ],
    })
    class EarlyModule {}
    const app = await boot(
      RedisCacheModule.forRoot({ ...memory, use: { pubsub: 'bus' } }),
      EarlyModule,
      RedisCacheModule.forRootAsync({ name: 'bus', useFactory: () => options }),
    )
    expect(failed).toBeInstanceOf(PubSubUnavailableError)
    expect((failed as Error).message).toBe(
      "messages live on the connection 'bus', which is not made yet; ask for them later",
    )
    await listen(app.get(RedisPubSubService))
  })
})

describe('the messages of an application that is closed', () => {
  it('serve every onModuleDestroy, and then end: subscriptions, streams, and who comes too late', async () => {
    const seen: unknown[] = []
    @Injectable()
    class Late implements OnModuleDestroy {
      constructor(private readonly messages: RedisPubSubService) {}
      async onModuleDestroy(): Promise<void> {
        await this.messages.publish('a', 'last words')
      }
    }
    const shared = { ...memory, memory: new MemoryHub() }
    const imports = [RedisCacheModule.forRoot(shared)]
    const app = await Test.createTestingModule({ imports, providers: [Late] }).compile()
    await app.init()
    const messages = app.get(RedisPubSubService)
    const heard = await listen(messages)
    messages.stream('a').subscribe({ complete: () => seen.push('complete') })
    const peer = (await boot(RedisCacheModule.forRoot(shared))).get(RedisPubSubService)
    await app.close()
    await peer.publish('a', 'unheard')
    await settle()
    expect([heard, seen]).toEqual([['last words'], ['complete']])
    await expect(messages.subscribe('a', () => undefined)).rejects.toThrow(PubSubUnavailableError)
  })

  it('give a handler that runs its time, and no more than that', async () => {
    const app = await boot(RedisCacheModule.forRoot(memory))
    await app.init()
    const messages = app.get(RedisPubSubService)
    let go!: () => void
    const gate = new Promise<void>((resolve) => (go = resolve))
    const seen: string[] = []
    await messages.subscribe('a', async () => {
      await gate
      seen.push('ended')
    })
    await messages.subscribe('b', () => new Promise(() => undefined))
    await Promise.all([messages.publish('a', 1), messages.publish('b', 1)])
    await settle()
    const closing = app.close()
    go()
    // The second never ends.
    await closing
    expect(seen).toEqual(['ended'])
  })
})

it('@OnMessage uses the connection it names, and those that `use` leads to', async () => {
  @Injectable()
  class Orders {
    readonly heard: unknown[] = []
    @OnMessage('a', { connection: 'orders' })
    changed(message: unknown): void {
      this.heard.push(message)
    }
  }
  const imports = [
    RedisCacheModule.forRoot({ ...memory, name: 'orders', use: { pubsub: 'bus' } }),
    RedisCacheModule.forRoot({ ...memory, name: 'bus' }),
  ]
  const app = await Test.createTestingModule({ imports, providers: [Orders] }).compile()
  await app.init()
  await app.get<RedisPubSubService>(at('bus')).publish('a', 1)
  await settle()
  expect(app.get(Orders).heard).toEqual([1])
  await app.close()
})
