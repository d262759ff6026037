import type { Clock } from '../kernel/clock.js'
import type { ValueCodec } from '../kernel/codec/value-codec.js'
import { durationToMs } from '../kernel/duration.js'
import { SerializationError } from '../kernel/errors.js'
import { growingLru } from '../kernel/growing-lru.js'
import { assertKey } from '../kernel/key.js'
import type { ResolvedSessionOptions } from './options.js'
import { homeOf, newSessionId, placeOf } from './session-id.js'
import type { SessionRef, SessionStore } from './session-store.js'

/** What {@link ForeignSessions.put} takes beside the data. */
export interface ForeignSessionOptions {
  /** Ends when it was not used for so long, ms. @default `session.idle` */
  readonly idleMs?: number | undefined
  /** Ends then in any case, ms from when it was first put. @default `session.absolute`, or `idleMs` where that is longer */
  readonly absoluteMs?: number | undefined
  /** Whose it is. It is among the sessions of that user only when its id came from {@link ForeignSessions.newId} for the same one. */
  readonly userId?: string | undefined
  readonly tenantId?: string | undefined
}

/** Sessions of other libraries, which make the ids and put whole sessions: for adapters. `SessionService.foreign`. */
export class ForeignSessions {
  /** Until when, monotonic, the idle time of what was read here needs no new beginning. */
  private readonly fresh = growingLru<{ readonly until: number }>(MOST_FRESH)

  constructor(
    private readonly store: () => SessionStore,
    private readonly codec: ValueCodec,
    private readonly options: ResolvedSessionOptions,
    private readonly clock: Clock,
  ) {}

  /** An id that stands where the user's sessions are, so that the session can be one of theirs. Without a user it stands anywhere. */
  newId(userId?: string): string {
    return newSessionId(homeOf(userId ?? newSessionId('')))
  }

  /** The data, and a new idle time for it; null: there is none, or it can't be read, for its key is gone. @throws SessionUnavailableError */
  async get(id: string): Promise<unknown> {
    const ref = placeOf(id)
    const askedAt = this.clock.mono()
    const stored = await this.store().read(ref)
    if (stored === null) {
      this.fresh.delete(id)
      return null
    }
    this.fresh.set(id, { until: askedAt + stored.freshMs })
    try {
      return await this.codec.decode(codecKey(ref), stored.data.codec, stored.data.payload)
    } catch (error) {
      if (error instanceof SerializationError) return null
      throw error
    }
  }

  /**
   * Creates or replaces. False: it was destroyed, and stays so.
   * @throws SessionUnavailableError; InvalidKeyError, InvalidDurationError, SerializationError, ValueTooLargeError
   */
  async put(id: string, data: unknown, options: ForeignSessionOptions = {}): Promise<boolean> {
    const { idleMs = this.options.idleMs, absoluteMs = Math.max(idleMs, this.options.absoluteMs) } = options
    const { userId = '', tenantId } = options
    if (userId !== '') assertKey(userId, 'userId')
    if (tenantId !== undefined) assertKey(tenantId, 'tenantId')
    const ref = placeOf(id)
    const { codec, payload } = await this.codec.encode(codecKey(ref), data)
    this.fresh.delete(id)
    return this.store().put({
      ...ref,
      userId: userId !== '' && homeOf(userId) === ref.home ? userId : '',
      tenantId: tenantId ?? null,
      meta: '',
      data: { codec, payload },
      // Checked: what is no number would make a key without an end.
      idleMs: durationToMs(idleMs, 'idleMs'),
      absoluteMs: durationToMs(absoluteMs, 'absoluteMs'),
      maxPerUser: this.options.maxPerUser,
    })
  }

  /**
   * Its idle time begins anew. False: there is none. Not asked within a twentieth of the idle time after {@link get}, which has done it: requests read
   * and touch. @throws SessionUnavailableError
   */
  async touch(id: string): Promise<boolean> {
    const fresh = this.fresh.get(id)
    if (fresh !== undefined && this.clock.mono() < fresh.until) return true
    return (await this.store().read(placeOf(id))) !== null
  }

  /** Ends it, and nothing that is under way brings it back. False: there was none. @throws SessionUnavailableError it may not have ended */
  async destroy(id: string): Promise<boolean> {
    this.fresh.delete(id)
    return this.store().destroy(placeOf(id), TOMBSTONE_MS)
  }
}

/** The first save of a session may still be under way when it is destroyed: longer than a request takes. */
const TOMBSTONE_MS = 600_000
/** Requests under way at once, and more. */
const MOST_FRESH = 10_000

/** Its own for each session: they have no user for certain. */
function codecKey({ hash }: SessionRef): string {
  return `foreign-session:${hash}`
}
