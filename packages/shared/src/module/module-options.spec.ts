import { describe, expect, it } from 'vitest'
import { CachePattern } from '../cache/nest/cache-pattern.js'
import { MemoryHub } from '../cache/stores/memory-hub.js'
import { ConfigurationError, InvalidDurationError } from '../kernel/errors.js'
import { type RedisCacheModuleOptions, resolveModuleOptions } from './module-options.js'

describe('the options of the module', () => {
  it('are all optional, and undefined is as good as absent', () => {
    const unset: Record<keyof RedisCacheModuleOptions, undefined> = {
      ...{ driver: undefined, memory: undefined, keyPrefix: undefined, required: undefined, presets: undefined },
      ...{ host: undefined, port: undefined, username: undefined, password: undefined, db: undefined, tls: undefined },
      ...{ url: undefined, client: undefined, clientOptions: undefined, commandTimeout: undefined },
      ...{ defaultTtl: undefined, maxTtl: undefined, jitter: undefined, cacheNull: undefined, logMisses: undefined },
    }
    for (const options of [{}, unset]) {
      const { keyspace, required, presets, connection } = resolveModuleOptions(options)
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
    ['grace', { grace: '1h' }],
  ])('are refused by name: %s', (option, options) => {
    expect(() => resolveModuleOptions(options)).toThrow(ConfigurationError)
    expect(() => resolveModuleOptions(options)).toThrow(expect.objectContaining({ option }))
  })

  it.each<[RedisCacheModuleOptions, RegExp]>([
    [{ defaultTtl: 0 }, /defaultTtl/],
    [{ defaultTtl: '2h', maxTtl: '1h' }, /defaultTtl.*maxTtl/],
    [{ cacheNull: -1 }, /cacheNull/],
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
