import { Controller, Get, Injectable, type INestApplication, Module } from '@nestjs/common'
import { Test } from '@nestjs/testing'
// The unit tests among the shapes are written for Jest; Vitest's mocks have the same ones.
import { afterAll, beforeAll, beforeEach, describe, expect, it, type Mocked, vi as jest } from 'vitest'
import { RedisCacheModule } from '../src/module/cache-entry.js'
import { CachePattern, CacheService } from '../src/module/cache-entry.js'
import { createCacheMock } from '../src/testing/index.js'
import { Cacheable, CacheEvict, CachePut, RedisCacheService, RedisLockService } from '../src/utils/index.js'
import { type RedisServer, startRedis } from './support/redis-server.js'
import { waitFor } from './support/wait-for.js'

/**
 * The usage shapes that the toolkit was asked for, as they were written, on a real Redis: each compiles and does what its comments say, with
 * the keys and lifetimes looked up in Redis itself.
 */

interface Product {
  id: string
  tenantId: string
  name: string
}
interface Customer {
  id: string
  tenantId: string
  name: string
}
interface Country {
  code: string
  isActive: boolean
}
interface Invoice {
  id: string
  tenantId: string
  customerId: string
  status: string
}

class EntityNotFoundException extends Error {
  constructor(entity: string, id: string) {
    super(`${entity} ${id} not found`)
  }
}

/** A table, as TypeORM's repositories show one; counts its queries. */
class Repository<Row extends object> {
  queries = 0
  constructor(private rows: Row[] = []) {}

  async findOne({ where }: { where: Partial<Row> }): Promise<Row | null> {
    this.queries++
    return this.rows.find((row) => matches(row, where)) ?? null
  }
  async find(): Promise<Row[]> {
    this.queries++
    return [...this.rows]
  }
  async save(row: Row & { id?: string }): Promise<Row> {
    const others = this.rows.filter((each) => row.id === undefined || (each as { id?: string }).id !== row.id)
    this.rows = [...others, row]
    return row
  }
  async delete(where: Partial<Row>): Promise<void> {
    this.rows = this.rows.filter((row) => !matches(row, where))
  }
}

function matches<Row extends object>(row: Row, where: Partial<Row>): boolean {
  return Object.entries(where).every(([name, value]) => row[name as keyof Row] === value)
}

class ProductRepository extends Repository<Product> {}
class CustomerRepository extends Repository<Customer> {}
class CountryRepository extends Repository<Country> {}

// ---- Patterns 1 and 2: cache-aside and write-through

@Injectable()
class ProductService {
  constructor(
    private readonly cacheService: RedisCacheService,
    private readonly repository: ProductRepository,
  ) {}

  async getProduct(tenantId: string, productId: string): Promise<Product> {
    const cacheKey = `product:${tenantId}:${productId}`

    // 1. Try cache first
    const cached = await this.cacheService.get<Product>(cacheKey)
    if (cached) {
      return cached
    }

    // 2. Cache miss: load from database
    const product = await this.repository.findOne({
      where: { tenantId, id: productId },
    })

    if (!product) {
      throw new EntityNotFoundException('Product', productId)
    }

    // 3. Populate cache (TTL: 5 minutes)
    await this.cacheService.set(cacheKey, product, 300)

    return product
  }

  async getProductShort(tenantId: string, productId: string): Promise<Product> {
    const cacheKey = `product:${tenantId}:${productId}`

    // Simplified: handles cache check, miss, and set
    return this.cacheService.getOrSet(
      cacheKey,
      async () => {
        const product = await this.repository.findOne({
          where: { tenantId, id: productId },
        })
        if (!product) throw new EntityNotFoundException('Product', productId)
        return product
      },
      300, // TTL: 5 minutes
    )
  }

  async updateProduct(product: Product): Promise<Product> {
    // 1. Update database
    const updated = await this.repository.save(product)

    // 2. Update cache immediately
    const cacheKey = `product:${product.tenantId}:${product.id}`
    await this.cacheService.set(cacheKey, updated, 300)

    return updated
  }

  async deleteProduct(tenantId: string, productId: string): Promise<void> {
    // 1. Delete from database
    await this.repository.delete({ tenantId, id: productId })

    // 2. Invalidate cache
    const cacheKey = `product:${tenantId}:${productId}`
    await this.cacheService.delete(cacheKey)
  }
}

// ---- Pattern 3: decorators

@Injectable()
class CustomerQueryHandler {
  constructor(
    private readonly repository: CustomerRepository,
    private readonly countryRepository: CountryRepository,
  ) {}

