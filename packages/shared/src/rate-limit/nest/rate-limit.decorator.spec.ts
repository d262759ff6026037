import { describe, expect, it } from 'vitest'
import { ConfigurationError, InvalidDurationError, InvalidKeyError } from '../../kernel/errors.js'
import { ownLimits, RateLimit, SkipRateLimit } from './rate-limit.decorator.js'
import type { RateLimitRouteRule } from './route-rule.js'
import { RouteTable } from './route-limits.js'

const rule = (limit: number, name?: string): RateLimitRouteRule => ({ limit, window: '1m', name })
const namesOf = (method: () => unknown, type: new () => object, all = [] as RateLimitRouteRule[]): string[] =>
  new RouteTable(all as never).find(method, type).rules.map(({ name, limit }) => `${name}: ${limit}`)

describe('@RateLimit', () => {
  it('keeps the order from top to bottom, the class before the method, and numbers what has no name', () => {
    @RateLimit(rule(1))
    @RateLimit(rule(2, 'named'))
    @RateLimit(rule(3))
    class Orders {
      @RateLimit(rule(4))
      @RateLimit(rule(5))
      @RateLimit(rule(6, 'own'))
      create(): void {}
    }
    expect(namesOf(Orders.prototype.create, Orders, [rule(7, 'all')])).toEqual([
      ...['all: 7', 'Orders: 1', 'named: 2', 'Orders#2: 3', 'Orders.create: 4', 'Orders.create#2: 5', 'own: 6'],
    ])
  })

  it('is named after the class that runs, with the rules of those that it extends first', () => {
    @RateLimit(rule(1))
    class Base {
      @RateLimit(rule(2))
      list(): void {}
    }
    @RateLimit(rule(3))
    class Derived extends Base {}
    class Plain extends Derived {
      override list(): void {}
    }
    expect(namesOf(Base.prototype.list, Base)).toEqual(['Base: 1', 'Base.list: 2'])
    expect(namesOf(Base.prototype.list, Derived)).toEqual(['Derived: 1', 'Derived#2: 3', 'Derived.list: 2'])
    // An overridden method has what is written on itself, as in all of Nest.
    expect(namesOf(Plain.prototype.list, Plain)).toEqual(['Plain: 1', 'Plain#2: 3'])
  })

  it('stands in for a rule of the same name further out', () => {
    @RateLimit(rule(2, 'calls'))
    @RateLimit(rule(3, 'exports'))
    class Orders {
      @RateLimit(rule(4, 'exports'))
      create(): void {}
    }
    expect(namesOf(Orders.prototype.create, Orders, [rule(1, 'calls')])).toEqual(['calls: 2', 'exports: 4'])
  })

  it('knows a route by the name that its class gives it, also when another decorator has wrapped it', () => {
    class Orders {
      @RateLimit(rule(1))
      create(): void {}
    }
    const wrapped = (): void => undefined
    for (const key of Reflect.getMetadataKeys(Orders.prototype.create)) {
      Reflect.defineMetadata(key, Reflect.getMetadata(key, Orders.prototype.create), wrapped)
    }
    expect(namesOf(wrapped, Orders)).toEqual(['Orders.create: 1'])
    expect(namesOf(Orders.prototype.create, class extends Orders {})).toEqual(['anonymous.create: 1'])
  })

  it('answers one list for all requests of a route', () => {
    class Orders {
      @RateLimit(rule(1))
      create(): void {}
    }
    const table = new RouteTable([])
    const { create } = Orders.prototype
    expect(table.find(create, Orders)).toBe(table.find(create, Orders))
    expect(table.find(create, Orders)).not.toBe(table.find(create, class Other extends Orders {}))
  })

  it('leaves the rule that it was given alone, and does not see what becomes of it', () => {
    const given = { limit: 1, window: '1m' }
    class Orders {
      @RateLimit(given)
      create(): void {}
    }
    given.limit = 5
    expect(namesOf(Orders.prototype.create, Orders)).toEqual(['Orders.create: 1'])
    expect(given).toEqual({ limit: 5, window: '1m' })
  })

  it.each<[string, object | null | undefined, string, unknown]>([
    ['nothing', undefined, '@RateLimit: needs a rule', ConfigurationError],
    ['null', null, '@RateLimit: needs a rule', ConfigurationError],
    ['no limit', { window: '1m' }, '@RateLimit.limit: must be a whole number', ConfigurationError],
    ['half a unit', { limit: 1.5, window: '1m' }, '@RateLimit.limit', ConfigurationError],
    ['no window', { limit: 1 }, '@RateLimit.window', InvalidDurationError],
    ['a window of 0', { limit: 1, window: 0 }, '@RateLimit.window', InvalidDurationError],
    ['a window of two years', { limit: 1, window: '730d' }, '@RateLimit.window', InvalidDurationError],
    ['an empty name', { limit: 1, window: 1, name: '' }, '@RateLimit.name', InvalidKeyError],
    ['a cost of 0', { limit: 1, window: 1, cost: 0 }, '@RateLimit.cost', ConfigurationError],
    ['an algorithm that is none', { limit: 1, window: 1, algorithm: 'x' }, '@RateLimit.algorithm', ConfigurationError],
    ['an id that is none', { limit: 1, window: 1, by: 'a b' }, '@RateLimit.by', ConfigurationError],
    [
      'a policy that is none',
      { limit: 1, window: 1, onUnavailable: 'x' },
      '@RateLimit.onUnavailable',
      ConfigurationError,
    ],
    ['a TTL', { limit: 1, window: 1, ttl: 60 }, '@RateLimit.ttl: no such option', ConfigurationError],
  ])('refuses %s at decoration', (_, given, message, type) => {
    const decorate = (): unknown => RateLimit(given as never)
    expect(decorate).toThrow(type as never)
    expect(decorate).toThrow(message)
    expect(decorate).not.toThrow('@RateLimit.@RateLimit')
  })

  it('refuses two rules of one name on one place', () => {
    expect(() => {
      class Orders {
        @RateLimit(rule(1, 'same'))
        @RateLimit(rule(2, 'same'))
        create(): void {}
      }
      return Orders
    }).toThrow('@RateLimit.name: is that of another rule on the same place')
  })

  it('refuses a place where nothing is called', () => {
    const decorate = RateLimit(rule(1)) as (...args: unknown[]) => void
    class Orders {
      static make(): void {}
      get one(): number {
        return 1
      }
    }
    const descriptor = (of: object, key: string): unknown => Object.getOwnPropertyDescriptor(of, key)
    for (const args of [
      [Orders, 'make', descriptor(Orders, 'make')],
      [Orders.prototype, 'one', descriptor(Orders.prototype, 'one')],
      [Orders.prototype, 'field', undefined],
    ]) {
      expect(() => decorate(...args)).toThrow('@RateLimit: stands on a class, or on a method of its instances')
    }
    expect(() => decorate(() => undefined, { kind: 'method' })).toThrow('experimentalDecorators')
  })
})

