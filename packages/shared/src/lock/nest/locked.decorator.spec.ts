import { Controller, Get, Inject, Injectable, type INestApplication, Param, Scope, SetMetadata } from '@nestjs/common'
import { ContextIdFactory, REQUEST } from '@nestjs/core'
import { Test } from '@nestjs/testing'
import { of } from 'rxjs'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { Cacheable } from '../../cache/nest/cacheable.decorator.js'
import { runAsTenant } from '../../cache/tenancy.js'
import { TenantKeyError } from '../../cache/errors.js'
import { ConfigurationError, InvalidDurationError, InvalidKeyError } from '../../kernel/errors.js'
import { MemoryHub } from '../../kernel/memory-hub.js'
import { RedisCacheModule } from '../../module/redis-cache.module.js'
import { FakeClock } from '../../testing/fake-clock.js'
import { RedisCacheTestingModule, type RedisCacheTestingOptions } from '../../testing/redis-cache-testing.module.js'
import { currentLock } from '../current-lock.js'
import { LockLostError, LockTimeoutError } from '../errors.js'
import type { Lock } from '../held-lock.js'
import { RedisLockService } from '../lock.js'
import { Locked, type LockedOptions } from './locked.decorator.js'

type AppProviders = NonNullable<Parameters<typeof Test.createTestingModule>[0]['providers']>

async function appOf(providers: AppProviders, options: RedisCacheTestingOptions = {}) {
  const app = await Test.createTestingModule({
    imports: [RedisCacheTestingModule.forRoot(options)],
    providers,
  }).compile()
  return app.init()
}

/** A call of the method, that goes on when the test says so. */
interface Call {
  readonly id: string
  readonly lock: Lock | undefined
  end(result?: string): void
}

/** A class with one locked method, and its calls that have begun. */
async function numbering(decorated: Partial<LockedOptions> = {}, options: RedisCacheTestingOptions = {}) {
  const begun: Call[] = []

  @Injectable()
  class Numbering {
    readonly prefix = 'number'

    @Locked({ key: (id: string) => `number:${id}`, ...decorated })
    async next(id: string): Promise<string> {
      return new Promise((resolve) => begun.push({ id, lock: currentLock(), end: (result = id) => resolve(result) }))
    }
  }
  const clock = new FakeClock()
  const app = await appOf([Numbering], { clock, ...options })
  return { app, clock, begun, service: app.get(Numbering), locks: app.get(RedisLockService) }
}

const rejection = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => undefined,
    (error: unknown) => error,
  )

afterEach(() => {
  vi.restoreAllMocks()
})