  @Cacheable({
    ttl: 300, // 5 minutes
    keyGenerator: (tenantId: string, customerId: string) => `customer:${tenantId}:${customerId}`,
  })
  async getCustomer(tenantId: string, customerId: string): Promise<Customer | null> {
    // First call: executes and caches
    // Subsequent calls: returns from cache
    return this.repository.findOne({ where: { tenantId, id: customerId } })
  }

  // Dynamic TTL based on data type
  @Cacheable({
    ttl: (country: Country) => (country.isActive ? 86400 : 300), // 24h or 5m
    keyGenerator: (code: string) => `country:${code}`,
  })
  async getCountryByCode(code: string): Promise<Country | null> {
    return this.countryRepository.findOne({ where: { code } })
  }
}

@Injectable()
class CustomerCommandHandler {
  constructor(private readonly repository: CustomerRepository) {}

  @CachePut({
    keyGenerator: (customer: Customer) => `customer:${customer.tenantId}:${customer.id}`,
  })
  async updateCustomer(customer: Customer): Promise<Customer> {
    const updated = await this.repository.save(customer)
    // Return value automatically cached
    return updated
  }

  @CacheEvict({
    keyGenerator: (tenantId: string, customerId: string) => `customer:${tenantId}:${customerId}`,
  })
  async deleteCustomer(tenantId: string, customerId: string): Promise<void> {
    await this.repository.delete({ tenantId, id: customerId })
    // Cache automatically evicted after method executes
  }
}

// ---- Pattern 5: tags

@Injectable()
class InvoiceService {
  constructor(private readonly cacheService: RedisCacheService) {}

  // Set cache with tags
  async cacheInvoice(invoice: Invoice): Promise<void> {
    const cacheKey = `invoice:${invoice.tenantId}:${invoice.id}`

    await this.cacheService.setWithTags(
      cacheKey,
      invoice,
      300, // TTL: 5 minutes
      [`tenant:${invoice.tenantId}`, `customer:${invoice.customerId}`, `status:${invoice.status}`],
    )
  }

  // Invalidate all invoices for a customer
  async invalidateCustomerInvoices(customerId: string): Promise<void> {
    await this.cacheService.invalidateByTag(`customer:${customerId}`)
    // All invoices tagged with customer:123 are evicted
  }

  // Invalidate all pending invoices
  async invalidatePendingInvoices(): Promise<void> {
    await this.cacheService.invalidateByTag('status:PENDING')
  }
}

// ---- Pattern 6 and time-based invalidation: presets

@Injectable()
class LookupService {
  constructor(
    private readonly cacheService: CacheService,
    private readonly countryRepository: CountryRepository,
  ) {}

  async cacheAll(tenantId: string, country: Country, invoices: Invoice[], report: object): Promise<void> {
    // Lookup data (countries, currencies) - cache for 2 hours
    await this.cacheService.set(`country:${country.code}`, country, CachePattern.LOOKUP)

    // Query results - cache for 1 minute
    await this.cacheService.set(`invoices:${tenantId}:pending`, invoices, CachePattern.QUERY)

    // Report data - cache for 30 minutes
    await this.cacheService.set(`report:revenue:${tenantId}`, report, CachePattern.REPORT)
  }

  // What a @Cron('*/5 * * * *') runs
  async refreshLookupCache(): Promise<void> {
    const countries = await this.countryRepository.find()
    await this.cacheService.set('countries:all', countries, CachePattern.LOOKUP)
  }
}

// ---- Pattern 7: distributed locking

interface NumberedInvoice {
  tenantId: string
  invoiceNumber: string
}
class NumberedInvoiceRepository extends Repository<NumberedInvoice> {}

@Injectable()
class InvoiceNumberService {
  constructor(
    private readonly lockService: RedisLockService,
    private readonly repository: NumberedInvoiceRepository,
  ) {}

  async generateInvoiceNumber(tenantId: string): Promise<string> {
    const lockKey = `lock:invoice-number:${tenantId}`

    // Acquire lock (max wait: 5s, lock TTL: 10s)
    const lock = await this.lockService.acquire(lockKey, 10000, 5000)

    try {
      // Critical section: only one process can execute this
      const lastNumber = await this.getLastInvoiceNumber(tenantId)
      const newNumber = this.incrementInvoiceNumber(lastNumber)

      await this.repository.save({ tenantId, invoiceNumber: newNumber })

      return newNumber
    } finally {
      // Always release lock
      await this.lockService.release(lock)
    }
  }

