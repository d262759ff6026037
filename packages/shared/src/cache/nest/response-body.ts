import { types } from 'node:util'
import { StreamableFile } from '@nestjs/common'

/** A handler's answer as it can be stored. */
export interface ShareableBody {
  readonly body: unknown
  /**
   * True: what comes out of the cache is what the handler answered. False: it is the JSON of it, and the same to the client only if no
   * interceptor further out looks at the classes of what it passes on, as `ClassSerializerInterceptor` does.
   */
  readonly faithful: boolean
}

/** Null: it can be read once only, or not be written. */
export function shareableBody(value: unknown): ShareableBody | null {
  if (typeof value === 'function' || typeof value === 'symbol') return null
  if (isFaithful(value, 0)) return { body: value, faithful: true }
  if (isStream(value as object) || value instanceof Error) return null
  try {
    const text = JSON.stringify(value) as string | undefined
    return text === undefined ? null : { body: JSON.parse(text) as unknown, faithful: false }
  } catch {
    // A cycle, a bigint, a `toJSON` that throws: the framework is about to find the same, and says it to the right one.
    return null
  }
}

/** Deeper values take the way of JSON, which tells a cycle from deep nesting. */
const MAX_DEPTH = 100

/** Whether the cache gives it back as it is: data without classes, but for those that the cache keeps. */
function isFaithful(value: unknown, depth: number): boolean {
  if (typeof value !== 'object' || value === null) return typeof value !== 'function' && typeof value !== 'symbol'
  if (depth > MAX_DEPTH || ('toJSON' in value && !KEPT.has(Object.getPrototypeOf(value) as object))) return false
  const all = (items: Iterable<unknown>): boolean => [...items].every((item) => isFaithful(item, depth + 1))
  if (Array.isArray(value)) return all(value)
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype === Object.prototype || prototype === null) return all(Object.values(value))
  if (!KEPT.has(prototype as object)) return false
  return types.isMap(value) ? all([...value].flat()) : types.isSet(value) ? all(value) : true
}

const KEPT: ReadonlySet<object> = new Set([
  Date.prototype,
  Map.prototype,
  Set.prototype,
  Buffer.prototype,
  Uint8Array.prototype,
])

function isStream(value: object): boolean {
  return (
    value instanceof StreamableFile ||
    value instanceof Response ||
    value instanceof ReadableStream ||
    value instanceof Blob ||
    Symbol.asyncIterator in value ||
    ['pipe', 'getReader', 'subscribe'].some((name) => typeof (value as Record<string, unknown>)[name] === 'function')
  )
}
