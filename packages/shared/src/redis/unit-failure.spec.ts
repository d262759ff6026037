import { describe, expect, it } from 'vitest'
import { RedisReplyError, RedisUnavailableError, type UnavailableReason } from './errors.js'
import type { RedisReply, Shard, UnitOutcome } from './topology.js'
import { failureOf, isUnsent } from './unit-failure.js'

function answered(...replies: RedisReply[]): UnitOutcome {
  return { replies, session: { epoch: 'e', runId: 'r' }, shard: { id: 'a' } as Shard, redirected: false }
}

describe('what failed in a unit', () => {
  it('is the error that stands in its place, or the first error among its answers', () => {
    const lost = new RedisUnavailableError('a', 'lost')
    const [first, second] = [new RedisReplyError('WRONGTYPE first'), new RedisReplyError('ERR second')]
    expect(failureOf(lost)).toBe(lost)
    expect(failureOf(answered('OK', first, second))).toBe(first)
  })

  it('is nothing when all was answered, also with nothing', () => {
    expect(failureOf(answered('OK', null, 0, '', []))).toBeUndefined()
    expect(failureOf(answered())).toBeUndefined()
  })

  it('was not sent when there was no connection, or a closed door; all else may have been done', () => {
    const reasons: UnavailableReason[] = ['not-connected', 'lost', 'deadline', 'circuit-open', 'redirected']
    expect(reasons.filter((reason) => isUnsent(new RedisUnavailableError('a', reason)))).toEqual([
      ...['not-connected', 'circuit-open'],
    ])
    expect(isUnsent(new RedisReplyError('ERR x'))).toBe(false)
    expect(isUnsent(new Error('x'))).toBe(false)
    expect(isUnsent(undefined)).toBe(false)
  })
})
