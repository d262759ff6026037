// The types of the decorators: where they may stand, and what their options take.
import { CachePattern } from '@vextrus/shared/cache'
import { CacheEvict, CachePut, Cacheable } from '@vextrus/shared/utils'

interface Customer {
  readonly id: string
  readonly active: boolean
}

export class Customers {
  @Cacheable()
  async withDefaults(id: string): Promise<Customer> {
    return { id, active: true }
  }

  @Cacheable({
    ttl: (customer: Customer) => (customer.active ? 86_400 : '5m'),
    keyGenerator: (id: string) => `customer:${id}`,
    tags: (customer: Customer, id: string) => [customer.id, id],
    condition: (id: string) => id !== '',
    unless: (customer: Customer | null) => customer === null,
    grace: '1h',
    l1: { ttl: '10s' },
    cacheNull: '10s',
    connection: 'reports',
  })
  async withEverything(id: string): Promise<Customer | null> {
    return { id, active: true }
  }

  @Cacheable({ preset: CachePattern.LOOKUP, tags: ['customers'], ttl: undefined })
  async withPreset(): Promise<Customer[]> {
    return []
  }

  @CachePut({ key: (customer: Customer) => `customer:${customer.id}`, ttl: 300 })
  async put(customer: Customer): Promise<Customer> {
    return customer
  }

  @CachePut({
    keyGenerator: (customer: Customer) => `customer:${customer.id}`,
    version: (customer: Customer & { changedAt: Date }) => customer.changedAt,
    onUnavailable: 'throw',
  })
  async putNewer(customer: Customer): Promise<Customer> {
    return customer
  }

  @CachePut({ keyGenerator: () => 'a', version: () => 7n, onUnavailable: undefined })
  async putCounted(): Promise<number> {
    return 1
  }

  @CacheEvict({ pattern: (tenantId: string) => `customer:${tenantId}:*`, onUnavailable: 'throw' })
  async evictPattern(_tenantId: string): Promise<void> {}

  @CacheEvict({ keyGenerator: (id: string) => `customer:${id}`, hold: true })
  async evictAround(_id: string): Promise<void> {}

  @CacheEvict({ keyGenerator: (id: string) => [`customer:${id}`, 'customers:all'], tags: (id: string) => [id] })
  async evict(_id: string): Promise<void> {}

  @CacheEvict({ allEntries: true, beforeInvocation: true })
  async evictAll(): Promise<void> {}
}

export class Misused {
  // @ts-expect-error a method has to answer a promise, or it could not wait for the cache
  @Cacheable({ ttl: 300 })
  synchronous(): number {
    return 1
  }

  // @ts-expect-error there is no such option
  @Cacheable({ expires: 300 })
  async unknownOption(): Promise<number> {
    return 1
  }

  // @ts-expect-error L1 is on anyway: false, or for how long
  @Cacheable({ l1: true })
  async nearAsFlag(): Promise<number> {
    return 1
  }

  // @ts-expect-error a write says nothing of L1
  @CachePut({ keyGenerator: () => 'a', l1: false })
  async putBesideL1(): Promise<number> {
    return 1
  }

  // @ts-expect-error a key is a string
  @Cacheable({ keyGenerator: (id: string) => id.length })
  async numberAsKey(id: string): Promise<string> {
    return id
  }

  // @ts-expect-error a version is a number, a bigint or a Date
  @CachePut({ keyGenerator: () => 'a', version: () => 'v2' })
  async textAsVersion(): Promise<number> {
    return 1
  }

  // @ts-expect-error one pattern
  @CacheEvict({ pattern: () => ['a*', 'b*'] })
  async listOfPatterns(): Promise<void> {}

  // @ts-expect-error a preset is a CachePattern
  @CachePut({ keyGenerator: () => 'a', preset: 'hourly' })
  async unknownPreset(): Promise<number> {
    return 1
  }
}
