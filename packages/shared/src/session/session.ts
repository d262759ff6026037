import { Backoff } from '../kernel/backoff.js'
import { type Clock, pause, systemClock } from '../kernel/clock.js'
import { assertKey } from '../kernel/key.js'
import { type RandomSource, systemRandom } from '../kernel/random.js'
import { SessionConflictError, SessionNotFoundError } from './errors.js'
import { sessionCreated, sessionDestroyed } from './events.js'
import { type ResolvedSessionOptions, resolveSessionOptions, type SessionOptions } from './options.js'
import { ForeignSessions } from './foreign-sessions.js'
import { SessionCodec } from './session-codec.js'
import { homeOf, newSessionId, refOf } from './session-id.js'
import type { SessionRef, SessionStore, StoredSession } from './session-store.js'
import { Turns } from './turns.js'

/** A session, as of when it was read. */
export interface Session<T> extends SessionInfo {
  /** What the client holds: a secret. Not in logs, not in URLs. */
  readonly id: string
  readonly data: T
}

/** What may be shown of a session: to its user, in a list of devices. */
export interface SessionInfo {
  /** Names the session among the user's, and opens nothing: what `destroyOne` takes. */
  readonly handle: string
  readonly userId: string
  readonly tenantId: string | undefined
  readonly createdAt: Date
  /** When it was used last, give or take a twentieth of the idle time. */
  readonly seenAt: Date
  /** When it ends if nobody uses it. */
  readonly expiresAt: Date
  /** As it was given to `create`: the device, an address. Empty where it can't be read any more, for its key is gone. */
  readonly meta: Readonly<Record<string, unknown>>
}

/** What `create` takes beside the data. */
export interface CreateSessionOptions {
  readonly tenantId?: string | undefined
  /** What a list of devices shows: 4 KiB at most as stored. Encrypted as the data is. */
  readonly meta?: Readonly<Record<string, unknown>> | undefined
}

/** What sessions take from their surroundings. */
export interface SessionSurroundings {
  readonly clock?: Clock | undefined
  readonly random?: RandomSource | undefined
  /**
   * Called after all sessions of a user were ended: what was cached for the user goes too.
   * @param tenants of which they were; undefined among them: all, and those of no tenant
   */
  readonly ended?: ((userId: string, tenants: ReadonlySet<string | undefined>) => Promise<void>) | undefined
}

/**
 * Sessions: who is logged in, on which devices, and what is kept for them.
 *
 * An id has 256 random bits, and only its hash is stored; an id that nobody was given opens nothing. A session ends when it was not used for
 * `session.idle`, at `session.absolute` in any case, and when it is destroyed: then nothing that was under way brings it back. Changes are made one
 * after the other, so none is lost.
 *
 * @example
 * ```ts
 * const session = await sessions.create(user.id, { cart: [] }, { tenantId, meta: { device: 'Firefox on Linux' } })
 * await sessions.update(session.id, (data) => ({ cart: [...data.cart, item] }))
 * await sessions.destroyAllForUser(user.id, { except: session.id })
 * ```
 */
export class SessionService<T = unknown> {
  /** Sessions of other libraries: what adapters stand on. */
  readonly foreign: ForeignSessions
  private readonly options: ResolvedSessionOptions
  private readonly codec: SessionCodec
  private readonly clock: Clock
  private readonly random: RandomSource
  private readonly ended: SessionSurroundings['ended']
  private readonly turns: Turns

  /** @param store where the sessions are; asked for at the first call @throws ConfigurationError, InvalidDurationError */
  constructor(
    private readonly store: () => SessionStore,
    options: SessionOptions = {},
    { clock = systemClock, random = systemRandom, ended }: SessionSurroundings = {},
  ) {
    this.options = resolveSessionOptions(options)
    this.codec = new SessionCodec(this.options)
    this.clock = clock
    this.random = random
    this.ended = ended
    this.turns = new Turns(clock)
    this.foreign = new ForeignSessions(store, this.codec.values, this.options, clock)
  }

  /**
   * Begins a session, under an id that nobody had before: call it at each log-in.
   * @throws SessionUnavailableError; InvalidKeyError, SerializationError, ValueTooLargeError, ConfigurationError too much `meta`
   */
  async create(userId: string, data: T, { tenantId, meta = {} }: CreateSessionOptions = {}): Promise<Session<T>> {
    assertKey(userId, 'userId')
    if (tenantId !== undefined) assertKey(tenantId, 'tenantId')
    const { idleMs, absoluteMs, maxPerUser } = this.options
    const home = homeOf(userId)
    const id = newSessionId(home)
    const stored = await this.store().create({
      ...refOf(id)!,
      userId,
      tenantId: tenantId ?? null,
      meta: await this.codec.encodeMeta(userId, meta),
      data: await this.codec.encode(userId, data),
      ...{ idleMs, absoluteMs, maxPerUser },
    })
    sessionCreated.publish(() => ({ userId }))
    return { id, ...infoOf(stored, meta), data }
  }

  /** The session, whose idle time begins anew; null: there is none of this id. @throws SessionUnavailableError, SerializationError */
  async get(id: string): Promise<Session<T> | null> {
    const ref = refOf(id)
    const stored = ref && (await this.find(ref))
    return stored ? this.read(id, stored) : null
  }

