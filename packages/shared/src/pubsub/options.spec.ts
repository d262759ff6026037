import { expect, it } from 'vitest'
import { ConfigurationError, InvalidDurationError } from '../kernel/errors.js'
import { type PubSubOptions, resolvePubSubOptions } from './options.js'

it('without options the defaults hold, and what is undefined is not given', () => {
  const defaults = {
    maxBytes: 1_048_576,
    maxQueued: 1_000,
    keepMs: 86_400_000,
    maxLength: 10_000,
    idleMs: 30_000,
    maxDeliveries: 5,
    sharded: false,
  }
  expect(resolvePubSubOptions()).toEqual(defaults)
  expect(resolvePubSubOptions({ keep: undefined, idle: undefined, sharded: undefined })).toEqual(defaults)
})

it('a number is seconds for how long messages are kept, and milliseconds for a wait', () => {
  expect(resolvePubSubOptions({ keep: 60, idle: 60 })).toMatchObject({ keepMs: 60_000, idleMs: 60 })
  expect(resolvePubSubOptions({ keep: '2d', idle: '5s' })).toMatchObject({ keepMs: 172_800_000, idleMs: 5_000 })
})

it.each<[string, unknown]>([
  ['maxBytes', 0],
  ['maxQueued', 1.5],
  ['maxLength', -1],
  ['maxDeliveries', NaN],
  ['maxDeliveries', '5'],
  ['sharded', 'yes'],
  ['keeps', '1d'],
])('%s: %s is refused by its name', (name, value) => {
  const attempt = (): unknown => resolvePubSubOptions({ [name]: value } as PubSubOptions)
  expect(attempt).toThrow(ConfigurationError)
  expect(attempt).toThrow(`pubsub.${name}`)
})

it('times that are none are refused by their names', () => {
  expect(() => resolvePubSubOptions({ keep: '0s' })).toThrow(InvalidDurationError)
  expect(() => resolvePubSubOptions({ keep: 'soon' as '1s' })).toThrow(/pubsub\.keep/)
  expect(() => resolvePubSubOptions({ idle: -1 })).toThrow(/pubsub\.idle/)
  expect(() => resolvePubSubOptions(null as unknown as PubSubOptions)).toThrow(ConfigurationError)
})
