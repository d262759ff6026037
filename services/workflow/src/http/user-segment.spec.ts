import { expect, it } from 'vitest'
import { userSegment } from './user-segment.js'

it('is one segment without a sign that a pattern knows, and another one for each user', () => {
  const users = ['ada', 'u-7c1f40d2', '*', 'a*', '?', '[a-z]', String.raw`\*`, 'a:b', 'a%3Ab', '%2A', '{x}', "!'()"]
  const segments = users.map(userSegment)
  for (const segment of segments) expect(segment).toMatch(/^[\w.~%-]+$/)
  expect(new Set(segments).size).toBe(users.length)
  expect(userSegment('u-7c1f40d2')).toBe('u-7c1f40d2')
})
