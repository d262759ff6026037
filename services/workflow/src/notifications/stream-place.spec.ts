import { BadRequestException } from '@nestjs/common'
import { expect, it } from 'vitest'
import { placeOf, placeText } from './stream-place.js'

it('is read as it was written', () => {
  const place = { user: '1764000000000-12', tenant: '0-0' }
  expect(placeOf(placeText(place))).toEqual(place)
})

it.each([
  '',
  '1-1',
  '1-1.',
  '.1-1',
  '1-1.1',
  '1-1.1-1.1-1',
  '1-1.1-1\n',
  'a-1.1-1',
  '18446744073709551616-0.0-0',
  '$.$',
])('is nothing but two ids: %j', (text) => {
  expect(() => placeOf(text)).toThrow(BadRequestException)
})
