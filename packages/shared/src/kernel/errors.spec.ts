import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import {
  ConfigurationError,
  InvalidDurationError,
  InvalidKeyError,
  MissingPeerError,
  SerializationError,
  VextrusError,
} from './errors.js'

describe('the errors of the kernel', () => {
  const all: [VextrusError, string, string][] = [
    [new InvalidDurationError('ttl: too long'), 'InvalidDurationError', 'INVALID_DURATION'],
    [new InvalidKeyError('key is empty'), 'InvalidKeyError', 'INVALID_KEY'],
    [new ConfigurationError('keyPrefix', 'must be one word'), 'ConfigurationError', 'CONFIGURATION'],
    [new SerializationError('$.a[3]', "a function can't be stored"), 'SerializationError', 'SERIALIZATION'],
    [new MissingPeerError('ioredis', "driver: 'redis'"), 'MissingPeerError', 'MISSING_PEER'],
  ]

  it.each(all)('%s has its class as name, a stable code, and is a VextrusError and an Error', (error, name, code) => {
    expect(error.name).toBe(name)
    expect(error.code).toBe(code)
    expect(error).toBeInstanceOf(VextrusError)
    expect(error).toBeInstanceOf(Error)
    expect(error.stack).toContain(`${name}: ${error.message}`)
  })

  it('keep the cause, and have none when none was given', () => {
    const cause = new Error('below')
    expect(new ConfigurationError('url', 'unreadable', cause).cause).toBe(cause)
    expect('cause' in new ConfigurationError('url', 'unreadable')).toBe(false)
  })

  it('carry the key only where there is one', () => {
    class KeyedError extends VextrusError {}
    expect(new KeyedError('gone', { code: 'GONE', key: 'product:1' }).key).toBe('product:1')
    expect('key' in new KeyedError('gone', { code: 'GONE' })).toBe(false)
  })

  it('name the option, the path, and the command that installs the package', () => {
    expect(new ConfigurationError('l1.staleness', 'must be above 0').message).toBe('l1.staleness: must be above 0')
    expect(new SerializationError('$.a[3]', 'is a function').message).toBe('$.a[3]: is a function')
    expect(new MissingPeerError('msgpackr', "serializer: 'msgpack'").message).toContain('npm install msgpackr')
  })

  it('are printed with their name once', () => {
    expect(inspect(new InvalidKeyError('key is empty')).match(/InvalidKeyError/g)).toHaveLength(1)
  })
})