  private async getLastInvoiceNumber(tenantId: string): Promise<string | undefined> {
    const rows = await this.repository.find()
    return rows.findLast((row) => row.tenantId === tenantId)?.invoiceNumber
  }

  private incrementInvoiceNumber(last = 'INV-0'): string {
    return `INV-${Number(last.slice(4)) + 1}`
  }
}

// ---- Pattern 8: statistics

@Controller('health')
class HealthController {
  constructor(private readonly cacheService: RedisCacheService) {}

  @Get('cache')
  getCacheStats() {
    return this.cacheService.getStatistics()
    // { hits: 1250, misses: 50, hitRate: 96.15 }
  }
}

// ---- Event-driven invalidation; @EventsHandler of @nestjs/cqrs calls `handle`

class InvoiceCreatedEvent {
  constructor(
    readonly tenantId: string,
    readonly customerId: string,
  ) {}
}
class InvoiceStatusChangedEvent {
  constructor(
    readonly tenantId: string,
    readonly invoiceId: string,
    readonly oldStatus: string,
    readonly newStatus: string,
  ) {}
}

@Injectable()
class InvalidateInvoiceListHandler {
  constructor(private readonly cacheService: RedisCacheService) {}

  async handle(event: InvoiceCreatedEvent): Promise<void> {
    // Invalidate list queries
    await this.cacheService.delete(`invoices:${event.tenantId}:status:DRAFT`)
    await this.cacheService.delete(`invoices:${event.tenantId}:customer:${event.customerId}`)
  }
}

@Injectable()
class InvalidateInvoiceStatusHandler {
  constructor(private readonly cacheService: RedisCacheService) {}

  async handle(event: InvoiceStatusChangedEvent): Promise<void> {
    // Invalidate single invoice
    await this.cacheService.delete(`invoice:${event.tenantId}:${event.invoiceId}`)

    // Invalidate status lists
    await this.cacheService.delete(`invoices:${event.tenantId}:status:${event.oldStatus}`)
    await this.cacheService.delete(`invoices:${event.tenantId}:status:${event.newStatus}`)
  }
}

const TENANT = 'tenant-1'

let server: RedisServer
let app: INestApplication
let cache: RedisCacheService
const numbered = new NumberedInvoiceRepository()
const products = new ProductRepository([{ id: '1', tenantId: TENANT, name: 'Product 1' }])
const customers = new CustomerRepository([{ id: '1', tenantId: TENANT, name: 'Ann' }])
const countries = new CountryRepository([
  { code: 'BD', isActive: true },
  { code: 'XX', isActive: false },
])

beforeAll(async () => {
  server = await startRedis()
  app = (await Test.createTestingModule({ imports: [appModule(server)] }).compile()).createNestApplication()
  await app.listen(0)
  cache = app.get(RedisCacheService)
})

beforeEach(async () => {
  await cache.clear()
  cache.resetStatistics()
})

afterAll(async () => {
  await app.close()
  await server.stop()
})

function appModule({ host, port }: RedisServer) {
  const process: { env: { REDIS_HOST?: string; REDIS_PORT: string; REDIS_PASSWORD?: string } } = {
    env: { REDIS_HOST: host, REDIS_PORT: String(port) },
  }

  @Module({
    imports: [
      RedisCacheModule.forRoot({
        host: process.env.REDIS_HOST || 'localhost',
        port: parseInt(process.env.REDIS_PORT) || 6379,
        password: process.env.REDIS_PASSWORD,
        db: 0,
        keyPrefix: 'vextrus:', // Namespace all keys
        // Beside the mission's own: a busy machine may take longer than half a second, and what is not stored by then is not.
        commandTimeout: '10s',
      }),
    ],
    controllers: [HealthController],
    providers: [
      ...[ProductService, CustomerQueryHandler, CustomerCommandHandler, InvoiceService, LookupService],
      ...[InvalidateInvoiceListHandler, InvalidateInvoiceStatusHandler, InvoiceNumberService],
      { provide: ProductRepository, useValue: products },
      { provide: CustomerRepository, useValue: customers },
      { provide: CountryRepository, useValue: countries },
      { provide: NumberedInvoiceRepository, useValue: numbered },
    ],
  })
  class AppModule {}
  return AppModule
}

