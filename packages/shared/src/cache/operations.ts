import type { Encoded } from '../kernel/codec/value-codec.js'
import { FOREIGN_CODEC } from '../kernel/codec/envelope.js'
import { versionText } from '../kernel/codec/version.js'
import { SerializationError } from '../kernel/errors.js'
import type { Ttl } from '../kernel/duration.js'
import type { StoredEntry } from './cache-store.js'
import type { CacheEngine } from './engine.js'
import type { Found } from './entry-reader.js'
import type { Write } from './entry-writer.js'
import { CacheUnavailableError } from './errors.js'
import type { HoldOptions, HoldTargets } from './invalidation-hold.js'
import { type GetOrSetManyOptions, ManyLoads } from './many.js'
import { type NearCache, NOT_NEAR } from './near-cache.js'
import { nearMsOf } from './near-options.js'
import type { GetOrSetOptions, LoadContext, Lookup, SetManyEntry, SetManyOptions, SetOptions } from './public-types.js'
import type { Read } from './reads.js'
import type { ReadThroughOptions } from './read-through.js'
import type { Scope } from './scope.js'
import { storedTags } from './tags.js'
import { UNREADABLE } from './values.js'

/**
 * The operations of a cache, inside one scope: the whole `keyPrefix`, a tenant (`forTenant`), a user (`forUser`), or both.
 *
 * Once `delete`, `invalidateByTag`, `deleteByPattern`, `invalidateAround` or `clear` has resolved, no read of the store that begins later, in
 * any process, answers a value whose load began before that call (P1). The memory of this process follows at once, that of others with the
 * push, `l1.staleness` later at the latest (P2). Every entry has a lifetime. `null` is a value; `undefined` is never stored.
 */
export class RedisCache {
  /** @internal made by `RedisCacheService`, `forTenant` and `forUser` */
  constructor(
    protected readonly engine: CacheEngine,
    private readonly scope: Scope,
  ) {}

  /**
   * The value at `key`, or null: a miss. `false`, `0` and `''` are hits; {@link lookup} tells a cached null from a miss. A stale value is
   * answered within its grace.
   * @throws InvalidKeyError, TenantKeyError
   */
  async get<T>(key: string): Promise<T | null> {
    const { near } = this.engine
    if (near !== null) {
      const kept = nearHit(near, this.scope, key, false)
      if (kept !== NOT_NEAR) return kept as T
    }
    const { value } = await this.read(this.scope.key(key))
    return value === UNREADABLE ? null : (value as T)
  }

  /** As {@link get}, with what is known of the entry. @throws InvalidKeyError, TenantKeyError */
  async lookup<T>(key: string): Promise<Lookup<T>> {
    const stored = this.scope.key(key)
    const { value, found } = await this.read(stored)
    const { entry, nowMs, near } = found
    if (entry === null) {
      return { hit: false, value: null, level: null, stale: false, ttlMs: null, tags: [] }
    }
    return {
      hit: true,
      value: value as T,
      level: near === undefined ? 'l2' : 'l1',
      stale: entry.softAt <= nowMs,
      ttlMs: entry.codec === FOREIGN_CODEC ? await this.engine.lifetime(stored) : Math.max(0, entry.softAt - nowMs),
      tags: this.scope.ownTags(entry.tags),
    }
  }

  /**
   * Stores a value, write-through. It carries the tags given here and no others.
   *
   * When the store is away it resolves all the same – the caller's own work is done –, counts an error, and the key is deleted as soon as the
   * store answers again; `onUnavailable: 'throw'` rejects with `CacheUnavailableError`. Two writers of one key that don't know of each other
   * are last-one-wins, unless they give versions. A value above `maxValueBytes` is not stored, and what was there before goes.
   * @param ttl seconds, or `'5m'`; default `defaultTtl`
   * @throws InvalidKeyError, TenantKeyError, InvalidDurationError, ConfigurationError (version), SerializationError, SensitiveDataError
   */
  async set<T>(key: string, value: T, ttl?: Ttl | SetOptions): Promise<void> {
    const options = typeof ttl === 'object' ? ttl : { ttl }
    await this.write(this.entry(key, value, options), options.onUnavailable)
  }

  /** {@link set} with tags. @throws as {@link set} */
  async setWithTags<T>(key: string, value: T, ttl: Ttl, tags: string[]): Promise<void> {
    await this.set(key, value, { ttl, tags })
  }

