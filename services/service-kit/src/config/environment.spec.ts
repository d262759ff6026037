import { describe, expect, it } from 'vitest'
import { describeRedis, readServiceConfig } from './environment.js'

const readConfig = (env: Record<string, string>) => readServiceConfig(env, 3000)

describe('the configuration of a service', () => {
  it('is an embedded database, the memory driver and the service’s own port when nothing is set', () => {
    expect(readConfig({})).toEqual({ port: 3000, databasePool: 10 })
  })

  it('takes an empty variable for one that is not set', () => {
    expect(readConfig({ PORT: '', DATABASE_URL: '', REDIS_URL: '', REDIS_HOST: '' })).toEqual(readConfig({}))
  })

  it('takes PORT 0 for any free port', () => {
    expect(readConfig({ PORT: '0' }).port).toBe(0)
  })

  it('reads Redis from a URL, or from host, port and password', () => {
    expect(readConfig({ REDIS_URL: 'redis://r:1' }).redis).toEqual({ url: 'redis://r:1' })
    expect(readConfig({ REDIS_HOST: 'r' }).redis).toEqual({ host: 'r', port: 6379 })
    expect(readConfig({ REDIS_HOST: 'r', REDIS_PORT: '7000', REDIS_PASSWORD: 'pw' }).redis).toEqual({
      host: 'r',
      port: 7000,
      password: 'pw',
    })
  })

  it('reads Sentinels and the name of their master, or nodes of a Cluster', () => {
    const sentinels = { REDIS_SENTINELS: 'a:26379, b', REDIS_SENTINEL_NAME: 'erp' }
    expect(readConfig(sentinels).redis).toEqual({ sentinels: { nodes: ['a:26379', 'b'], name: 'erp' } })
    expect(readConfig({ ...sentinels, REDIS_PASSWORD: 'pw', REDIS_SENTINEL_PASSWORD: 'sp' }).redis).toEqual({
      sentinels: { nodes: ['a:26379', 'b'], name: 'erp', password: 'sp' },
      password: 'pw',
    })
    expect(readConfig({ REDIS_CLUSTER: '10.0.0.1:7000,[::1]:7001', REDIS_PASSWORD: 'pw' }).redis).toEqual({
      cluster: { nodes: ['10.0.0.1:7000', '[::1]:7001'] },
      password: 'pw',
    })
  })

  it.each([
    ['PORT', { PORT: '65536' }],
    ['PORT', { PORT: 'http' }],
    ['DATABASE_POOL', { DATABASE_POOL: '0' }],
    ['REDIS_PORT', { REDIS_HOST: 'r', REDIS_PORT: '-1' }],
    ['REDIS_URL', { REDIS_URL: 'secret@r:6379' }],
    ['REDIS_URL', { REDIS_URL: 'http://:secret@r:6379' }],
    ['REDIS_CLUSTER', { REDIS_CLUSTER: 'redis://:secret@r:1' }],
    ['REDIS_SENTINELS', { REDIS_SENTINELS: 'a,,b', REDIS_SENTINEL_NAME: 'erp' }],
    ['REDIS_SENTINEL_NAME', { REDIS_SENTINELS: 'a' }],
    ['REDIS_SENTINELS, REDIS_CLUSTER', { REDIS_SENTINELS: 'a', REDIS_SENTINEL_NAME: 'erp', REDIS_CLUSTER: 'b' }],
    ['REDIS_URL, REDIS_HOST', { REDIS_URL: 'redis://:secret@r', REDIS_HOST: 'r' }],
  ])('refuses a bad %s by its name, without its value', (name, env) => {
    expect(() => readConfig(env)).toThrowError(name)
    expect(() => readConfig(env)).not.toThrowError(/secret/)
  })
})

describe('where the cache is', () => {
  it.each([
    [{}, /^memory, of this process alone/],
    [{ REDIS_URL: 'rediss://user:secret@r:7000/2' }, /^Redis at r:7000\/2$/],
    [{ REDIS_HOST: 'r', REDIS_PASSWORD: 'secret' }, /^Redis at r:6379$/],
    [
      { REDIS_SENTINELS: 'a:1,b:2', REDIS_SENTINEL_NAME: 'erp', REDIS_PASSWORD: 'secret' },
      /^Redis, erp of .* a:1, b:2$/,
    ],
    [{ REDIS_CLUSTER: 'a:1,b:2' }, /^Redis Cluster at a:1, b:2$/],
  ])('of %j is said without passwords', (env, said) => {
    expect(describeRedis(readConfig(env).redis)).toMatch(said)
  })
})