/** What Redis says of the lifetime of `vextrus:<key>`; `shorterBy` is the share that jitter may take off what was loaded. */
async function expectTtl(key: string, seconds: number, shorterBy = 0): Promise<void> {
  const ms = Number(await server.command('PTTL', `vextrus:${key}`))
  expect(ms, key).toBeLessThanOrEqual(seconds * 1_000)
  expect(ms, key).toBeGreaterThan(seconds * 1_000 * (1 - shorterBy) - 5_000)
}

/** Fills run after their callers were answered. */
const stored = (key: string) => waitFor(`${key} in the cache`, () => cache.has(key))

const JITTER = 0.05

describe('pattern 1: cache-aside', () => {
  it('loads once and populates the cache for 5 minutes', async () => {
    const service = app.get(ProductService)
    const before = products.queries
    expect(await service.getProduct(TENANT, '1')).toEqual({ id: '1', tenantId: TENANT, name: 'Product 1' })
    expect(await service.getProduct(TENANT, '1')).toEqual({ id: '1', tenantId: TENANT, name: 'Product 1' })
    expect(products.queries).toBe(before + 1)
    await expectTtl(`product:${TENANT}:1`, 300)
    await expect(service.getProduct(TENANT, 'none')).rejects.toThrow(EntityNotFoundException)
  })

  it('does so in one call with getOrSet, and caches no failure', async () => {
    const service = app.get(ProductService)
    const before = products.queries
    await service.getProductShort(TENANT, '1')
    await stored(`product:${TENANT}:1`)
    expect(await service.getProductShort(TENANT, '1')).toEqual({ id: '1', tenantId: TENANT, name: 'Product 1' })
    expect(products.queries).toBe(before + 1)
    await expectTtl(`product:${TENANT}:1`, 300, JITTER)
    await expect(service.getProductShort(TENANT, 'none')).rejects.toThrow('Product none not found')
    expect(await server.command('EXISTS', `vextrus:product:${TENANT}:none`)).toBe(0)
  })
})

describe('pattern 2: write-through', () => {
  it('shows an update at once, and forgets what is deleted', async () => {
    const service = app.get(ProductService)
    await service.getProduct(TENANT, '1')
    await service.updateProduct({ id: '1', tenantId: TENANT, name: 'Renamed' })
    expect(await cache.get<Product>(`product:${TENANT}:1`)).toMatchObject({ name: 'Renamed' })
    await expectTtl(`product:${TENANT}:1`, 300)
    await service.deleteProduct(TENANT, '1')
    expect(await server.command('EXISTS', `vextrus:product:${TENANT}:1`)).toBe(0)
    await expect(service.getProduct(TENANT, '1')).rejects.toThrow(EntityNotFoundException)
  })
})

describe('pattern 3: decorators', () => {
  it('@Cacheable executes the first call and answers the next from the cache', async () => {
    const handler = app.get(CustomerQueryHandler)
    const before = customers.queries
    expect(await handler.getCustomer(TENANT, '1')).toMatchObject({ name: 'Ann' })
    await stored(`customer:${TENANT}:1`)
    expect(await handler.getCustomer(TENANT, '1')).toMatchObject({ name: 'Ann' })
    expect(customers.queries).toBe(before + 1)
    await expectTtl(`customer:${TENANT}:1`, 300, JITTER)
  })

  it('@Cacheable takes the TTL from the data: 24 hours or 5 minutes', async () => {
    const handler = app.get(CustomerQueryHandler)
    expect(await handler.getCountryByCode('BD')).toEqual({ code: 'BD', isActive: true })
    await handler.getCountryByCode('XX')
    await stored('country:BD')
    await stored('country:XX')
    await expectTtl('country:BD', 86_400, JITTER)
    await expectTtl('country:XX', 300, JITTER)
    // No such country: the callback is not asked about null, and nothing is stored.
    expect(await handler.getCountryByCode('ZZ')).toBeNull()
    expect(await handler.getCountryByCode('ZZ')).toBeNull()
    expect(await server.command('EXISTS', 'vextrus:country:ZZ')).toBe(0)
  })

  it('@CachePut caches what the method returns', async () => {
    const before = customers.queries
    await app.get(CustomerCommandHandler).updateCustomer({ id: '1', tenantId: TENANT, name: 'Anna' })
    await expectTtl(`customer:${TENANT}:1`, 300)
    expect(await app.get(CustomerQueryHandler).getCustomer(TENANT, '1')).toMatchObject({ name: 'Anna' })
    expect(customers.queries).toBe(before)
  })

  it('@CacheEvict evicts after the method has executed', async () => {
    const commands = app.get(CustomerCommandHandler)
    await commands.updateCustomer({ id: '2', tenantId: TENANT, name: 'Bob' })
    await commands.deleteCustomer(TENANT, '2')
    expect(await server.command('EXISTS', `vextrus:customer:${TENANT}:2`)).toBe(0)
    expect(await app.get(CustomerQueryHandler).getCustomer(TENANT, '2')).toBeNull()
  })
})