  /**
   * The value at `key`; when there is none, `load`'s, which is stored on the way.
   *
   * One load a key runs in the whole fleet; the other callers wait for its value (P3). The first caller gets the loaded value itself, the
   * others a copy each. A `load` that throws is called once and its error reaches everybody who waits; nothing is stored. `null` is not
   * stored unless `cacheNull`. A stale value is answered at once, within its `grace`, and loaded anew behind the callers' backs; where that
   * load answers what is not stored, the stale value goes, unless it was the loader that said `skip()`. When a load fails and a stale value is
   * at hand, that is answered; `loadTimeout` says how long a caller waits. When the store is away, `load` is called, once a key and process at a time, and for at most `loadConcurrency` keys at once.
   * @param ttl seconds, `'5m'`, or options; the loaded lifetime is shortened at random by up to `jitter`
   * @throws InvalidKeyError, TenantKeyError, InvalidDurationError, ConfigurationError (loadTimeout), SerializationError, LoadTimeoutError,
   * CacheClosedError, the reason of `signal`, and whatever `load` throws
   */
  async getOrSet<T>(
    key: string,
    load: (context: LoadContext) => T | Promise<T>,
    ttl?: Ttl | GetOrSetOptions<T>,
  ): Promise<T> {
    if (typeof ttl === 'object') ttl.signal?.throwIfAborted()
    const { near } = this.engine
    if (near !== null && (typeof ttl !== 'object' || ttl.l1 !== false)) {
      const kept = nearHit(near, this.scope, key, true)
      if (kept !== NOT_NEAR) {
        const { due } = near
        if (due !== null) {
          near.due = null
          this.refresh(key, load, ttl, due)
        }
        return kept as T
      }
    }
    const stored = this.scope.key(key)
    return this.engine.readThrough.get(stored, load, this.plan(stored, ttl), this.scope, (found) =>
      this.engine.count(stored, found),
    )
  }

  /** {@link get} of many keys in one round trip; null where there is nothing. @throws InvalidKeyError, TenantKeyError */
  async getMany<T>(keys: readonly string[]): Promise<(T | null)[]> {
    return Promise.all(keys.map((key) => this.get<T>(key)))
  }

  /** {@link set} of many entries in one round trip. @throws as {@link set}; then nothing is stored */
  async setMany(entries: readonly SetManyEntry[], options: SetManyOptions = {}): Promise<void> {
    // All of them encoded first: one that can't be stored leaves the others unsent, and entries of one key are sent in their order.
    const writes = await Promise.all(
      entries.map(async ({ key, value, ttl, tags, version }) => {
        const write = this.entry(key, value, {
          ttl: ttl ?? options.ttl,
          tags: tags ?? options.tags,
          version: version ?? options.version,
          grace: options.grace,
          l1: options.l1,
        })
        return { ...write, encoded: await write.encoded }
      }),
    )
    await Promise.all(writes.map((write) => this.write(write, options.onUnavailable)))
  }

  /**
   * {@link getOrSet} of many items, with one call of `load` for all that this process has to load; what another process is loading is
   * waited for afterwards. Answers in the order of `items`; null where `load` had nothing.
   * @throws LoaderResultError, and as {@link getOrSet}
   */
  async getOrSetMany<K, T>(items: readonly K[], options: GetOrSetManyOptions<K, T>): Promise<(T | null)[]> {
    // All of them first: a `key` that throws, or answers what can't be one, must not leave loads behind.
    const keys = items.map((item) => options.key(item))
    // Of its own: loads come later, a refresh even after this call, when the caller may have changed the list.
    const asked = [...items]
    const stored = keys.map((key) => this.scope.key(key))
    const many = new ManyLoads(options.load, (loaded, work) => this.engine.loads.runInside(loaded, work))
    const byKey = new Map<string, Promise<T | null>>()
    const { ttl, tags, cacheNull, grace, l1, loadTimeout, signal } = options
    const answers = keys.map((key, i) => {
      let answer = byKey.get(key)
      if (answer === undefined) {
        answer = this.getOrSet<T | null>(key, (context) => many.load(stored[i]!, asked[i]!, context), {
          ttl,
          tags,
          cacheNull,
          grace,
          l1,
          loadTimeout,
          signal,
        } as GetOrSetOptions<T | null>)
        byKey.set(key, answer)
      }
      return answer
    })
    return Promise.all(answers)
  }

