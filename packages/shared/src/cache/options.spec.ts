import { describe, expect, it } from 'vitest'
import { ConfigurationError, InvalidDurationError } from '../kernel/errors.js'
import { resolveCacheOptions } from './options.js'

describe('the options of a cache', () => {
  it('have their defaults, also where undefined is given', () => {
    const defaults = {
      defaultTtlMs: 300_000,
      maxTtlMs: 30 * 24 * 3_600_000,
      jitter: 0.05,
      cacheNullMs: null,
      graceMs: 0,
      earlyRefresh: true,
      loadTimeout: { softMs: null, hardMs: 30_000 },
      loadConcurrency: 100,
      missSample: 0,
      maxTags: 100_000,
      near: {
        maxBytes: 64 * 1_024 * 1_024,
        maxEntries: 50_000,
        ttlMs: 60_000,
        values: 'copy',
        stalenessMs: 2_000,
        strict: false,
        auditSample: 0,
      },
    }
    expect(resolveCacheOptions({})).toEqual(defaults)
    const undefineds = { defaultTtl: undefined, maxTtl: undefined, jitter: undefined, maxTags: undefined }
    expect(resolveCacheOptions({ ...undefineds, cacheNull: undefined, logMisses: undefined, l1: undefined })).toEqual(
      defaults,
    )
  })

  it('are merged once and frozen', () => {
    expect(Object.isFrozen(resolveCacheOptions({}))).toBe(true)
  })

  it('keep a zero: no jitter, no sample', () => {
    expect(resolveCacheOptions({ jitter: 0, logMisses: { sample: 0 } })).toMatchObject({ jitter: 0, missSample: 0 })
  })

  it('take lifetimes in seconds or with their unit', () => {
    expect(resolveCacheOptions({ defaultTtl: 10, maxTtl: '1h', cacheNull: '250ms' })).toMatchObject({
      defaultTtlMs: 10_000,
      maxTtlMs: 3_600_000,
      cacheNullMs: 250,
    })
  })

  it('shorten the default lifetime to a maximum below it', () => {
    expect(resolveCacheOptions({ maxTtl: 60 }).defaultTtlMs).toBe(60_000)
  })

  it('write all misses, none, or a share', () => {
    expect([true, false, { sample: 0.25 }].map((logMisses) => resolveCacheOptions({ logMisses }).missSample)).toEqual([
      1, 0, 0.25,
    ])
  })

  it.each([
    ['jitter', { jitter: 0.51 }],
    ['jitter', { jitter: Number.NaN }],
    ['maxTags', { maxTags: 99 }],
    ['maxTags', { maxTags: 100.5 }],
    ['maxTags', { maxTags: Infinity }],
    ['logMisses.sample', { logMisses: { sample: 1.1 } }],
    ['logMisses.sample', { logMisses: { sample: Number.NaN } }],
  ])('are refused by name: %s %o', (option, options) => {
    expect(() => resolveCacheOptions(options)).toThrow(ConfigurationError)
    expect(() => resolveCacheOptions(options)).toThrow(`${option}: must be`)
  })

  it.each([
    ['defaultTtl', { defaultTtl: -1 }],
    ['defaultTtl', { defaultTtl: '31d' }],
    ['maxTtl', { maxTtl: '0s' }],
    ['cacheNull', { cacheNull: 'short' }],
  ])('with a lifetime that is none are refused by name: %s %o', (option, options) => {
    expect(() => resolveCacheOptions(options)).toThrow(InvalidDurationError)
    expect(() => resolveCacheOptions(options)).toThrow(option)
  })
})