describe('@SkipRateLimit', () => {
  it('takes out a method, or a class with what is around it', () => {
    @RateLimit(rule(1))
    class Base {
      @SkipRateLimit()
      free(): void {}
      counted(): void {}
    }
    @SkipRateLimit()
    class Skipped extends Base {
      @RateLimit(rule(2))
      again(): void {}
    }
    @RateLimit(rule(3))
    class Again extends Skipped {}
    const all = [rule(9, 'all')]
    expect(namesOf(Base.prototype.free, Base, all)).toEqual([])
    expect(namesOf(Base.prototype.counted, Base, all)).toEqual(['all: 9', 'Base: 1'])
    expect(namesOf(Base.prototype.counted, Skipped, all)).toEqual([])
    expect(namesOf(Skipped.prototype.again, Skipped, all)).toEqual(['Skipped.again: 2'])
    expect(namesOf(Base.prototype.counted, Again, all)).toEqual(['Again: 3'])
  })

  it('contradicts a limit on the same place, above it and below it', () => {
    const above = (): unknown => {
      @SkipRateLimit()
      @RateLimit(rule(1))
      class Orders {}
      return Orders
    }
    const below = (): unknown => {
      class Orders {
        @RateLimit(rule(1))
        @SkipRateLimit()
        create(): void {}
      }
      return Orders
    }
    for (const decorate of [above, below]) expect(decorate).toThrow('@SkipRateLimit: contradicts @RateLimit')
  })

  it('is nothing where it does not stand', () => {
    expect(ownLimits(class {})).toEqual({ rules: [], skip: false, key: undefined })
  })
})