describe('pattern 5: tags', () => {
  it('evicts all invoices of a customer, or of a status, and no others', async () => {
    const service = app.get(InvoiceService)
    const invoice = (id: string, customerId: string, status: string) => ({ id, tenantId: TENANT, customerId, status })
    const left = async () => {
      const keys = ['1', '2', '3'].map((id) => `invoice:${TENANT}:${id}`)
      return (await cache.getMany<Invoice>(keys)).flatMap((each) => (each === null ? [] : [each.id]))
    }
    await service.cacheInvoice(invoice('1', '123', 'PAID'))
    await service.cacheInvoice(invoice('2', '123', 'PENDING'))
    await service.cacheInvoice(invoice('3', '456', 'PENDING'))
    await expectTtl(`invoice:${TENANT}:1`, 300)
    expect(await left()).toEqual(['1', '2', '3'])

    await service.invalidateCustomerInvoices('123')
    expect(await left()).toEqual(['3'])

    await service.cacheInvoice(invoice('1', '123', 'PAID'))
    await service.invalidatePendingInvoices()
    expect(await left()).toEqual(['1'])
  })
})

describe('pattern 6: pre-defined patterns', () => {
  it.each([
    [CachePattern.SESSION, 'session', 3_600],
    [CachePattern.AUTH, 'auth', 900],
    [CachePattern.USER, 'user', 300],
    [CachePattern.CONFIG, 'config', 86_400],
    [CachePattern.FEATURE_FLAG, 'feature', 600],
    [CachePattern.LOOKUP, 'lookup', 7_200],
    [CachePattern.QUERY, 'query', 60],
    [CachePattern.REPORT, 'report', 1_800],
  ])('%s is written %j and lives for %i seconds', async (pattern, text, seconds) => {
    const service = app.get(CacheService)
    expect(pattern).toBe(text)
    expect(service.getTTL(pattern)).toBe(seconds)
    await service.set(`preset:set:${pattern}`, { pattern }, pattern)
    await expectTtl(`preset:set:${pattern}`, seconds)
    expect(await service.get(`preset:set:${pattern}`)).toEqual({ pattern })

    expect(await service.getOrSet(`preset:load:${pattern}`, async () => pattern, pattern)).toBe(pattern)
    await stored(`preset:load:${pattern}`)
    await expectTtl(`preset:load:${pattern}`, seconds, JITTER)
    expect(await service.delete(`preset:load:${pattern}`)).toBe(1)
  })

  it('caches lookups, queries and reports each for its time', async () => {
    await app.get(LookupService).cacheAll(TENANT, { code: 'BD', isActive: true }, [], { revenue: 1 })
    await expectTtl('country:BD', 7_200)
    await expectTtl(`invoices:${TENANT}:pending`, 60)
    await expectTtl(`report:revenue:${TENANT}`, 1_800)
  })
})

describe('pattern 7: distributed locking', () => {
  it('numbers invoices without a gap or a double, in every process', async () => {
    const other = await Test.createTestingModule({ imports: [appModule(server)] }).compile()
    await other.init()
    const services = [app, other].map((each) => each.get(InvoiceNumberService))
    const numbers = await Promise.all(
      Array.from({ length: 40 }, (_, i) => services[i % 2]!.generateInvoiceNumber(TENANT)),
    )
    const expected = Array.from({ length: 40 }, (_, i) => `INV-${i + 1}`)
    expect([...numbers].sort()).toEqual([...expected].sort())
    expect((await numbered.find()).map(({ invoiceNumber }) => invoiceNumber)).toEqual(expected)
    expect(await services[0]!.generateInvoiceNumber('tenant-2')).toBe('INV-1')
    await other.close()
  })

  it('holds a lock for 10 seconds at most, under a key of its own', async () => {
    const locks = app.get(RedisLockService)
    const lockKey = `lock:invoice-number:${TENANT}`
    const lock = await locks.acquire(lockKey, 10000, 5000)
    const ms = Number(await server.command('PTTL', `vextrus@lock:{${lockKey}}:mutex`))
    expect(ms).toBeLessThanOrEqual(10_000)
    expect(ms).toBeGreaterThan(5_000)
    expect(await locks.release(lock)).toBe('released')
    expect(await server.command('EXISTS', `vextrus@lock:{${lockKey}}:mutex`)).toBe(0)
  })
})