  /**
   * Changes the data: `change` gets what is there and answers what shall be. It may be called again, when another was faster. One that takes longer
   * than a second no longer keeps others waiting, and one that never ends only its own caller. It must not change the same session itself: that makes
   * its own base an old one each time.
   * @throws SessionNotFoundError, SessionConflictError, SessionUnavailableError; what `change` throws; SerializationError, ValueTooLargeError
   */
  async update(id: string, change: (data: T) => T | Promise<T>): Promise<Session<T>> {
    const ref = refOf(id)
    if (ref === undefined) throw new SessionNotFoundError()
    return this.turns.take(ref.hash, async () => {
      const pauses = new Backoff(PAUSES, this.random)
      for (let attempt = 1; attempt <= MOST_ATTEMPTS; attempt++) {
        const before = await this.find(ref)
        if (before === null) throw new SessionNotFoundError()
        const data = await change((await this.read(id, before)).data)
        const after = await this.store().write(ref, before.version, await this.codec.encode(before.userId, data))
        if (after === null) throw new SessionNotFoundError()
        if (after !== 'changed') return { id, ...(await this.infoOf(after)), data }
        await pause(this.clock, pauses.next())
      }
      throw new SessionConflictError(MOST_ATTEMPTS)
    })
  }

  /** The idle time begins anew, as with {@link get}. False: there is no such session. @throws SessionUnavailableError */
  async touch(id: string): Promise<boolean> {
    const ref = refOf(id)
    return ref !== undefined && (await this.find(ref)) !== null
  }

  /**
   * Gives the session another id, as after a log-in or a change of rights: whoever knew the one before can't use it after `session.rotationGrace`.
   * @throws SessionNotFoundError, SessionUnavailableError, SerializationError
   */
  async rotate(id: string, { grace }: { readonly grace?: false | undefined } = {}): Promise<Session<T>> {
    const ref = refOf(id)
    if (ref === undefined) throw new SessionNotFoundError()
    const next = newSessionId(ref.home)
    const graceMs = grace === false ? 0 : this.options.rotationGraceMs
    const stored = await this.store().rotate(ref, refOf(next)!.hash, graceMs)
    if (stored === null || isNobodys(stored)) throw new SessionNotFoundError()
    return this.read(next, stored)
  }

  /** Ends a session. False: there was none. @throws SessionUnavailableError it may not have ended: say it again */
  async destroy(id: string): Promise<boolean> {
    const ref = refOf(id)
    return ref !== undefined && this.end(ref)
  }

  /** Ends one of a user's sessions, by its `handle`. False: there was none. @throws as {@link destroy} */
  async destroyOne(userId: string, handle: string): Promise<boolean> {
    // It comes from the network: what is none opens nothing, and makes no key.
    if (!HANDLE.test(handle)) return false
    const ref = { home: homeOf(userId), hash: handle }
    const known = await this.store().read(ref)
    return known !== null && known.userId === userId && this.end(ref)
  }

  /** A user's sessions, oldest first: the devices. @throws SessionUnavailableError, InvalidKeyError */
  async listForUser(
    userId: string,
    { tenantId }: { readonly tenantId?: string | undefined } = {},
  ): Promise<SessionInfo[]> {
    assertKey(userId, 'userId')
    const sessions = await this.store().list({ home: homeOf(userId), userId })
    const ofTenant = sessions.filter((session) => tenantId === undefined || session.tenantId === tenantId)
    return Promise.all(ofTenant.map((session) => this.infoOf(session)))
  }

  /**
   * Ends all sessions of a user, but `except`: log out everywhere. What was cached for the user (`forUser`) goes as well.
   * @returns how many @throws as {@link destroy}; CacheUnavailableError the sessions have ended, and what was cached goes later
   */
  async destroyAllForUser(
    userId: string,
    { tenantId, except }: { readonly tenantId?: string | undefined; readonly except?: string | undefined } = {},
  ): Promise<number> {
    assertKey(userId, 'userId')
    const exceptHash = except === undefined ? undefined : refOf(except)?.hash
    const tenants = await this.tenantsOf(userId, tenantId)
    const count = await this.store().destroyAll({ home: homeOf(userId), userId }, { tenantId, exceptHash })
    sessionDestroyed.publish(() => ({ userId, count }))
    await this.ended?.(userId, tenants)
    return count
  }

  private async find(ref: SessionRef): Promise<StoredSession | null> {
    const stored = await this.store().read(ref)
    return stored === null || isNobodys(stored) ? null : stored
  }

  /** Those in which something of the user's may be cached. */
  private async tenantsOf(userId: string, tenantId: string | undefined): Promise<ReadonlySet<string | undefined>> {
    if (tenantId !== undefined || this.ended === undefined) return new Set([tenantId])
    const sessions = await this.store().list({ home: homeOf(userId), userId })
    return new Set([undefined, ...sessions.map((session) => session.tenantId ?? undefined)])
  }

  private async end(ref: SessionRef): Promise<boolean> {
    const ended = await this.store().destroy(ref, 0)
    if (ended) sessionDestroyed.publish(() => ({ count: 1 }))
    return ended
  }

  private async read(id: string, stored: StoredSession): Promise<Session<T>> {
    const data = (await this.codec.decode(stored)) as T
    return Object.assign(await this.infoOf(stored), { id, data })
  }

  private async infoOf(stored: StoredSession): Promise<SessionInfo> {
    return infoOf(stored, await this.codec.decodeMeta(stored))
  }
}

const MOST_ATTEMPTS = 50
const PAUSES = { baseMs: 2, capMs: 100 }
const HANDLE = /^[\w-]{43}$/

/** Of another library, for a visitor who has not logged in: whoever brings the id of such a one as that of a session of ours is nobody. */
function isNobodys({ userId }: StoredSession): boolean {
  return userId === ''
}

function infoOf(stored: StoredSession, meta: Readonly<Record<string, unknown>>): SessionInfo {
  const { hash, userId, tenantId, createdAt, seenAt, expiresAt } = stored
  return {
    handle: hash,
    userId,
    tenantId: tenantId ?? undefined,
    createdAt: new Date(createdAt),
    seenAt: new Date(seenAt),
    expiresAt: new Date(expiresAt),
    meta,
  }
}
