import {
  Controller,
  Get,
  Header,
  Inject,
  Injectable,
  type INestApplication,
  Logger,
  Param,
  Query,
  Scope,
  SetMetadata,
  UseGuards,
} from '@nestjs/common'
import { ContextIdFactory, ModuleRef, REQUEST } from '@nestjs/core'
import { firstValueFrom, of } from 'rxjs'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { appWith, memoryCache } from '../../../test/support/cached-app.js'
import { ConfigurationError } from '../../kernel/errors.js'
import { RedisCacheService } from '../cache.js'
import { runAsTenant } from '../tenancy.js'
import { CacheEvict } from './cache-evict.decorator.js'
import { CachePut } from './cache-put.decorator.js'
import { Cacheable } from './cacheable.decorator.js'

@Injectable()
class Products {
  readonly #prefix = 'product '
  calls = 0

  @Cacheable({ ttl: 60, keyGenerator: (id: string) => `product:${id}` })
  async find(id: string): Promise<string> {
    this.calls++
    return this.#prefix + id
  }
}

afterEach(() => {
  vi.restoreAllMocks()
})

describe('a decorated method', () => {
  it('sees its own private fields', async () => {
    const app = await appWith([Products]).compile()
    expect(await app.get(Products).find('1')).toBe('product 1')
  })

  it('keeps its name, length and own metadata, from above and below', () => {
    class Handler {
      @SetMetadata('above', 1)
      @Cacheable()
      @SetMetadata('below', 2)
      async find(_id: string, _page: number): Promise<void> {}
    }
    const { find } = Handler.prototype
    expect([find.name, find.length]).toEqual(['find', 2])
    expect([Reflect.getMetadata('above', find), Reflect.getMetadata('below', find)]).toEqual([1, 2])
    expect(Reflect.getMetadata('design:paramtypes', Handler.prototype, 'find')).toEqual([String, Number])
  })

  it('adds nothing that a comparison of instances would see', async () => {
    const app = await appWith([Products]).compile()
    expect(app.get(Products)).toEqual(new Products())
    expect(Object.keys(app.get(Products))).toEqual(['calls'])
  })

  it('runs uncached on an instance that was made with `new`, silently', async () => {
    const warn = vi.spyOn(Logger.prototype, 'warn')
    const products = new Products()
    await products.find('1')
    expect(await products.find('1')).toBe('product 1')
    expect(products.calls).toBe(2)
    expect(warn).not.toHaveBeenCalled()
  })

  it('runs uncached without an instance', async () => {
    class Free {
      @Cacheable()
      async answer(): Promise<number> {
        return 42
      }
    }
    const { answer } = Free.prototype
    expect(await answer()).toBe(42)
  })

  it('runs uncached in an application without a cache, and warns once a class', async () => {
    const warn = vi.spyOn(Logger.prototype, 'warn').mockReturnValue(undefined)
    const app = await appWith([Products], { cache: null }).compile()
    const products = app.get(Products)
    await products.find('1')
    await products.find('1')
    expect(products.calls).toBe(2)
    expect(warn).toHaveBeenCalledTimes(1)
    expect(warn).toHaveBeenCalledWith(
      '@Cacheable on Products caches nothing: this application has no RedisCacheService; import RedisCacheModule.forRoot() in the root module',
    )
  })

  it('works on a provider of request scope, on each of its instances', async () => {
    @Injectable({ scope: Scope.REQUEST })
    class Scoped {
      static calls = 0
      constructor(@Inject(REQUEST) readonly request: { user: string }) {}

      @Cacheable({ ttl: 60, keyGenerator: (id: string) => `scoped:${id}` })
      async find(id: string): Promise<string> {
        Scoped.calls++
        return `${id} for ${this.request.user}`
      }
    }
    const app = await appWith([Scoped]).compile()
    const instanceFor = async (user: string): Promise<Scoped> => {
      const id = ContextIdFactory.create()
      app.registerRequestByContextId({ user }, id)
      return app.resolve(Scoped, id)
    }
    expect(await (await instanceFor('ann')).find('1')).toBe('1 for ann')
    expect(await (await instanceFor('bob')).find('1')).toBe('1 for ann')
    expect(Scoped.calls).toBe(1)
  })

  it('works on a transient provider, and on one that ModuleRef creates', async () => {
    @Injectable({ scope: Scope.TRANSIENT })
    class Transient extends Products {}

    const app = await appWith([Transient]).compile()
    const [one, two, created] = [
      await app.resolve(Transient),
      await app.resolve(Transient),
      await app.get(ModuleRef).create(Products),
    ]
    await one.find('1')
    await two.find('1')
    await created.find('1')
    expect([one.calls, two.calls, created.calls]).toEqual([1, 0, 0])
  })

  it('works on an instance that is frozen', async () => {
    const seen: string[] = []

    @Injectable()
    class Frozen {
      constructor() {
        Object.freeze(this)
      }
      @Cacheable()
      async find(id: string): Promise<string> {
        seen.push(id)
        return id
      }
    }
    const frozen = (await appWith([Frozen]).compile()).get(Frozen)
    await frozen.find('1')
    await frozen.find('1')
    expect(seen).toEqual(['1'])
  })

  it('works through a proxy around the instance', async () => {
    const app = await appWith([Products]).compile()
    const products = app.get(Products)
    // Bound to the instance, as proxies must for private fields.
    const proxy = new Proxy(products, { get: (target, name) => Reflect.get(target, name).bind(target) })
    await proxy.find('1')
    await proxy.find('1')
    expect(products.calls).toBe(1)
  })

  it('uses the cache of the application that the instance belongs to', async () => {
    const [one, two] = [memoryCache(), memoryCache()]
    const apps = await Promise.all([one, two].map((cache) => appWith([Products], { cache }).compile()))
    for (const app of apps) await app.get(Products).find('1')
    expect(apps.map((app) => app.get(Products).calls)).toEqual([1, 1])
    await one.delete('product:1')
    expect(await two.has('product:1')).toBe(true)
  })

  it('uses what stands in for RedisCacheService in a test', async () => {
    const getOrSet = vi.fn().mockResolvedValue('from the mock')
    const app = await appWith([Products]).overrideProvider(RedisCacheService).useValue({ getOrSet }).compile()
    expect(await app.get(Products).find('1')).toBe('from the mock')
    expect(getOrSet).toHaveBeenCalledWith('product:1', expect.any(Function), expect.objectContaining({ ttl: 60 }))
  })

  it("prefers what the instance's own module provides", async () => {
    const own = memoryCache()
    const app = await appWith([Products, { provide: RedisCacheService, useValue: own }]).compile()
    await app.get(Products).find('1')
    expect(await own.has('product:1')).toBe(true)
  })

  it('uses the named connection, and warns where there is none', async () => {
    class Reports {
      calls = 0
      @Cacheable({ connection: 'reports', keyGenerator: () => 'report' })
      async build(): Promise<number> {
        return ++this.calls
      }
    }
    const [main, reports] = [memoryCache(), memoryCache()]
    const app = await appWith([Reports], { cache: main, connections: { reports } }).compile()
    await app.get(Reports).build()
    expect([await main.has('report'), await reports.has('report')]).toEqual([false, true])

    const warn = vi.spyOn(Logger.prototype, 'warn').mockReturnValue(undefined)
    const without = await appWith([Reports], { cache: main }).compile()
    expect(await without.get(Reports).build()).toBe(1)
    expect(warn).toHaveBeenCalledWith(expect.stringContaining("forRoot({ name: 'reports' })"))
  })

  it('can carry several of the decorators', async () => {
    class Customers {
      names = new Map([['1', 'Ann']])

      @Cacheable({ keyGenerator: (id: string) => `customer:${id}` })
      async find(id: string): Promise<string | undefined> {
        return this.names.get(id)
      }

      @Cacheable({ keyGenerator: () => 'customers', ttl: 60 })
      async list(): Promise<string[]> {
        return [...this.names.values()]
      }

      @CacheEvict({ keyGenerator: () => 'customers' })
      @CachePut({ keyGenerator: (id: string) => `customer:${id}` })
      async rename(id: string, name: string): Promise<string> {
        this.names.set(id, name)
        return name
      }
    }
    const cache = memoryCache()
    const customers = (await appWith([Customers], { cache }).compile()).get(Customers)
    expect([await customers.find('1'), await customers.list()]).toEqual(['Ann', ['Ann']])
    expect(await customers.rename('1', 'Anna')).toBe('Anna')
    expect(await cache.get('customer:1')).toBe('Anna')
    expect(await cache.has('customers')).toBe(false)
    expect(await customers.list()).toEqual(['Anna'])
  })

  it('is inherited, with keys of its own for each class', async () => {
    class Base {
      calls = 0
      @Cacheable({ ttl: 60 })
      async find(id: string): Promise<string> {
        this.calls++
        return `${this.constructor.name} ${id}`
      }
    }
    class Orders extends Base {
      @Inject(ModuleRef) readonly own!: ModuleRef
    }
    class Invoices extends Base {
      override async find(id: string): Promise<string> {
        return `over ${await super.find(id)}`
      }
    }
    const app = await appWith([Orders, Invoices]).compile()
    const [orders, invoices] = [app.get(Orders), app.get(Invoices)]
    for (let i = 0; i < 2; i++) {
      expect(await orders.find('1')).toBe('Orders 1')
      expect(await invoices.find('1')).toBe('over Invoices 1')
    }
    expect([orders.calls, invoices.calls]).toEqual([1, 1])
    expect(orders.own).toBeInstanceOf(ModuleRef)
  })

  it('has default keys of its own for each tenant, without any module', async () => {
    class Reports {
      calls = 0
      @Cacheable()
      async monthly(): Promise<number> {
        return ++this.calls
      }
    }
    const reports = (await appWith([Reports]).compile()).get(Reports)
    for (let i = 0; i < 2; i++) {
      const answers = [reports.monthly(), ...['t1', 't2'].map((tenant) => runAsTenant(tenant, () => reports.monthly()))]
      expect(await Promise.all(answers)).toEqual([1, 2, 3])
    }
  })

  it('needs a key generator where the class has no name', async () => {
    class Nameless {
      @Cacheable()
      async find(): Promise<number> {
        return 1
      }
    }
    Object.defineProperty(Nameless, 'name', { value: '' })
    const app = await appWith([{ provide: 'x', useClass: Nameless }]).compile()
    await expect(app.get<Nameless>('x').find()).rejects.toThrow(/keyGenerator/)
    expect(() => Cacheable()({}, Symbol('find'), { value: async () => 1 })).toThrow(/keyGenerator/)
  })

  it('may be named by a symbol, with a key generator', async () => {
    const find = Symbol('find')
    class Handler {
      calls = 0
      @Cacheable({ keyGenerator: () => 'by symbol' })
      async [find](): Promise<number> {
        return ++this.calls
      }
    }
    const handler = (await appWith([Handler]).compile()).get(Handler)
    expect([await handler[find](), await handler[find]()]).toEqual([1, 1])
  })

  it('refuses to answer an Observable or a stream, which no cache can hold', async () => {
    class Streams {
      @Cacheable({ keyGenerator: () => 'a' })
      async observable(): Promise<unknown> {
        return of(1)
      }
      @CachePut({ keyGenerator: () => 'b' })
      async stream(): Promise<unknown> {
        return (async function* () {})()
      }
    }
    const streams = (await appWith([Streams]).compile()).get(Streams)
    await expect(streams.observable()).rejects.toThrow(/Streams.observable.*firstValueFrom/)
    await expect(streams.stream()).rejects.toThrow(/Streams.stream/)
    expect(await firstValueFrom((await new Streams().observable()) as ReturnType<typeof of>)).toBe(1)
  })

  it.each<[string, () => unknown]>([
    [
      'a static method',
      () => {
        class Handler {
          @Cacheable()
          static async find(): Promise<void> {}
        }
        return Handler
      },
    ],
    ['a generator', () => decorate(function* () {})],
    ['an asynchronous generator', () => decorate(async function* () {})],
    ['a property', () => decorate(undefined)],
    ['a method, as a TC39 decorator', () => (Cacheable() as (...args: unknown[]) => void)(() => 1, { kind: 'method' })],
  ])('is refused at decoration when it is %s', (_, run) => {
    expect(run).toThrow(ConfigurationError)
  })
})

