import { describe, expect, it } from 'vitest'
import { ConfigurationError, InvalidDurationError } from '../kernel/errors.js'
import { nearMsOf, type NearOptions, resolveNearOptions } from './near-options.js'

const MAX_TTL_MS = 3_600_000
const resolved = (
  options: NearOptions | false | undefined,
  maxTtlMs = MAX_TTL_MS,
): ReturnType<typeof resolveNearOptions> => resolveNearOptions(options, maxTtlMs)

describe('the options of L1', () => {
  it('have their defaults, also where undefined is given', () => {
    const defaults = {
      maxBytes: 67_108_864,
      maxEntries: 50_000,
      ttlMs: 60_000,
      values: 'copy',
      stalenessMs: 2_000,
      strict: false,
      auditSample: 0,
    }
    expect(resolved(undefined)).toEqual(defaults)
    expect(resolved({})).toEqual(defaults)
    const undefineds = { maxBytes: undefined, maxEntries: undefined, ttl: undefined, values: undefined }
    expect(resolved({ ...undefineds, staleness: undefined, audit: undefined })).toEqual(defaults)
  })

  it('are none with false', () => {
    expect(resolved(false)).toBeNull()
  })

  it('are taken in their units: seconds or text for a lifetime, milliseconds or text for the staleness', () => {
    const options: NearOptions = { maxBytes: 1, maxEntries: 2, ttl: 3, values: 'frozen', staleness: 400 }
    expect(resolved(options)).toMatchObject({
      maxBytes: 1,
      maxEntries: 2,
      ttlMs: 3_000,
      values: 'frozen',
      stalenessMs: 400,
    })
    expect(resolved({ ttl: '90s', staleness: '1s', values: 'shared' })).toMatchObject({
      ttlMs: 90_000,
      stalenessMs: 1_000,
      values: 'shared',
    })
    expect(resolved({ audit: { sample: 0.25 } })).toMatchObject({ auditSample: 0.25 })
    expect(resolved({ audit: false })).toMatchObject({ auditSample: 0 })
  })

  it('with strict keep the lease at its default', () => {
    expect(resolved({ staleness: 'strict' })).toMatchObject({ strict: true, stalenessMs: 2_000 })
  })

  it('keep a value no longer than an entry may live', () => {
    expect(resolved(undefined, 5_000)).toMatchObject({ ttlMs: 5_000 })
    expect(() => resolved({ ttl: '2h' })).toThrow(/l1\.ttl.*maxTtl/)
  })

  it('are frozen', () => {
    expect(Object.isFrozen(resolved({}))).toBe(true)
  })

  it.each<[string, unknown]>([
    ['l1', true],
    ['l1', null],
    ['l1', 60],
    ['l1', 'on'],
    ['l1.maxBytes', { maxBytes: 0 }],
    ['l1.maxBytes', { maxBytes: -1 }],
    ['l1.maxBytes', { maxBytes: 1.5 }],
    ['l1.maxBytes', { maxBytes: Infinity }],
    ['l1.maxBytes', { maxBytes: '64MB' }],
    ['l1.maxBytes', { maxBytes: null }],
    ['l1.maxEntries', { maxEntries: 0 }],
    ['l1.maxEntries', { maxEntries: NaN }],
    ['l1.values', { values: 'clone' }],
    ['l1.values', { values: '' }],
    ['l1.staleness', { staleness: 99 }],
    ['l1.staleness', { staleness: '50ms' }],
    ['l1.audit.sample', { audit: { sample: 1.5 } }],
    ['l1.audit.sample', { audit: { sample: -0.1 } }],
    ['l1.audit.sample', { audit: { sample: NaN } }],
    ['l1.audit.sample', { audit: {} }],
  ])('are refused by name: %s %j', (option, options) => {
    expect(() => resolved(options as NearOptions)).toThrow(ConfigurationError)
    expect(() => resolved(options as NearOptions)).toThrow(expect.objectContaining({ option }))
  })

  it.each<[string, NearOptions]>([
    ['l1.ttl', { ttl: 0 }],
    ['l1.ttl', { ttl: -1 }],
    ['l1.ttl', { ttl: 'soon' }],
    ['l1.staleness', { staleness: 0 }],
    ['l1.staleness', { staleness: NaN }],
    ['l1.staleness', { staleness: 'Strict' }],
  ])('with a duration that is none are refused by name: %s %j', (name, options) => {
    expect(() => resolved(options)).toThrow(InvalidDurationError)
    expect(() => resolved(options)).toThrow(new RegExp(name.replace('.', '\\.')))
  })
})

it('an option that L1 does not have is refused by name', () => {
  expect(() => resolveNearOptions({ maxEntires: 5 } as object, MAX_TTL_MS)).toThrow(
    expect.objectContaining({ option: 'l1.maxEntires', message: expect.stringContaining('maxEntries') as string }),
  )
})

describe('the option of a single call', () => {
  it('is as the module says, or none, or a lifetime', () => {
    expect(nearMsOf(undefined, MAX_TTL_MS)).toBeUndefined()
    expect(nearMsOf(false, MAX_TTL_MS)).toBe(0)
    expect(nearMsOf({ ttl: '250ms' }, MAX_TTL_MS)).toBe(250)
    expect(nearMsOf({ ttl: 10 }, MAX_TTL_MS)).toBe(10_000)
  })

  it.each<[unknown]>([[true], [null], [10], ['10s']])('is refused by name when it is %j', (option) => {
    expect(() => nearMsOf(option as false, MAX_TTL_MS)).toThrow(expect.objectContaining({ option: 'l1' }))
  })

  it.each<[unknown]>([[0], [-5], ['never'], ['2h'], [undefined]])('is refused with a lifetime of %j', (ttl) => {
    expect(() => nearMsOf({ ttl: ttl as number }, MAX_TTL_MS)).toThrow(/l1\.ttl/)
  })
})
