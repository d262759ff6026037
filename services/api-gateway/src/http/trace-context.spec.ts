import { describe, expect, it } from 'vitest'
import { traceContextOf } from './trace-context.js'

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'
const PARENT = '00f067aa0ba902b7'
const NEW = /^00-(?!0{32})[\da-f]{32}-(?!0{16})[\da-f]{16}-01$/

describe('a trace', () => {
  it.each([
    ['of this version', `00-${TRACE}-${PARENT}-01`],
    ['that nobody records', `00-${TRACE}-${PARENT}-00`],
    ['of a later version', `cc-${TRACE}-${PARENT}-01`],
    ['of a later version that says more', `cc-${TRACE}-${PARENT}-01-what-the-future-holds`],
  ])('%s is passed on unchanged, with its state', (_, traceparent) => {
    expect(traceContextOf(traceparent, 'a=1,b=2')).toEqual({ traceparent, tracestate: 'a=1,b=2' })
    expect(traceContextOf(traceparent, undefined)).toEqual({ traceparent })
  })

  it.each([
    ['is missing', undefined],
    ['is empty', ''],
    ['is of no version', `ff-${TRACE}-${PARENT}-01`],
    ['says more than its version knows', `00-${TRACE}-${PARENT}-01-more`],
    ['has no trace id', `00-${'0'.repeat(32)}-${PARENT}-01`],
    ['has no parent id', `00-${TRACE}-${'0'.repeat(16)}-01`],
    ['is in capitals', `00-${TRACE.toUpperCase()}-${PARENT}-01`],
    ['is too short', `00-${TRACE.slice(1)}-${PARENT}-01`],
    ['came twice', `00-${TRACE}-${PARENT}-01, 00-${TRACE}-${PARENT}-01`],
  ])('that %s is replaced by a new one, and its state is dropped', (_, traceparent) => {
    const [one, other] = [traceContextOf(traceparent, 'a=1'), traceContextOf(traceparent, 'a=1')]
    expect(one).toEqual({ traceparent: expect.stringMatching(NEW) })
    expect(other.traceparent).not.toBe(one.traceparent)
  })

  it('goes on without a state that is too long', () => {
    const traceparent = `00-${TRACE}-${PARENT}-01`
    expect(traceContextOf(traceparent, `a=${'1'.repeat(510)}`).tracestate).toHaveLength(512)
    expect(traceContextOf(traceparent, `a=${'1'.repeat(511)}`)).toEqual({ traceparent })
  })
})