  /**
   * Makes every entry that carries one of these tags a miss, in every process, at a cost that does not depend on their number.
   * @throws CacheUnavailableError `pending`: this process repeats it as soon as the store answers. InvalidKeyError, TenantKeyError
   */
  async invalidateByTag(tag: string | readonly string[]): Promise<void> {
    const tags = this.storedNames(tag, (each) => this.scope.tag(each))
    if (tags.length === 0) return
    await this.engine.invalidate(() => this.engine.store.bumpTags(tags, this.engine.options.maxTags))
  }

  /**
   * Removes entries, and refuses what is being loaded for them now.
   * @returns how many were there
   * @throws CacheUnavailableError `pending`: this process repeats it as soon as the store answers. InvalidKeyError, TenantKeyError
   */
  async delete(key: string | readonly string[]): Promise<number> {
    const keys = this.storedNames(key, (each) => this.scope.key(each))
    if (keys.length === 0) return 0
    const existed = await this.engine.invalidate(() => this.engine.store.delete(keys))
    return existed.filter(Boolean).length
  }

  /**
   * {@link delete} of every key that matches a Redis glob (`*`, `?`, `[a-z]`; `escapeGlob` for what is meant literally). It scans the keys of
   * every master twice: where it is called often, tags do the same at the cost of one command.
   * @returns how many entries were there
   * @throws CacheUnavailableError `pending`: this process repeats it as soon as the store answers. InvalidKeyError, TenantKeyError
   */
  async deleteByPattern(glob: string): Promise<number> {
    const stored = this.scope.glob(glob)
    return this.engine.invalidate(() => this.engine.store.deletePattern(stored))
  }

  /**
   * Invalidates around `work`, such that a process that dies between its commit and the invalidation leaves misses, never stale hits: while
   * `work` runs nobody is answered an entry of `targets`, and nothing is stored for them; afterwards, also when `work` throws, they are gone.
   *
   * `work`'s signal fires when the hold could not be renewed: from then on the store may forget it, so commit nothing any more.
   * @returns what `work` answers; also when the last step failed, which is then repeated by this process
   * @throws CacheUnavailableError the hold could not be placed, and `work` was not called; InvalidKeyError, TenantKeyError,
   * InvalidDurationError, ConfigurationError, and whatever `work` throws
   */
  async invalidateAround<T>(
    targets: HoldTargets,
    work: (signal: AbortSignal) => T | PromiseLike<T>,
    options: HoldOptions = {},
  ): Promise<T> {
    const keys = this.storedNames(targets.keys ?? [], (key) => this.scope.key(key))
    const tags = this.storedNames(targets.tags ?? [], (tag) => this.scope.tag(tag))
    // The holds count their own errors; those of `work` are not the store's, or were counted where they came from.
    const result = await this.engine.holds.around({ keys, tags }, work, options)
    this.engine.statistics.invalidated()
    return result
  }

  /**
   * Makes every entry of this scope a miss, at once: all under the `keyPrefix`, or, inside `forTenant` and `forUser`, what was written through
   * it. The memory of a whole prefix is given back by a scan in the background, else when the entries expire.
   * @throws CacheUnavailableError `pending`: this process repeats it as soon as the store answers. TenantKeyError
   */
  async clear(): Promise<void> {
    const tags = this.scope.clears()
    const { engine } = this
    if (tags !== null) return engine.invalidate(() => engine.store.bumpTags(tags, engine.options.maxTags))
    engine.reclaim(await engine.invalidate(() => engine.store.clear()))
  }

  /** Whether a valid entry is there, a stale one within its grace too; counts neither hit nor miss. @throws InvalidKeyError, TenantKeyError */
  async has(key: string): Promise<boolean> {
    return (await this.look(this.scope.key(key))).entry !== null
  }

  /** Seconds (with fractions) until the entry is stale, 0 when it is; null when there is none. @throws InvalidKeyError, TenantKeyError */
  async ttl(key: string): Promise<number | null> {
    const stored = this.scope.key(key)
    const { entry, nowMs } = await this.look(stored)
    if (entry === null) return null
    const ms = entry.codec === FOREIGN_CODEC ? await this.engine.lifetime(stored) : Math.max(0, entry.softAt - nowMs)
    return ms === null ? null : ms / 1_000
  }

  /**
   * Gives a valid entry a new lifetime from now; its grace stays as long as it was.
   * @returns false when there is none, also when it was replaced in between by what was loaded under a newer clock
   * @throws CacheUnavailableError, InvalidKeyError, TenantKeyError, InvalidDurationError
   */
  async touch(key: string, ttl: Ttl): Promise<boolean> {
    const stored = this.scope.key(key)
    const ttlMs = this.engine.ttls.ofCall(stored, ttl)
    const { entry, away } = await this.look(stored, 0)
    if (away)
      throw new CacheUnavailableError('the entry could not be read, so its lifetime is unchanged; call again', { key })
    if (entry === null) return false
    const graceMs = entry.codec === FOREIGN_CODEC ? 0 : entry.hardAt - entry.softAt
    return this.engine.store.touch(stored, entry, { ttlMs, graceMs })
  }

