import { ConcurrencyLimit } from '../kernel/concurrency.js'
import { ValueCodec } from '../kernel/codec/value-codec.js'
import { keyGroup } from '../kernel/key.js'
import type { CacheStore, StandingHold, StoredEntry } from './cache-store.js'
import { isRefreshDue } from './early-refresh.js'
import { EntryReader, type Found } from './entry-reader.js'
import { EntryWriter } from './entry-writer.js'
import { CacheUnavailableError } from './errors.js'
import { HoldSweeper } from './hold-sweeper.js'
import { InvalidationHolds } from './invalidation-hold.js'
import { Loads } from './loader.js'
import { NearCache, type NearSurroundings } from './near-cache.js'
import type { ResolvedNearOptions } from './near-options.js'
import {
  type CacheDependencies,
  type CacheOptions,
  defaultDependencies,
  type ResolvedCacheOptions,
  resolveCacheOptions,
} from './options.js'
import { ReadThrough } from './read-through.js'
import { Reads } from './reads.js'
import { ReplayingStore } from './replaying-store.js'
import { SensitiveData } from './sensitive.js'
import { Statistics } from './statistics.js'
import { TagClock } from './tag-clock.js'
import { Tenancy } from './tenancy.js'
import { TtlPolicy } from './ttl-policy.js'
import { Values } from './values.js'

/** The parts of one cache, put together: what its operations, in whatever scope, share. */
export class CacheEngine {
  /** The given store, behind the log of what it still owes (R24). */
  readonly store: ReplayingStore
  readonly options: ResolvedCacheOptions
  readonly statistics: Statistics
  /** Null: `l1: false`. */
  readonly near: NearCache | null
  readonly reads: Reads
  readonly writer: EntryWriter
  readonly loads: Loads
  readonly readThrough: ReadThrough
  readonly values: Values
  readonly ttls: TtlPolicy
  readonly tenancy: Tenancy
  readonly holds: InvalidationHolds
  private readonly codec: ValueCodec
  private readonly sweeper: HoldSweeper
  private readonly deps: Required<{ [Part in keyof CacheDependencies]: NonNullable<CacheDependencies[Part]> }>

  /** @throws ConfigurationError, InvalidDurationError, MissingPeerError: options that can't be used */
  constructor(store: CacheStore, options: CacheOptions, { clock, random, logger }: CacheDependencies) {
    const deps = {
      clock: clock ?? defaultDependencies.clock,
      random: random ?? defaultDependencies.random,
      logger: logger ?? defaultDependencies.logger,
    }
    this.deps = deps
    this.options = resolveCacheOptions(options)
    this.tenancy = new Tenancy(options.tenancy)
    const { serializer, compression, maxValueBytes, encryption } = options
    this.codec = new ValueCodec({ serializer, compression, maxValueBytes, encryption })
    const { near } = this.options
    this.values = new Values(this.codec, new SensitiveData(options.sensitive), deps.logger, near?.values === 'frozen')
    this.ttls = new TtlPolicy(this.options, (message) => deps.logger.warn(message))
    this.statistics = new Statistics()
    const tagClock = new TagClock(this.options.maxTags)
    const failed = (error: CacheUnavailableError): void => this.statistics.failed(error)
    this.store = new ReplayingStore(store, { ...deps, onCleared: (generation) => this.reclaim(generation) })
    this.sweeper = new HoldSweeper(this.store, { ...deps, maxTags: this.options.maxTags, onError: failed })
    const onHolds = (holds: readonly StandingHold[], nowMs: number): void => this.sweeper.saw(holds, nowMs)
    this.near = near === null ? null : this.nearCache(near, tagClock, failed)
    this.store.near = this.near
    const reader = new EntryReader(this.store, tagClock, failed, onHolds, this.near)
    this.writer = new EntryWriter(this.store, tagClock)
    this.loads = new Loads({
      store: this.store,
      tagClock,
      clock: deps.clock,
      random: deps.random,
      statistics: this.statistics,
      values: this.values,
      origin: new ConcurrencyLimit(this.options.loadConcurrency),
      onHolds,
    })
    this.reads = new Reads(this.near, reader, this.values, this.statistics)
    this.readThrough = new ReadThrough(this.reads, this.loads, this.options, deps.random)
    this.holds = new InvalidationHolds(this.store, { ...deps, maxTags: this.options.maxTags, onError: failed })
  }

  private nearCache(options: ResolvedNearOptions, tagClock: TagClock, onError: NearSurroundings['onError']): NearCache {
    const { store, statistics, values } = this
    const { clock, random, logger } = this.deps
    const wantsRefresh = (entry: StoredEntry, nowMs: number): boolean =>
      isRefreshDue(entry, nowMs, this.options.earlyRefresh, random)
    return new NearCache({
      ...{ store, tagClock, clock, random, logger, statistics, values, options, wantsRefresh, onError },
    })
  }

  /** Counts a read, and writes its line in the log of misses. A hit of L1 has been counted. */
  count(key: string, { entry, nowMs, near }: Found): void {
    if (entry !== null) {
      if (near === undefined) this.statistics.hit(key)
      if (entry.softAt <= nowMs) this.statistics.stale()
      return
    }
    this.statistics.missed(key)
    const { missSample } = this.options
    if (missSample > 0 && (missSample === 1 || this.deps.random.float() < missSample)) {
      this.deps.logger.debug(`miss group=${keyGroup(key)} key=${key}`)
    }
  }

  /** How long a foreign writer's key is kept, ms; Infinity: for ever, or nobody can tell now. Null: it has just gone. */
  async lifetime(key: string): Promise<number | null> {
    try {
      return await this.store.lifetime(key)
    } catch (error) {
      if (!(error instanceof CacheUnavailableError)) throw error
      this.statistics.failed(error)
      return Infinity
    }
  }

  /** Counts an invalidation, or its failure, which goes on to the caller. */
  async invalidate<R>(work: () => Promise<R>): Promise<R> {
    try {
      const result = await work()
      this.statistics.invalidated()
      return result
    } catch (error) {
      if (error instanceof CacheUnavailableError) this.statistics.failed(error)
      throw error
    }
  }

  /** Behind the callers' backs: what of it fails is memory that is given back when the entries expire. */
  reclaim(generation: string): void {
    this.store.reclaim(generation).catch((error: unknown) => {
      if (!(error instanceof CacheUnavailableError)) throw error
      this.statistics.failed(error)
    })
  }

  /** @throws MissingPeerError */
  async prepare(): Promise<void> {
    await this.codec.prepare()
  }

  async close(): Promise<void> {
    await this.loads.close()
    this.near?.close()
    await this.sweeper.close()
    await this.store.close()
  }
}
