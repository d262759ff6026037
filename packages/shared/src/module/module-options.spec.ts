import { describe, expect, it } from 'vitest'
import { CachePattern } from '../cache/nest/cache-pattern.js'
import { MemoryHub } from '../kernel/memory-hub.js'
import { ConfigurationError, InvalidDurationError } from '../kernel/errors.js'
import { type RedisCacheModuleOptions, resolveModuleOptions } from './module-options.js'

describe('the options of the module', () => {
  it('are all optional, and undefined is as good as absent', () => {
    const unset: Record<keyof RedisCacheModuleOptions, undefined> = {
      ...{
        driver: undefined,
        l1: undefined,
        memory: undefined,
        keyPrefix: undefined,
        required: undefined,
        presets: undefined,
      },
      ...{ host: undefined, port: undefined, username: undefined, password: undefined, db: undefined, tls: undefined },
      ...{ url: undefined, client: undefined, clientOptions: undefined, commandTimeout: undefined },
      ...{ sentinels: undefined, cluster: undefined, onFailover: undefined, grace: undefined, earlyRefresh: undefined },
      ...{ loadConcurrency: undefined, serializer: undefined, compression: undefined, maxValueBytes: undefined },
      ...{ encryption: undefined, tenancy: undefined, sensitive: undefined, loadTimeout: undefined },
      ...{
        lock: undefined,
        rateLimit: undefined,
        session: undefined,
        jwt: undefined,
        pubsub: undefined,
        use: undefined,
      },
      ...{ defaultTtl: undefined, maxTtl: undefined, jitter: undefined, cacheNull: undefined, logMisses: undefined },
    }
    for (const options of [{}, unset]) {
      const { keyspace, required, presets, connection, onFailover, tenancy } = resolveModuleOptions(options)
      expect([onFailover, tenancy.required, tenancy.defaultKeyTenant()]).toEqual(['flush', false, undefined])
      expect([keyspace.prefix, required, presets.ttlOf(CachePattern.CONFIG)]).toEqual(['vextrus:', false, 86_400])
      expect(connection).toBeDefined()
    }
  })

  it('take a server, or memory', () => {
    const hub = new MemoryHub()
    expect(resolveModuleOptions({ host: 'redis', port: 6_380 }).connection).toMatchObject({
      host: 'redis',
      port: 6_380,
    })
    expect(resolveModuleOptions({ driver: 'memory', memory: hub, required: false, tls: false })).toMatchObject({
      connection: undefined,
      hub,
    })
  })

  it('go on to the connection and to the cache', () => {
    const sentinels = { nodes: ['127.0.0.1:26379'], name: 'mymaster' }
    expect(resolveModuleOptions({ sentinels, onFailover: 'trust' })).toMatchObject({
      connection: { sentinels },
      onFailover: 'trust',
    })
    const cluster = { nodes: [{ host: '127.0.0.1', port: 7_000 }] }
    expect(resolveModuleOptions({ cluster }).connection).toMatchObject({ cluster })
    const cache: RedisCacheModuleOptions = {
      ...{ grace: '1h', earlyRefresh: false, loadTimeout: { soft: '1s', hard: '5s' } },
      ...{ loadConcurrency: 5, maxValueBytes: 1_000 },
      ...{ compression: false, encryption: { keys: [{ id: 'a', secret: 'sixteen characters' }] } },
      ...{ tenancy: { required: true, global: ['currency'] } },
      l1: { maxEntries: 10, ttl: '10s', values: 'frozen', staleness: '400ms', audit: { sample: 0.01 } },
      serializer: 'json',
      sensitive: { action: 'skip' },
    }
    const resolved = resolveModuleOptions(cache)
    expect(resolved.cache).toMatchObject(cache)
    expect(resolved.stalenessMs).toBe(400)
    expect(resolved.tenancy.required).toBe(true)
  })

  it('go on to the locks', () => {
    const lock = { ttl: '30s', wait: 0, replicas: 1, localTurns: 4 }
    const options: RedisCacheModuleOptions = { lock, use: { lock: 'locks' } }
    expect(resolveModuleOptions(options)).toMatchObject(options)
    expect(resolveModuleOptions({ driver: 'memory', use: { lock: undefined } }).use.lock).toBeUndefined()
    expect(() => resolveModuleOptions({ lock: { ttl: 0 } })).toThrow(/lock\.ttl/)
    expect(() => resolveModuleOptions({ lock: { wait: -1 } })).toThrow(/lock\.wait/)
  })

  it('go on to the rate limits and their guard', () => {
    const rateLimit = {
      ...{ timeout: '50ms', instances: 4, denyCache: { maxEntries: 100 }, plan: () => undefined, planTtl: '5m' },
      ...{ rules: [{ limit: 100, window: '1m' }], shadow: true, headers: false, ipv6Prefix: 56 },
    }
    const options: RedisCacheModuleOptions = { rateLimit, use: { lock: 'kept', rateLimit: 'kept' } }
    expect(resolveModuleOptions(options)).toMatchObject(options)
    expect(resolveModuleOptions({ use: { rateLimit: undefined } })).toMatchObject({ rateLimit: {}, use: {} })
    expect(() => resolveModuleOptions({ rateLimit: { timeout: 0 } })).toThrow(/rateLimit\.timeout/)
    expect(() => resolveModuleOptions({ rateLimit: { planTtl: -1 } })).toThrow(/rateLimit\.planTtl/)
  })

  it('leave the connection at its own pace without L1, and where hits are to be strict', () => {
    expect(resolveModuleOptions({ l1: false }).stalenessMs).toBeUndefined()
    expect(resolveModuleOptions({ l1: { staleness: 'strict' } }).stalenessMs).toBe(2_000)
  })

  it('complete the prefix', () => {
    expect(resolveModuleOptions({ keyPrefix: 'shop' }).keyspace.prefix).toBe('shop:')
  })

  it.each<[string, object]>([
    ['port', { port: NaN }],
    ['port', { port: '6379' }],
    ['driver', { driver: 'memcached' }],
    ['hots', { hots: 'redis' }],
    ['keyPrefix', { keyPrefix: 'a:b:' }],
    ['required', { required: 'yes' }],
    ['memory', { memory: new MemoryHub() }],
    ['memory', { driver: 'memory', memory: {} }],
    ['host', { driver: 'memory', host: 'redis' }],
    ['url', { driver: 'memory', url: 'redis://redis' }],
    ['commandTimeout', { driver: 'memory', commandTimeout: '1s' }],
    ['required', { driver: 'memory', required: true }],
    ['host', { host: 'redis', url: 'redis://redis' }],
    ['clientOptions.keyPrefix', { clientOptions: { keyPrefix: 'x' } }],
    ['jitter', { jitter: 2 }],
    ['logMisses.sample', { logMisses: { sample: 7 } }],
    ['presets.sessions', { presets: { sessions: 5 } }],
    ['maxTags', { maxTags: 500 }],
    ['l1', { l1: true }],
    ['l1', { l1: null }],
    ['l1.maxBytes', { l1: { maxBytes: 0 } }],
    ['l1.maxEntries', { l1: { maxEntries: 0.5 } }],
    ['l1.values', { l1: { values: 'cloned' } }],
    ['l1.staleness', { driver: 'memory', l1: { staleness: 99 } }],
    ['l1.audit.sample', { l1: { audit: { sample: 2 } } }],
    ['lock', { lock: true }],
    ['lock.timeout', { lock: { timeout: 5 } }],
    ['lock.replicas', { lock: { replicas: -1 } }],
    ['lock.localTurns', { driver: 'memory', lock: { localTurns: 0 } }],
    ['rateLimit', { rateLimit: false }],
    ['rateLimit', { rateLimit: null }],
    ['rateLimit.limit', { rateLimit: { limit: 100 } }],
    ['rateLimit.instances', { rateLimit: { instances: 0 } }],
    ['rateLimit.denyCache', { rateLimit: { denyCache: true } }],
    ['rateLimit.denyCache.maxEntries', { driver: 'memory', rateLimit: { denyCache: { maxEntries: 0.5 } } }],
    ['rateLimit.plan', { rateLimit: { plan: { free: {} } } }],
    ['rateLimit.shadow', { rateLimit: { shadow: 'yes' } }],
    ['rateLimit.ipv6Prefix', { rateLimit: { ipv6Prefix: 0 } }],
    ['rateLimit.rules[0].limit', { rateLimit: { rules: [{ limit: -1, window: '1m' }] } }],
    ['use.rateLimit', { use: { rateLimit: '' } }],
    ['use.sessions', { use: { sessions: 'a' } }],
    ['use.session', { use: { session: '' } }],
    ['use.jwt', { use: { jwt: 5 } }],
    ['use.pubsub', { use: { pubsub: null } }],
    ['use', { use: 'locks' }],
    ['use', { use: null }],
    ['use.lock', { use: { lock: '' } }],
    ['use.locks', { use: { locks: 'a' } }],
    ['sessions', { sessions: {} }],
    ['session', { session: 'on' }],
    ['session.ttl', { session: { ttl: '30m' } }],
    ['session.idle', { session: { idle: '13h' } }],
    ['session.from', { session: { from: { header: '' } } }],
    ['session.maxPerUser', { session: { maxPerUser: 0 } }],
    ['jwt', { jwt: null }],
    ['jwt.secret', { jwt: { secret: 'x' } }],
    ['jwt.onUnavailable', { jwt: { onUnavailable: 'fail' } }],
    ['jwt.isPublic', { jwt: { isPublic: 5 } }],
    ['pubsub', { pubsub: 5 }],
    ['pubsub.durable', { pubsub: { durable: true } }],
    ['pubsub.maxQueued', { pubsub: { maxQueued: 0 } }],
    ['pubsub.sharded', { pubsub: { sharded: 'yes' } }],
    ['earlyRefresh', { earlyRefresh: 'yes' }],
    ['loadConcurrency', { loadConcurrency: 0 }],
    ['serializer', { serializer: 'xml' }],
    ['compression.threshold', { compression: { threshold: -1, algorithm: 'gzip' } }],
    ['maxValueBytes', { maxValueBytes: 0 }],
    ['encryption.keys', { encryption: { keys: [] } }],
    ['tenancy.required', { tenancy: { required: 1 } }],
    ['tenancy.global', { tenancy: { global: ['a:b'] } }],
    ['sensitive.action', { sensitive: { action: 'warn' } }],
    ['onFailover', { onFailover: 'ignore' }],
    ['onFailover', { driver: 'memory', onFailover: 'flush' }],
    ['sentinels', { driver: 'memory', sentinels: { nodes: ['a'], name: 'm' } }],
    ['cluster', { driver: 'memory', cluster: { nodes: ['a'] } }],
    ['sentinels.name', { sentinels: { nodes: ['a:1'] } }],
    ['host', { host: 'redis', cluster: { nodes: ['a:1'] } }],
  ])('are refused by name: %s', (option, options) => {
    expect(() => resolveModuleOptions(options)).toThrow(ConfigurationError)
    expect(() => resolveModuleOptions(options)).toThrow(expect.objectContaining({ option }))
  })

  it.each<[RedisCacheModuleOptions, RegExp]>([
    [{ defaultTtl: 0 }, /defaultTtl/],
    [{ defaultTtl: '2h', maxTtl: '1h' }, /defaultTtl.*maxTtl/],
    [{ cacheNull: -1 }, /cacheNull/],
    [{ grace: 'long' }, /grace/],
    [{ grace: '60d' }, /grace.*maxTtl/],
    [{ l1: { ttl: 0 } }, /l1\.ttl/],
    [{ l1: { ttl: '60d' } }, /l1\.ttl.*maxTtl/],
    [{ l1: { staleness: 'soon' as never } }, /l1\.staleness/],
    [{ commandTimeout: 'soon' }, /commandTimeout/],
    [{ presets: { [CachePattern.REPORT]: 'a while' } }, /presets.report/],
    [{ presets: { [CachePattern.REPORT]: '2d' }, maxTtl: '1d' }, /presets.report.*maxTtl/],
  ])('are refused when a duration can not be used: %j', (options, message) => {
    expect(() => resolveModuleOptions(options)).toThrow(InvalidDurationError)
    expect(() => resolveModuleOptions(options)).toThrow(message)
  })

  it('are refused when they are no options', () => {
    expect(() => resolveModuleOptions(null as never)).toThrow(/forRoot/)
  })
})
