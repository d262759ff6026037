import { RedisCacheService } from '../cache/cache.js'
import type { GetOrSetManyOptions } from '../cache/many.js'
import type { LoadContext } from '../cache/public-types.js'
import { Statistics } from '../cache/statistics.js'

/** What `vi` of Vitest and `jest` of Jest have in common: all that {@link createCacheMock} asks of them. */
export interface MockLibrary {
  // oxlint-disable-next-line typescript/no-explicit-any -- each library has its own type of mock function
  fn(implementation?: (...args: any[]) => any): any
}

/** The part of a mock function that the libraries agree on; what a method is told to answer is not checked against its type. */
// oxlint-disable-next-line typescript/no-explicit-any -- a generic method has no one type of answer
export interface MockControls<Args extends unknown[] = any[], Answer = any> {
  readonly mock: { readonly calls: Args[] }
  mockReturnValue(value: Answer): this
  mockReturnValueOnce(value: Answer): this
  mockResolvedValue(value: Awaited<Answer>): this
  mockResolvedValueOnce(value: Awaited<Answer>): this
  mockRejectedValue(error: unknown): this
  mockRejectedValueOnce(error: unknown): this
  mockImplementation(implementation: (...args: Args) => Answer): this
  mockImplementationOnce(implementation: (...args: Args) => Answer): this
  mockClear(): this
  mockReset(): this
}

/** A `RedisCacheService` all of whose methods are mock functions. */
export type CacheMock = RedisCacheService & { readonly [Method in keyof RedisCacheService]: MockControls }

/**
 * A cache for unit tests that holds nothing: reads miss, writes do nothing, `getOrSet` and `getOrSetMany` call their loader. Every method is
 * a mock function of the library that is given.
 *
 * The type knows what the libraries have in common; for all of one, name it: `createCacheMock<jest.Mocked<RedisCacheService>>(jest)`.
 *
 * @example
 * ```ts
 * const cacheService = createCacheMock(vi)
 * cacheService.get.mockResolvedValue({ id: '1' })
 * await new ProductService(cacheService, repository).getProduct('tenant-1', '1')
 * expect(cacheService.get).toHaveBeenCalledWith('product:tenant-1:1')
 * ```
 */
export function createCacheMock<Mock extends object = CacheMock>(library: MockLibrary): Mock {
  // Of the class, so that `instanceof` holds; its constructor would need a store.
  const mock = Object.create(RedisCacheService.prototype) as Record<string, unknown>
  const methods = holdingNothing(mock as unknown as RedisCacheService)
  for (const [name, implementation] of Object.entries(methods)) mock[name] = library.fn(implementation)
  return mock as Mock
}

type Methods = { [Method in keyof RedisCacheService]: RedisCacheService[Method] }

function holdingNothing(mock: RedisCacheService): Methods {
  return {
    get: async () => null,
    lookup: async () => ({ hit: false, value: null, level: null, stale: false, ttlMs: null, tags: [] }),
    set: async () => undefined,
    setWithTags: async () => undefined,
    getOrSet: async (key, load) => load(contextOf(key)),
    getMany: async (keys) => keys.map(() => null),
    setMany: async () => undefined,
    getOrSetMany: async <K, T>(items: readonly K[], { load }: GetOrSetManyOptions<K, T>) => {
      if (items.length === 0) return []
      const loaded = await load([...items], new AbortController())
      return items.map((item, i) => (loaded instanceof Map ? loaded.get(item) : loaded[i]) ?? null)
    },
    invalidateByTag: async () => undefined,
    delete: async () => 0,
    deleteByPattern: async () => 0,
    invalidateAround: async (_targets, work) => work(new AbortController().signal),
    clear: async () => undefined,
    has: async () => false,
    ttl: async () => null,
    touch: async () => false,
    forTenant: () => mock,
    forUser: () => mock,
    prepare: async () => undefined,
    getStatistics: () => new Statistics().report(0, 0),
    resetStatistics: () => undefined,
    close: async () => undefined,
  }
}

function contextOf(key: string): LoadContext {
  const { signal } = new AbortController()
  return { key, signal, setTtl: () => undefined, addTags: () => undefined, skip: () => undefined }
}
