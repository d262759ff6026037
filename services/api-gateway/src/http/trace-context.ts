import { randomBytes } from 'node:crypto'

/** The headers of W3C Trace Context, Level 1: they tie what all services do for one request together. */
export interface TraceContext {
  readonly traceparent: string
  readonly tracestate?: string
}

/** `version-traceId-parentId-flags`. A later version may have more behind a further dash. */
const TRACEPARENT = /^([\da-f]{2})-([\da-f]{32})-([\da-f]{16})-[\da-f]{2}(-.*)?$/

/** What others must at least pass on; more is dropped, as the specification allows. */
const LONGEST_STATE = 512

/**
 * The trace of a request: the client's, passed on unchanged – the gateway adds no span of its own, so whoever is asked next is a child of whoever
 * asked the gateway –, or a new one where there is none that is valid. A state belongs to its parent and goes with it.
 *
 * A new trace is marked as sampled: the gateway has no opinion on what is worth recording, and services that follow their parent's mark would
 * otherwise never record anything.
 */
export function traceContextOf(traceparent: string | undefined, tracestate: string | undefined): TraceContext {
  if (traceparent === undefined || !isValid(traceparent)) return newTrace()
  return tracestate === undefined || tracestate === '' || tracestate.length > LONGEST_STATE
    ? { traceparent }
    : { traceparent, tracestate }
}

function isValid(traceparent: string): boolean {
  const [, version, traceId, parentId, more] = TRACEPARENT.exec(traceparent) ?? []
  if (version === undefined || version === 'ff' || (version === '00' && more !== undefined)) return false
  return !isZero(traceId) && !isZero(parentId)
}

function newTrace(): TraceContext {
  return { traceparent: `00-${randomHex(16)}-${randomHex(8)}-01` }
}

/** All zeros name nothing. */
function randomHex(bytes: number): string {
  const hex = randomBytes(bytes).toString('hex')
  return isZero(hex) ? randomHex(bytes) : hex
}

const isZero = (hex: string | undefined): boolean => hex === undefined || /^0+$/.test(hex)