describe('pattern 8: statistics', () => {
  it('are answered by the health check, with the hit rate in percent', async () => {
    const service = app.get(ProductService)
    await service.updateProduct({ id: '8', tenantId: TENANT, name: 'Product 8' })
    for (let i = 0; i < 25; i++) await service.getProduct(TENANT, '8')
    await cache.get('none')
    const answer = await fetch(`${await app.getUrl()}/health/cache`)
    expect(await answer.json()).toMatchObject({
      ...{ hits: 25, misses: 1, hitRate: 96.15 },
      groups: { product: { hits: 25, misses: 0, hitRate: 100 } },
    })
  })

  it('have a hit rate of 0 when nothing was read', () => {
    expect(cache.getStatistics()).toMatchObject({ hits: 0, misses: 0, hitRate: 0 })
  })
})

describe('event-driven invalidation', () => {
  it('forgets the lists and the invoice that an event is about, and no others', async () => {
    const lists = ['status:DRAFT', 'status:SENT', 'status:PAID', 'customer:123', 'customer:456']
    const keys = [...lists.map((list) => `invoices:${TENANT}:${list}`), `invoice:${TENANT}:7`]
    await cache.setMany(keys.map((key) => ({ key, value: [] })))
    const left = async () => (await Promise.all(keys.map((key) => cache.has(key)))).map(Number).join('')

    await app.get(InvalidateInvoiceListHandler).handle(new InvoiceCreatedEvent(TENANT, '123'))
    expect(await left()).toBe('011011')
    await app.get(InvalidateInvoiceStatusHandler).handle(new InvoiceStatusChangedEvent(TENANT, '7', 'SENT', 'PAID'))
    expect(await left()).toBe('000010')
  })
})

describe('time-based invalidation', () => {
  it('refreshes the lookup list', async () => {
    await app.get(LookupService).refreshLookupCache()
    expect(await cache.get<Country[]>('countries:all')).toHaveLength(2)
    await expectTtl('countries:all', 7_200)
  })
})

describe('unit tests of a service', () => {
  const productOne: Product = { id: '1', tenantId: 'tenant-1', name: 'Product 1' }

  it.each<[string, () => Mocked<RedisCacheService>]>([
    ['written by hand', () => ({ get: jest.fn(), set: jest.fn(), delete: jest.fn() }) as any],
    ['of createCacheMock', () => createCacheMock<Mocked<RedisCacheService>>(jest)],
  ])('work with a mock %s', async (_, mocked) => {
    const cacheService = mocked()
    const repository = new ProductRepository()
    const service = new ProductService(cacheService, repository)

    // Should return cached product on cache hit
    jest.spyOn(repository, 'findOne').mockResolvedValue(null)
    cacheService.get.mockResolvedValue(productOne)
    expect(await service.getProduct('tenant-1', '1')).toEqual(productOne)
    expect(cacheService.get).toHaveBeenCalledWith('product:tenant-1:1')
    expect(repository.findOne).not.toHaveBeenCalled()

    // Should load from DB and cache on cache miss
    cacheService.get.mockResolvedValue(null) // Cache miss
    jest.spyOn(repository, 'findOne').mockResolvedValue(productOne)
    expect(await service.getProduct('tenant-1', '1')).toEqual(productOne)
    expect(cacheService.set).toHaveBeenCalledWith('product:tenant-1:1', productOne, 300)
  })

  it('work with decorated methods, which run uncached outside Nest', async () => {
    const repository = new CustomerRepository([{ id: '1', tenantId: 'tenant-1', name: 'Ann' }])
    const handler = new CustomerQueryHandler(repository, new CountryRepository())
    await handler.getCustomer('tenant-1', '1')
    expect(await handler.getCustomer('tenant-1', '1')).toMatchObject({ name: 'Ann' })
    expect(repository.queries).toBe(2)
  })
})

describe('the database afterwards', () => {
  it('has no key without a lifetime but the tag clock', async () => {
    await waitFor('the last fill', async () => !((await server.command('KEYS', 'vextrus@lease:*')) as string[]).length)
    // `clear()` has given back the memory of what was there before it.
    expect(Number(await server.command('DBSIZE'))).toBeGreaterThan(1)
    expect(await server.scanKeysWithoutTtl(['vextrus@tags'])).toEqual([])
  })
})
