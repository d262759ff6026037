import { QueryFailedError } from 'typeorm'
import { expect, it } from 'vitest'
import { isDatabaseAway } from './database-away.js'

const failed = (message: string, code?: string) => Object.assign(new Error(message), code === undefined ? {} : { code })

it.each([
  failed('connect ECONNREFUSED 127.0.0.1:5432', 'ECONNREFUSED'),
  // As Node tells of a name with several addresses.
  Object.assign(new AggregateError([]), { code: 'ECONNREFUSED' }),
  failed('the database system is shutting down', '57P03'),
  failed('terminating connection due to administrator command', '57P01'),
  failed('sorry, too many clients already', '53300'),
  failed('Connection terminated unexpectedly'),
  failed('timeout exceeded when trying to connect'),
])('an outage is told by its code, or by what the driver says: %s', (error) => {
  expect(isDatabaseAway(error)).toBe(true)
  expect(isDatabaseAway(new QueryFailedError('SELECT 1', [], error))).toBe(true)
})

it.each([
  failed('duplicate key value', '23505'),
  failed('canceling statement due to user request', '57014'),
  failed('a defect'),
])('what is wrong with a query is none: %s', (error) => {
  expect(isDatabaseAway(error)).toBe(false)
  expect(isDatabaseAway(new QueryFailedError('SELECT 1', [], error))).toBe(false)
})

it('what is no error is none', () => {
  for (const thrown of ['ECONNREFUSED', undefined, null, { code: 'ECONNREFUSED' }]) {
    expect(isDatabaseAway(thrown)).toBe(false)
  }
})
