import type { Ttl } from '../kernel/duration.js'
import { encodeJson } from '../kernel/codec/json.js'
import { SerializationError } from '../kernel/errors.js'
import { assertKey, keyGroup } from '../kernel/key.js'
import type { CacheStore } from './cache-store.js'
import { EntryReader, type Found } from './entry-reader.js'
import { EntryWriter, type Write } from './entry-writer.js'
import { CacheUnavailableError } from './errors.js'
import { decodeEntry, Loads } from './loader.js'
import { type GetOrSetManyOptions, ManyLoads } from './many.js'
import {
  type CacheDependencies,
  type CacheOptions,
  defaultDependencies,
  type ResolvedCacheOptions,
  resolveCacheOptions,
} from './options.js'
import type { GetOrSetOptions, LoadContext, Lookup, SetManyEntry, SetManyOptions, SetOptions } from './public-types.js'
import { ReadThrough } from './read-through.js'
import { type CacheStatistics, Statistics } from './statistics.js'
import { TagClock } from './tag-clock.js'
import { checkTags } from './tags.js'
import { TtlPolicy } from './ttl-policy.js'

/**
 * The cache: reads that become misses when the store is away, loads that run once, and invalidations that always win.
 *
 * Once `delete`, `invalidateByTag` or `clear` has resolved, no read that begins later, in any process, answers a value whose load began
 * before that call (P1). Every entry has a lifetime. `null` is a value; `undefined` is never stored.
 *
 * In a Nest application it is injected; by hand: `new RedisCacheService(new MemoryCacheStore(new MemoryHub()))`.
 */
export class RedisCacheService {
  private readonly options: ResolvedCacheOptions
  private readonly statistics: Statistics
  private readonly reader: EntryReader
  private readonly writer: EntryWriter
  private readonly loads: Loads
  private readonly readThrough: ReadThrough
  private readonly ttls: TtlPolicy
  private readonly deps

  constructor(
    private readonly store: CacheStore,
    options: CacheOptions = {},
    { clock, random, logger }: CacheDependencies = {},
  ) {
    this.deps = {
      clock: clock ?? defaultDependencies.clock,
      random: random ?? defaultDependencies.random,
      logger: logger ?? defaultDependencies.logger,
    }
    this.options = resolveCacheOptions(options)
    this.ttls = new TtlPolicy(this.options, (message) => this.deps.logger.warn(message))
    this.statistics = new Statistics()
    const tagClock = new TagClock(this.options.maxTags)
    this.reader = new EntryReader(store, tagClock, (error) => this.statistics.failed(error))
    this.writer = new EntryWriter(store, tagClock)
    this.loads = new Loads(store, tagClock, this.deps.clock, this.deps.random, this.statistics)
    this.readThrough = new ReadThrough(this.reader, this.loads, this.options, this.deps.random)
  }

  /**
   * The value at `key`, or null: a miss. `false`, `0` and `''` are hits; {@link lookup} tells a cached null from a miss.
   * @throws InvalidKeyError
   */
  async get<T>(key: string): Promise<T | null> {
    assertKey(key)
    const found = await this.reader.read(key)
    this.count(key, found)
    return found.entry === null ? null : (decodeEntry(found.entry) as T)
  }

  /** As {@link get}, with what is known of the entry. @throws InvalidKeyError */
  async lookup<T>(key: string): Promise<Lookup<T>> {
    assertKey(key)
    const found = await this.reader.read(key)
    this.count(key, found)
    const { entry, nowMs } = found
    if (entry === null) return { hit: false, value: null, level: null, stale: false, ttlMs: null, tags: [] }
    return {
      hit: true,
      value: decodeEntry(entry) as T,
      level: 'l2',
      stale: entry.softAt <= nowMs,
      ttlMs: entry.hardAt - nowMs,
      tags: [...entry.tags],
    }
  }

