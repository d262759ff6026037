import { ConfigurationError } from '../kernel/errors.js'
import { hashTagOf, labelOf, slotOf } from './slot.js'

/**
 * Every key that the toolkit writes to Redis, in one table. With the prefix `vextrus:`
 *
 * | key                             | holds                                                  |
 * | ------------------------------- | ------------------------------------------------------ |
 * | `vextrus:<key>`                 | a cache entry, exactly as its caller named it          |
 * | `vextrus@lease:{<tag>}:<key>`   | the lease of a load under way, in the slot of its entry |
 * | `vextrus@wake:{<tag>}:<key>`    | a signal to those who wait for the key, in the same slot |
 * | `vextrus@tags`                  | the tag clock                                          |
 * | `vextrus@tags:clear`            | the mark that tells every process of a `clear()`       |
 * | `vextrus@tags:published`        | tells that somebody hears of writes by messages alone  |
 * | `vextrus@lock:{<name>}:<part>`  | the parts of a lock, all in one slot                   |
 * | `vextrus@limit:{<tenant>}:<…>`  | the counters of a tenant's rate limits, all in one slot |
 * | `vextrus@stream:{<channel>}:<…>` | the log of a channel, and what its messageIds were kept as |
 * | `vextrus@session:{<home>}:<…>`  | sessions and indices of users, all of a home in one slot |
 * | `vextrus@jwt:{<…>}`            | a revocation, or a family of refresh tokens            |
 * | `vextrus@limit:processes`       | the processes that limit                               |
 *
 * and channels: `vextrus@changes`, on which the names of written keys are published where tracking is refused (R23),
 * `vextrus@lock:wake:<process>`, on which a process is told of locks that it waits for, `vextrus@channel:<channel>`, those of pub/sub, and `vextrus@limit:news`, on which limiters tell each
 * other what to forget.
 *
 * All begin with the word of the prefix, so that one ACL rule covers them; no key of one line can be a key of another.
 */
export class Keyspace {
  /** What stands before an entry's key: one word and a colon. */
  readonly prefix: string
  /** The tag clock. */
  readonly tags: string
  /** Written by `clear()`. */
  readonly clearMarker: string
  /** Written by a process that is refused tracking: those that are not begin to publish their writes (R23). */
  readonly publishedMarker: string
  /** The channel of keys that were written (R23). */
  readonly changes: string
  /** What a tracking session must follow to see every change of the cache and of the revocations; none is the beginning of another, as BCAST demands. */
  readonly trackedPrefixes: readonly string[]

  /** The beginning of the channels on which a process is told of its locks. */
  readonly lockWakes: string

  /** What stands before the mark of a revocation. */
  readonly jwt: string

  /** What stands before the name of a channel. */
  readonly channels: string

  /** What stands before the id of a counter, which begins with its slot in braces. */
  readonly limits: string

  /** Which processes limit. */
  readonly limitProcesses: string

  /** The channel on which limiters tell each other what to forget. */
  readonly limitNews: string

  private readonly leases: string
  private readonly wakes: string
  private readonly locks: string
  private readonly streams: string
  private readonly sessionHomes: string
  private readonly shardedChannels: string

  /**
   * @param keyPrefix one word of letters, digits, `_`, `.` and `-`; the final `:` is added when missing
   * @throws ConfigurationError for anything else
   */
  constructor(keyPrefix = 'vextrus:') {
    const [, word] = /^([A-Za-z0-9_.-]+):?$/.exec(keyPrefix) ?? []
    if (word === undefined) {
      throw new ConfigurationError(
        'keyPrefix',
        'must be one word of letters, digits, "_", "." and "-", with or without a final ":", such as "vextrus:"',
      )
    }
    this.prefix = `${word}:`
    this.tags = `${word}@tags`
    this.clearMarker = `${word}@tags:clear`
    this.publishedMarker = `${word}@tags:published`
    this.changes = `${word}@changes`
    this.leases = `${word}@lease:{`
    this.wakes = `${word}@wake:{`
    this.locks = `${word}@lock:{`
    this.lockWakes = `${word}@lock:wake:`
    this.channels = `${word}@channel:`
    this.jwt = `${word}@jwt:`
    this.sessionHomes = `${word}@session:{`
    this.streams = `${word}@stream:{`
    this.shardedChannels = `${word}@channel:{`
    this.limits = `${word}@limit:`
    this.limitProcesses = `${word}@limit:processes`
    this.limitNews = `${word}@limit:news`
    this.trackedPrefixes = [this.prefix, this.tags, `${word}@wake:`, `${word}@jwt:`]
  }