describe('@Locked', () => {
  it('runs one call at a time for each key, in their order, and calls of other keys beside them', async () => {
    const { service, begun, clock } = await numbering()
    const calls = [service.next('a'), service.next('a'), service.next('b'), service.next('a')]
    await clock.settle()
    expect(begun.map(({ id }) => id)).toEqual(['a', 'b'])
    begun[0]!.end('first')
    await clock.settle()
    expect(begun).toHaveLength(3)
    begun[2]!.end('second')
    await clock.settle()
    begun[3]!.end('third')
    begun[1]!.end()
    expect(await Promise.all(calls)).toEqual(['first', 'second', 'b', 'third'])
  })

  it('shows the method its lock, whose fence grows from call to call', async () => {
    const { service, begun, clock } = await numbering()
    const calls = [service.next('a'), service.next('b'), service.next('a')]
    await clock.settle()
    begun[0]!.end()
    await calls[0]
    await clock.settle()
    const [first, other, second] = begun.map(({ lock }) => lock!)
    expect([first!.key, other!.key, second!.key]).toEqual(['number:a', 'number:b', 'number:a'])
    expect(second!.fence > first!.fence).toBe(true)
    expect(() => second!.assertHeld()).not.toThrow()
    expect(() => first!.assertHeld()).toThrow(LockLostError)
    for (const { end } of begun) end()
    await Promise.all(calls)
    expect(currentLock()).toBeUndefined()
  })

  it('gives the lock back when the method throws, and passes on what it threw', async () => {
    @Injectable()
    class Failing {
      @Locked({ key: () => 'a' })
      async run(): Promise<void> {
        throw new Error('no such customer')
      }
      @Locked({ key: () => 'a', waitMs: 0 })
      async other(): Promise<string> {
        return 'free'
      }
    }
    const failing = (await appOf([Failing])).get(Failing)
    await expect(failing.run()).rejects.toThrow('no such customer')
    expect(await failing.other()).toBe('free')
  })

  it('makes the key of the arguments, with the instance as `this`', async () => {
    const { service, begun, clock } = await numbering({
      key(this: { prefix: string }, id: string) {
        return `${this.prefix}-of:${id}`
      },
    })
    const call = service.next('7')
    await clock.settle()
    expect(begun[0]!.lock!.key).toBe('number-of:7')
    begun[0]!.end()
    await call
  })

  it.each([
    ['waitMs', { waitMs: 0 }],
    ['wait', { wait: 0 }],
  ])('asks once with a %s of 0', async (_, times) => {
    const { service, locks } = await numbering(times)
    const lock = await locks.acquire('number:a')
    await expect(service.next('a')).rejects.toThrow(LockTimeoutError)
    await lock.release()
  })

  it.each([
    ['its own time', { wait: '2s' } as const, undefined, 2_000],
    ['its own time in milliseconds', { waitMs: 300 }, { wait: '1m' }, 300],
    ["the module's time", {}, { wait: '3s' }, 3_000],
    ['five seconds', {}, undefined, 5_000],
  ])('waits for %s and does not run then', async (_, times, lock, waitMs) => {
    const { service, locks, begun, clock } = await numbering(times, { lock })
    await locks.acquire('number:a', 60_000)
    const failed = rejection(service.next('a'))
    let settled = false
    void failed.then(() => (settled = true))
    await clock.advance(waitMs - 1)
    expect(settled).toBe(false)
    await clock.advance(1)
    expect(await failed).toBeInstanceOf(LockTimeoutError)
    expect(begun).toEqual([])
  })

  it('holds the lock for as long as the method runs, and for `ttl` when its process dies', async () => {
    const { service, begun, clock, locks } = await numbering({ ttl: '3s' })
    const call = service.next('a')
    await clock.advance('20s')
    expect(await locks.tryAcquire('number:a')).toBeNull()
    expect(begun[0]!.lock!.expiresAt - clock.wall()).toBeLessThanOrEqual(3_000)
    begun[0]!.end()
    expect(await call).toBe('a')
    expect(await locks.tryAcquire('number:a')).not.toBeNull()
  })

  it('tells the method when the lock is lost, and rejects once it has ended', async () => {
    const { service, begun, clock } = await numbering({ ttlMs: 3_000 })
    const failed = rejection(service.next('a'))
    await clock.settle()
    const { lock, end } = begun[0]!
    vi.spyOn(lock!, 'extend').mockImplementation(() => new Promise(() => undefined))
    await clock.advance('3s')
    expect(lock!.signal.reason).toBeInstanceOf(LockLostError)
    end()
    expect(await failed).toBeInstanceOf(LockLostError)
  })

  it('refuses a key before the method runs', async () => {
    const { service, begun } = await numbering({}, { tenancy: { required: true, global: ['job'] } })
    await expect(service.next('')).rejects.toThrow(TenantKeyError)
    await expect(runAsTenant('t1', () => service.next('t2'))).rejects.toThrow(TenantKeyError)
    const done = runAsTenant('t1', () => service.next('t1'))
    await vi.waitFor(() => expect(begun).toHaveLength(1))
    begun[0]!.end()
    expect(await done).toBe('t1')

    const empty = await numbering({ key: () => '' })
    await expect(empty.service.next('a')).rejects.toThrow(InvalidKeyError)
    const broken = await numbering({
      key: () => {
        throw new Error('broken callback')
      },
    })
    await expect(broken.service.next('a')).rejects.toThrow('broken callback')
    expect([...empty.begun, ...broken.begun, ...begun.slice(1)]).toEqual([])
  })

  it('keeps name, length and metadata of the method, from above and below', () => {
    class Handler {
      @SetMetadata('above', 1)
      @Locked({ key: (id: string) => id })
      @SetMetadata('below', 2)
      async issue(_id: string, _page: number): Promise<void> {}
    }
    const { issue } = Handler.prototype
    expect([issue.name, issue.length]).toEqual(['issue', 2])
    expect([Reflect.getMetadata('above', issue), Reflect.getMetadata('below', issue)]).toEqual([1, 2])
    expect(Reflect.getMetadata('design:paramtypes', Handler.prototype, 'issue')).toEqual([String, Number])
  })

  it('is inherited', async () => {
    class Base {
      @Locked({ key: () => 'base' })
      async lock(): Promise<string | undefined> {
        return currentLock()?.key
      }
    }
    @Injectable()
    class Derived extends Base {}
    expect(await (await appOf([Derived])).get(Derived).lock()).toBe('base')
  })

  it('works on a provider of request scope, on each of its instances', async () => {
    let running = 0
    let most = 0

    @Injectable({ scope: Scope.REQUEST })
    class Scoped {
      constructor(@Inject(REQUEST) readonly request: { user: string }) {}

      @Locked({ key: () => 'scoped' })
      async run(): Promise<string> {
        most = Math.max(most, ++running)
        await new Promise((resolve) => setImmediate(resolve))
        running--
        return this.request.user
      }
    }
    const app = await appOf([Scoped])
    const instanceFor = async (user: string): Promise<Scoped> => {
      const id = ContextIdFactory.create()
      app.registerRequestByContextId({ user }, id)
      return app.resolve(Scoped, id)
    }
    const [ann, bob] = [await instanceFor('ann'), await instanceFor('bob')]
    expect(await Promise.all([ann.run(), bob.run()])).toEqual(['ann', 'bob'])
    expect(most).toBe(1)
  })

  it('locks what is loaded below @Cacheable, and each call above it', async () => {
    @Injectable()
    class Prices {
      readonly fences: (bigint | undefined)[] = []

      @Cacheable({ keyGenerator: () => 'loaded', ttl: 60 })
      @Locked({ key: () => 'loading' })
      async loaded(): Promise<number> {
        return this.fences.push(currentLock()?.fence)
      }
      @Locked({ key: () => 'loading' })
      @Cacheable({ keyGenerator: () => 'answered', ttl: 60 })
      async answered(): Promise<number> {
        return this.fences.push(currentLock()?.fence)
      }
    }
    const app = await appOf([Prices])
    const withLock = vi.spyOn(app.get(RedisLockService), 'withLock')
    const prices = app.get(Prices)
    expect([await prices.loaded(), await prices.loaded()]).toEqual([1, 1])
    expect(withLock).toHaveBeenCalledTimes(1)
    expect([await prices.answered(), await prices.answered()]).toEqual([2, 2])
    expect(withLock).toHaveBeenCalledTimes(3)
    expect(prices.fences.every((fence) => typeof fence === 'bigint')).toBe(true)
  })

  it('uses the locks of the application that the instance belongs to', async () => {
    @Injectable()
    class Job {
      @Locked({ key: () => 'job', waitMs: 0 })
      async run(work: () => Promise<string>): Promise<string> {
        return work()
      }
    }
    const appOn = async (memory: MemoryHub) => {
      const imports = [RedisCacheModule.forRoot({ driver: 'memory', memory })]
      return (await Test.createTestingModule({ imports, providers: [Job] }).compile()).get(Job)
    }
    const hub = new MemoryHub()
    const [one, peer, stranger] = [await appOn(hub), await appOn(hub), await appOn(new MemoryHub())]
    await one.run(async () => {
      await expect(peer.run(async () => 'too')).rejects.toThrow(LockTimeoutError)
      expect(await stranger.run(async () => 'too')).toBe('too')
      return 'done'
    })
    expect(await peer.run(async () => 'too')).toBe('too')
  })

  it('uses the locks of the connection that is named', async () => {
    @Injectable()
    class Reports {
      @Locked({ key: () => 'report', connection: 'reports' })
      async build(): Promise<number> {
        return 1
      }
    }
    const imports = [RedisCacheTestingModule.forRoot(), RedisCacheTestingModule.forRoot({ name: 'reports' })]
    const app = await Test.createTestingModule({ imports, providers: [Reports] }).compile()
    const main = vi.spyOn(app.get(RedisLockService), 'withLock')
    const named = vi.spyOn(app.get<RedisLockService>('RedisLockService@reports'), 'withLock')
    expect(await app.get(Reports).build()).toBe(1)
    expect([main.mock.calls.length, named.mock.calls.length]).toEqual([0, 1])
  })

  it('uses what stands in for RedisLockService in a test', async () => {
    const withLock = vi.fn((_key: string, _times: object, work: (lock: Lock) => Promise<unknown>) =>
      work({ fence: 7n } as Lock),
    )

    @Injectable()
    class Numbers {
      @Locked({ key: (id: string) => id, wait: '1s' })
      async next(_id: string): Promise<bigint> {
        return currentLock()!.fence
      }
    }
    const app = await Test.createTestingModule({ imports: [RedisCacheTestingModule.forRoot()], providers: [Numbers] })
      .overrideProvider(RedisLockService)
      .useValue({ withLock })
      .compile()
    expect(await app.get(Numbers).next('a')).toBe(7n)
    expect(withLock).toHaveBeenCalledWith('a', expect.objectContaining({ wait: '1s' }), expect.any(Function))
  })

  it.each<[string, unknown, RegExp]>([
    ['an Observable', of(1), /@Locked Streams.run: answered an Observable.*firstValueFrom/],
    ['a stream', (async function* () {})(), /answered a stream/],
  ])('refuses to answer %s, whose work would come after the lock', async (_, answered, message) => {
    @Injectable()
    class Streams {
      @Locked({ key: () => 'a' })
      async run(): Promise<unknown> {
        return answered
      }
    }
    const streams = (await appOf([Streams])).get(Streams)
    await expect(streams.run()).rejects.toThrow(ConfigurationError)
    await expect(streams.run()).rejects.toThrow(message)
  })

  it.each<[string, object, unknown]>([
    ['no key', { key: undefined }, ConfigurationError],
    ['a key that is no function', { key: 'a' }, ConfigurationError],
    ['two times to live', { ttl: '1s', ttlMs: 1_000 }, ConfigurationError],
    ['two times to wait', { wait: '1s', waitMs: 1_000 }, ConfigurationError],
    ['an option of another decorator', { keyGenerator: () => 'a' }, ConfigurationError],
    ['an empty connection', { connection: '' }, ConfigurationError],
    ['a text of milliseconds', { ttlMs: '1s' }, ConfigurationError],
    ['a text of milliseconds to wait', { waitMs: '0' }, ConfigurationError],
    ['no time to live', { ttlMs: 0 }, InvalidDurationError],
    ['more than a day', { ttl: '25h' }, InvalidDurationError],
    ['NaN', { ttl: NaN }, InvalidDurationError],
    ['a negative wait', { waitMs: -1 }, InvalidDurationError],
    ['a wait that can not be read', { wait: 'soon' }, InvalidDurationError],
  ])('refuses %s at decoration', (_, options, error) => {
    expect(() => Locked({ key: () => 'a', ...options })).toThrow(error as typeof ConfigurationError)
    expect(() => Locked({ key: () => 'a', ...options })).toThrow(/@Locked\./)
  })

  it('accepts undefined for every option but the key', () => {
    const unset = { ttl: undefined, ttlMs: undefined, wait: undefined, waitMs: undefined, connection: undefined }
    expect(() => Locked({ key: () => 'a', ...unset })).not.toThrow()
  })

  it('does not compile on a method that answers no promise', async () => {
    class Counter {
      // @ts-expect-error -- a synchronous method
      @Locked({ key: () => 'a' })
      next(): number {
        return 1
      }
    }
    await expect(new Counter().next()).rejects.toThrow(ConfigurationError)
  })
})

