import { BadRequestException } from '@nestjs/common'

/** What a service is asked for. */
export interface Target {
  /** Begins with a slash. */
  readonly path: string
  /** Begins with a question mark, or is empty. */
  readonly query: string
}

/** A path of RFC 3986: what Node's parser lets through beyond it nobody means well with. */
const PATH = /^(?:\/(?:[\w.~!$&'()*+,;=:@-]|%[\da-f]{2})*)+$/i
/** Wider than RFC 3986, which browsers don't keep to in queries; no spaces, no control characters. */
const QUERY = /^[\x21\x22\x24-\x7e]*$/

/**
 * Reads the target of a request: an absolute path, whose segments mean what they say. The path is passed on as it was checked, byte by byte, so
 * no two readers of it can come to different places: segments that go up or stand still (`..`, `.`), slashes and backslashes within a segment and empty
 * segments are refused in any spelling, and none is resolved.
 * @throws BadRequestException
 */
export function targetOf(url: string): Target {
  const at = url.indexOf('?')
  const [path, query] = at === -1 ? [url, ''] : [url.slice(0, at), url.slice(at)]
  if (!PATH.test(path) || !segmentsOf(path).every(isPlain)) {
    throw new BadRequestException(
      'The path must be segments between slashes, without "..", encoded slashes or empty ones',
    )
  }
  if (!QUERY.test(query)) throw new BadRequestException('The query must be printable ASCII: encode the rest')
  return { path, query }
}

/** What is behind the first segment: `/products/1` of `/master-data/products/1`. */
export function behindFirstSegment({ path, query }: Target): Target {
  const [, ...rest] = segmentsOf(path)
  return { path: `/${rest.join('/')}`, query }
}

/** The segments, as they were sent. A slash at the end is an empty last one. */
export const segmentsOf = (path: string): string[] => path.slice(1).split('/')

function isPlain(segment: string, at: number, all: readonly string[]): boolean {
  const decoded = decode(segment)
  if (decoded === '') return at === all.length - 1
  return decoded !== undefined && decoded !== '.' && decoded !== '..' && !/[/\\\p{Cc}]/u.test(decoded)
}

/** Undefined: bytes that are no text. */
function decode(segment: string): string | undefined {
  try {
    return decodeURIComponent(segment)
  } catch {
    return undefined
  }
}