describe('a decorated route', () => {
  let app: INestApplication | undefined
  afterEach(() => app?.close())

  it('keeps its path, parameters, guards and headers, and answers from the cache', async () => {
    const guarded: string[] = []
    const guard = { canActivate: () => guarded.push('asked') > 0 }

    @Controller('products')
    class ProductController {
      calls = 0

      @Get(':id')
      @UseGuards(guard)
      @Cacheable({ keyGenerator: (id: string, page: string) => `route:${id}:${page}` })
      @Header('x-from', 'below')
      async one(@Param('id') id: string, @Query('page') page: string): Promise<object> {
        return { id, page, calls: ++this.calls }
      }

      @Cacheable({ ttl: 60 })
      @Get()
      async all(@Query() query: Record<string, string>): Promise<object> {
        return { query, calls: ++this.calls }
      }
    }
    app = (await appWith([], { controllers: [ProductController] }).compile()).createNestApplication()
    await app.listen(0)
    const get = async (path: string) => {
      const answer = await fetch(`${await app!.getUrl()}${path}`)
      return { body: (await answer.json()) as unknown, from: answer.headers.get('x-from') }
    }
    expect(await get('/products/7?page=2')).toEqual({ body: { id: '7', page: '2', calls: 1 }, from: 'below' })
    expect(await get('/products/7?page=2')).toEqual({ body: { id: '7', page: '2', calls: 1 }, from: 'below' })
    expect(await get('/products/7?page=3')).toMatchObject({ body: { calls: 2 } })
    expect(guarded).toHaveLength(3)
    expect(await get('/products?a=1&b=2')).toMatchObject({ body: { calls: 3 } })
    expect(await get('/products?b=2&a=1')).toMatchObject({ body: { calls: 3 } })
  })

  it('works on a controller of request scope', async () => {
    @Controller({ path: 'me', scope: Scope.REQUEST })
    class MeController {
      static calls = 0
      @Get(':id')
      @Cacheable({ keyGenerator: (id: string) => `me:${id}` })
      async me(@Param('id') id: string): Promise<object> {
        return { id, calls: ++MeController.calls }
      }
    }
    app = (await appWith([], { controllers: [MeController] }).compile()).createNestApplication()
    await app.listen(0)
    const url = `${await app.getUrl()}/me/1`
    const answers = [await fetch(url), await fetch(url)].map((answer) => answer.json())
    expect(await Promise.all(answers)).toEqual([
      { id: '1', calls: 1 },
      { id: '1', calls: 1 },
    ])
  })
})

function decorate(method: unknown): void {
  ;(Cacheable() as unknown as (...args: unknown[]) => void)({}, 'find', { value: method })
}