describe('a locked method never runs without its lock', () => {
  @Injectable()
  class Numbers {
    calls = 0
    @Locked({ key: () => 'a' })
    async next(): Promise<number> {
      return ++this.calls
    }
  }

  it('on an instance that was made with `new`', async () => {
    const numbers = new Numbers()
    await expect(numbers.next()).rejects.toThrow(ConfigurationError)
    await expect(numbers.next()).rejects.toThrow(/@Locked Numbers\.next: .*RedisCacheTestingModule.*withLock/)
    expect(numbers.calls).toBe(0)
  })

  it('on nothing', async () => {
    const { next } = Numbers.prototype
    await expect(next()).rejects.toThrow(/@Locked Numbers\.next: has no lock/)
  })

  it('in an application without the module, or without the connection', async () => {
    const without = (await Test.createTestingModule({ providers: [Numbers] }).compile()).get(Numbers)
    await expect(without.next()).rejects.toThrow(/no RedisLockService; import RedisCacheModule\.forRoot\(\)/)

    @Injectable()
    class Reports {
      calls = 0
      @Locked({ key: () => 'a', connection: 'reports' })
      async build(): Promise<number> {
        return ++this.calls
      }
    }
    const reports = (await appOf([Reports])).get(Reports)
    await expect(reports.build()).rejects.toThrow(/forRoot\(\{ name: 'reports' \}\)/)
    expect([without.calls, reports.calls]).toEqual([0, 0])
  })

  it('while the application is made, before its locks are', async () => {
    let configured!: (options: object) => void
    const options = new Promise<object>((resolve) => (configured = resolve))
    const app = await Test.createTestingModule({
      imports: [RedisCacheModule.forRootAsync({ useFactory: () => options })],
      providers: [
        Numbers,
        {
          provide: 'EARLY',
          useFactory: async (numbers: Numbers) => {
            const error = await rejection(numbers.next())
            configured({ driver: 'memory' })
            return String(error)
          },
          inject: [Numbers],
        },
      ],
    }).compile()
    expect(app.get('EARLY')).toMatch(/RedisLockService is not made yet; inject RedisLockService/)
    expect(await app.get(Numbers).next()).toBe(1)
  })

  it('on an instance from a factory, which is the application’s once that is initialised', async () => {
    const app = await appOf([{ provide: Numbers, useFactory: () => new Numbers() }])
    expect(await app.get(Numbers).next()).toBe(1)
  })
})

describe('a locked route', () => {
  let app: INestApplication | undefined
  afterEach(() => app?.close())

  it('keeps its path and parameters, and is locked', async () => {
    @Controller('invoices')
    class InvoiceController {
      @Locked({ key: (id: string) => `invoice:${id}` })
      @Get(':id')
      async one(@Param('id') id: string): Promise<object> {
        return { id, lock: currentLock()?.key }
      }
    }
    const module = await Test.createTestingModule({
      imports: [RedisCacheTestingModule.forRoot()],
      controllers: [InvoiceController],
    }).compile()
    app = module.createNestApplication()
    await app.listen(0, '127.0.0.1')
    const answer = await fetch(`${await app.getUrl()}/invoices/7`)
    expect(await answer.json()).toEqual({ id: '7', lock: 'invoice:7' })
  })
})