  /**
   * Stores a value, write-through. It carries the tags given here and no others.
   *
   * When the store is away it resolves all the same – the caller's own work is done – and counts an error; `onUnavailable: 'throw'` rejects
   * with `CacheUnavailableError`. Two writers of one key that don't know of each other are last-one-wins.
   * @param ttl seconds, or `'5m'`; default `defaultTtl`
   * @throws InvalidKeyError, InvalidDurationError, SerializationError
   */
  async set<T>(key: string, value: T, ttl?: Ttl | SetOptions): Promise<void> {
    const options = typeof ttl === 'object' ? ttl : { ttl }
    await this.write(this.entry(key, value, options.ttl, options.tags), options.onUnavailable)
  }

  /** {@link set} with tags. @throws InvalidKeyError, InvalidDurationError, SerializationError */
  async setWithTags<T>(key: string, value: T, ttl: Ttl, tags: string[]): Promise<void> {
    await this.set(key, value, { ttl, tags })
  }

  /**
   * The value at `key`; when there is none, `load`'s, which is stored on the way.
   *
   * One load a key runs in the whole fleet; the other callers wait for its value (P3). The first caller gets the loaded value itself, the
   * others a copy each. A `load` that throws is called once and its error reaches everybody who waits; nothing is stored. `null` is not
   * stored unless `cacheNull`. When the store is away, `load` is called, once a process at a time.
   * @param ttl seconds, `'5m'`, or options; the loaded lifetime is shortened at random by up to `jitter`
   * @throws InvalidKeyError, InvalidDurationError, SerializationError, and whatever `load` throws
   */
  async getOrSet<T>(
    key: string,
    load: (context: LoadContext) => T | Promise<T>,
    ttl?: Ttl | GetOrSetOptions<T>,
  ): Promise<T> {
    assertKey(key)
    const options: GetOrSetOptions<T> = typeof ttl === 'object' ? ttl : { ttl }
    return this.readThrough.get(
      key,
      load,
      {
        ttlMs: this.ttls.ofLoad(key, options.ttl),
        tags: typeof options.tags === 'function' ? options.tags : checkTags(options.tags ?? []),
        cacheNullMs: this.ttls.ofNull(options.cacheNull),
      },
      (found) => this.count(key, found),
    )
  }

  /** {@link get} of many keys in one round trip; null where there is nothing. @throws InvalidKeyError */
  async getMany<T>(keys: readonly string[]): Promise<(T | null)[]> {
    return Promise.all(keys.map((key) => this.get<T>(key)))
  }

  /** {@link set} of many entries in one round trip. @throws InvalidKeyError, InvalidDurationError, SerializationError */
  async setMany(entries: readonly SetManyEntry[], options: SetManyOptions = {}): Promise<void> {
    const writes = entries.map(({ key, value, ttl, tags }) =>
      this.entry(key, value, ttl ?? options.ttl, tags ?? options.tags),
    )
    await Promise.all(writes.map((write) => this.write(write, options.onUnavailable)))
  }

  /**
   * {@link getOrSet} of many items, with one call of `load` for all that this process has to load; what another process is loading is
   * waited for afterwards. Answers in the order of `items`; null where `load` had nothing.
   * @throws InvalidKeyError, InvalidDurationError, SerializationError, LoaderResultError, and whatever `load` throws
   */
  async getOrSetMany<K, T>(items: readonly K[], options: GetOrSetManyOptions<K, T>): Promise<(T | null)[]> {
    // All of them first: a `key` that throws, or answers what can't be one, must not leave loads behind.
    const keys = items.map((item) => options.key(item))
    for (const key of keys) assertKey(key)
    const many = new ManyLoads(options.load, (loaded, work) => this.loads.runInside(loaded, work))
    const byKey = new Map<string, Promise<T | null>>()
    const { ttl, tags, cacheNull } = options
    const answers = keys.map((key, i) => {
      let answer = byKey.get(key)
      if (answer === undefined) {
        answer = this.getOrSet<T | null>(key, () => many.load(key, items[i]!), {
          ttl,
          tags,
          cacheNull,
        } as GetOrSetOptions<T | null>)
        byKey.set(key, answer)
      }
      return answer
    })
    return Promise.all(answers)
  }