  /**
   * The same operations inside a tenant: its id becomes the second segment of keys, globs and tags (`product:42` → `product:t1:42`).
   * @param tenantId 1–128 bytes without `: * ? [ ] \ { }` and control characters
   * @throws TenantKeyError
   */
  forTenant(tenantId: string): RedisCache {
    return new RedisCache(this.engine, this.scope.tenant(tenantId))
  }

  /** The same operations inside a user, and, of a tenant's cache, inside both. @param userId as a tenant's @throws InvalidKeyError, TenantKeyError */
  forUser(userId: string): RedisCache {
    return new RedisCache(this.engine, this.scope.user(userId))
  }

  private async read(stored: string): Promise<Read> {
    const read = await this.engine.reads.read(stored, undefined)
    this.engine.count(stored, read.found)
    return read
  }

  /** Without counting it. @param nearMs 0: what the store itself has */
  private async look(stored: string, nearMs?: 0): Promise<Found> {
    return (await this.engine.reads.read(stored, nearMs, false)).found
  }

  private plan<T>(stored: string, ttl: Ttl | GetOrSetOptions<T> | undefined): ReadThroughOptions<T> {
    const options: GetOrSetOptions<T> = typeof ttl === 'object' ? ttl : { ttl }
    const { ttls } = this.engine
    return {
      ttlMs: ttls.ofLoad(stored, options.ttl),
      graceMs: ttls.ofGrace(options.grace),
      tags: typeof options.tags === 'function' ? options.tags : storedTags(this.scope, options.tags ?? []),
      cacheNullMs: ttls.ofNull(options.cacheNull),
      nearMs: nearMsOf(options.l1, this.engine.options.maxTtlMs),
      loadTimeout: options.loadTimeout,
      signal: options.signal,
    }
  }

  private refresh<T>(
    key: string,
    load: (context: LoadContext) => T | Promise<T>,
    ttl: Ttl | GetOrSetOptions<T> | undefined,
    due: StoredEntry,
  ): void {
    const stored = this.scope.key(key)
    this.engine.readThrough.refresh(stored, load, this.plan(stored, ttl), this.scope, due)
  }

  private storedNames(names: string | readonly string[], stored: (name: string) => string): string[] {
    return typeof names === 'string' ? [stored(names)] : [...new Set(names.map(stored))]
  }

  /** Checked and mapped at once; encoded before it is sent. */
  private entry(key: string, value: unknown, { ttl, tags, version, grace, l1 }: SetOptions): PendingWrite {
    const stored = this.scope.key(key)
    const { ttls, values } = this.engine
    const ttlMs = ttls.ofCall(stored, ttl)
    if (value === undefined) throw new SerializationError('$', 'undefined is never stored; use null, or delete the key')
    return {
      key: stored,
      ttlMs,
      graceMs: ttls.ofGrace(grace),
      tags: storedTags(this.scope, tags ?? []),
      version: version === undefined ? null : versionText(version),
      deltaMs: 0,
      nearMs: nearMsOf(l1, this.engine.options.maxTtlMs),
      encoded: values.ofWrite(stored, value, key),
    }
  }

  private async write({ encoded, ...write }: PendingWrite, onUnavailable: 'throw' | undefined): Promise<void> {
    const { engine } = this
    const value = encoded instanceof Promise ? await encoded : encoded
    try {
      // What must not be stored must not leave the value from before either.
      if (value === null) await engine.store.delete([write.key])
      else await engine.writer.write({ ...write, codec: value.codec, payload: value.payload })
    } catch (error) {
      if (!(error instanceof CacheUnavailableError)) throw error
      engine.statistics.failed(error)
      if (onUnavailable === 'throw') throw error
    }
  }
}

/** {@link NearCache.hit}. A plain name is not checked: what lies in L1 under a name is under one that may be asked for. */
function nearHit(near: NearCache, scope: Scope, key: string, canLoad: boolean): unknown {
  return near.hit(scope.isPlain ? key : scope.key(key), canLoad)
}

type PendingWrite = Omit<Write, 'codec' | 'payload'> & { readonly encoded: Encoded | null | Promise<Encoded | null> }
