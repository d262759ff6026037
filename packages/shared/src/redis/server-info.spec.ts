import { describe, expect, it } from 'vitest'
import { greeting, heartbeat } from '../../test/support/fake-port.js'
import { RedisModeError, RedisReplyError, RedisRoleError, RedisVersionError } from './errors.js'
import { readGreeting, readServerInfo } from './server-info.js'

describe('what a server says of itself', () => {
  it.each([
    ['redis_version:7.0.0', 'Redis 7.0.0'],
    ['redis_version:8.2.1', 'Redis 8.2.1'],
    ['redis_version:10.0.0', 'Redis 10.0.0'],
    // Valkey goes on reporting the version of Redis that it took off from.
    ['redis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:7.2.5', 'Valkey 7.2.5'],
    ['redis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:9.0.0', 'Valkey 9.0.0'],
  ])('is accepted: %j', (version, name) => {
    expect(readGreeting('h:1', greeting({ version })).version).toBe(name)
  })

  it.each([
    ['redis_version:6.2.14', 'Redis 6.2.14'],
    ['redis_version:5.0.7', 'Redis 5.0.7'],
    ['redis_version:7.2.4\r\nvalkey_version:7.1.0', 'Valkey 7.1.0'],
    ['something:else', 'Redis unknown'],
  ])('is refused as too old: %j', (version, name) => {
    const read = (): unknown => readGreeting('h:1', greeting({ version }))
    expect(read).toThrow(RedisVersionError)
    expect(read).toThrow(`${name} at h:1`)
    expect(read).toThrow('Redis 7.0 or Valkey 7.2')
  })

  it('is refused as a node of a Cluster, unless it was taken for one', () => {
    const node = greeting({ version: 'redis_version:7.0.0\r\nredis_mode:cluster' })
    expect(() => readGreeting('h:1', node)).toThrow(RedisModeError)
    expect(() => readGreeting('h:1', node)).toThrow('`cluster: { nodes }`')
    expect(readGreeting('h:1', node, true).version).toBe('Redis 7.0.0')
  })

  it('names session and time', () => {
    expect(readGreeting('h:1', greeting())).toMatchObject({
      session: { epoch: 'abcdef01', runId: 'run1' },
      timeMs: 1_700_000_000_123,
    })
  })

  it('has the process as its epoch where there is no replication id', () => {
    const { session } = readServerInfo('h:1', 'run1234567', ['role:master\r\n', heartbeat()[1]])
    expect(session.epoch).toBe('run12345')
  })

  it('is refused when it is a replica', () => {
    expect(() => readGreeting('h:1', greeting({ role: 'slave' }))).toThrow(RedisRoleError)
    expect(() => readServerInfo('h:1', 'run1', heartbeat({ role: 'slave' }))).toThrow('point `host` and `port`')
  })

  it('may be an error', () => {
    const error = new RedisReplyError('NOAUTH Authentication required.')
    expect(() => readGreeting('h:1', [error, error, error])).toThrow(error)
    expect(() => readServerInfo('h:1', 'run1', [heartbeat()[0], error])).toThrow(error)
  })
})