  /**
   * Makes every entry that carries one of these tags a miss, in every process, at a cost that does not depend on their number.
   * @throws CacheUnavailableError it may not have happened: call again. InvalidKeyError
   */
  async invalidateByTag(tag: string | readonly string[]): Promise<void> {
    const tags = typeof tag === 'string' ? [tag] : [...new Set(tag)]
    for (const each of tags) assertKey(each, 'tag')
    if (tags.length === 0) return
    await this.invalidate(() => this.store.bumpTags(tags, this.options.maxTags))
  }

  /**
   * Removes entries, and refuses what is being loaded for them now.
   * @returns how many were there
   * @throws CacheUnavailableError it may not have happened: call again. InvalidKeyError
   */
  async delete(key: string | readonly string[]): Promise<number> {
    const keys = typeof key === 'string' ? [key] : [...new Set(key)]
    for (const each of keys) assertKey(each)
    if (keys.length === 0) return 0
    const existed = await this.invalidate(() => this.store.delete(keys))
    return existed.filter(Boolean).length
  }

  /** Makes every entry under this `keyPrefix` a miss, at once; their memory is given back when they expire. @throws CacheUnavailableError */
  async clear(): Promise<void> {
    await this.invalidate(() => this.store.clear())
  }

  /** Whether `get` would hit; not counted in the statistics. @throws InvalidKeyError */
  async has(key: string): Promise<boolean> {
    assertKey(key)
    return (await this.reader.read(key)).entry !== null
  }

  /** Seconds (with fractions) that the entry still has; null when there is none. @throws InvalidKeyError */
  async ttl(key: string): Promise<number | null> {
    assertKey(key)
    const { entry, nowMs } = await this.reader.read(key)
    return entry === null ? null : (entry.hardAt - nowMs) / 1_000
  }

  /**
   * Gives a valid entry a new lifetime from now.
   * @returns false when there is none, also when it was replaced in between by what was loaded under a newer clock
   * @throws CacheUnavailableError, InvalidKeyError, InvalidDurationError
   */
  async touch(key: string, ttl: Ttl): Promise<boolean> {
    assertKey(key)
    const ttlMs = this.ttls.ofCall(key, ttl)
    const { entry, away } = await this.reader.read(key)
    if (away)
      throw new CacheUnavailableError('the entry could not be read, so its lifetime is unchanged; call again', { key })
    return entry !== null && this.store.touch(key, entry, ttlMs)
  }

  /** Hits, misses and the rest since the start or {@link resetStatistics}, of this process. */
  getStatistics(): CacheStatistics {
    return this.statistics.report()
  }

  /** Starts the statistics anew. */
  resetStatistics(): void {
    this.statistics.reset()
  }

  /** Lets waiting callers go and finishes the fills that are under way. The store is its owner's to close. */
  async close(): Promise<void> {
    await this.loads.close()
  }

  private entry(key: string, value: unknown, ttl: Ttl | undefined, tags: readonly string[] | undefined): Write {
    assertKey(key)
    const ttlMs = this.ttls.ofCall(key, ttl)
    if (value === undefined) throw new SerializationError('$', 'undefined is never stored; use null, or delete the key')
    return { key, ttlMs, tags: checkTags(tags ?? []), deltaMs: 0, ...encodeJson(value) }
  }

  private async write(write: Write, onUnavailable: 'throw' | undefined): Promise<void> {
    try {
      await this.writer.write(write)
    } catch (error) {
      if (!(error instanceof CacheUnavailableError)) throw error
      this.statistics.failed(error)
      if (onUnavailable === 'throw') throw error
    }
  }

  private async invalidate<R>(work: () => Promise<R>): Promise<R> {
    try {
      const result = await work()
      this.statistics.invalidated()
      return result
    } catch (error) {
      if (error instanceof CacheUnavailableError) this.statistics.failed(error)
      throw error
    }
  }

  private count(key: string, found: Found): void {
    if (found.entry !== null) return this.statistics.hit(key)
    this.statistics.missed(key)
    const { missSample } = this.options
    if (missSample > 0 && (missSample === 1 || this.deps.random.float() < missSample)) {
      this.deps.logger.debug(`miss group=${keyGroup(key)} key=${key}`)
    }
  }
}