  entry(key: string): string {
    return this.prefix + key
  }

  lease(key: string): string {
    return `${this.leases}${this.slotTag(key)}}:${key}`
  }

  wake(key: string): string {
    return `${this.wakes}${this.slotTag(key)}}:${key}`
  }

  /**
   * The Redis keys of parts of a lock, all in one slot.
   * @param parts each of letters and `-`
   */
  lock(name: string, parts: readonly string[]): string[] {
    return partsOf(this.locks, name, parts)
  }

  /**
   * The Redis keys of parts of a channel's log, all in one slot.
   * @param parts each of letters and `-`
   */
  stream(channel: string, parts: readonly string[]): string[] {
    return partsOf(this.streams, channel, parts)
  }

  /** What stands before the keys of a home of sessions. */
  sessions(home: string): string {
    return `${this.sessionHomes}${home}}:`
  }

  /** The name of a sharded channel: in the slot of the channel's log. */
  shardedChannel(channel: string): string {
    return partsOf(this.shardedChannels, channel, ['live'])[0]!
  }

  /** Which part of which lock a Redis key is; undefined for any other key. */
  lockOf(redisKey: string): { readonly name: string; readonly part: string } | undefined {
    const rest = keyBehind(this.locks, redisKey)
    if (rest === undefined) return undefined
    const [part, ...behind] = rest.split(':')
    const name = behind.length > 0 ? behind.join(':') : redisKey.slice(this.locks.length, -(rest.length + 2))
    return { name, part: part! }
  }

  /** The caller's key of an entry; undefined for any other key of Redis. */
  keyOfEntry(redisKey: string): string | undefined {
    return redisKey.startsWith(this.prefix) ? redisKey.slice(this.prefix.length) : undefined
  }

  /** The caller's key of a wake signal; undefined for any other key of Redis. */
  keyOfWake(redisKey: string): string | undefined {
    return keyBehind(this.wakes, redisKey)
  }

  /** The caller's key of a lease; undefined for any other key of Redis. */
  keyOfLease(redisKey: string): string | undefined {
    return keyBehind(this.leases, redisKey)
  }

  /** A Redis glob for the entries whose key matches a glob of the caller's. The prefix has no character that means anything in a glob. */
  entriesLike(glob: string): string {
    return this.prefix + glob
  }

  /** A Redis glob for the leases of keys that match; where a key holds `}:` it may also match the lease of another key. */
  leasesLike(glob: string): string {
    return `${this.leases}*}:${glob}`
  }

  /**
   * A hash tag that puts a key into the slot of the entry `key`. Redis hashes the whole of `<prefix><key>` unless that has a hash tag, and
   * the prefix has no brace. A `}` would end our tag too early: then a label of the same slot stands in.
   */
  private slotTag(key: string): string {
    const own = hashTagOf(key)
    if (own !== undefined) return own
    const entry = this.entry(key)
    return key.includes('}') ? labelOf(slotOf(entry)) : entry
  }
}

/** A slot tag holds no `}`, so the first one ends it. */
function keyBehind(prefix: string, redisKey: string): string | undefined {
  if (!redisKey.startsWith(prefix)) return undefined
  const end = redisKey.indexOf('}:', prefix.length)
  return end === -1 ? undefined : redisKey.slice(end + 2)
}

/** The name stands in the hash tag, and behind the part where it can't, for a `}` would end the tag. */
function partsOf(prefix: string, name: string, parts: readonly string[]): string[] {
  const plain = !name.includes('}')
  const head = `${prefix}${plain ? name : labelOf(slotOf(name))}}:`
  return parts.map((part) => (plain ? head + part : `${head}${part}:${name}`))
}
