import { EventEmitter } from 'node:events'
import { type Clock, systemClock } from '../kernel/clock.js'
import { type Ttl, ttlToMs } from '../kernel/duration.js'
import { ConfigurationError, MissingPeerError } from '../kernel/errors.js'
import type { ForeignSessions } from '../session/foreign-sessions.js'

/** What {@link RedisSessionStore} takes beside its sessions. */
export interface RedisSessionStoreOptions<Data = Record<string, unknown>> {
  /** A session whose cookie has no `maxAge` ends when it was not used for so long. A number is seconds. @default `session.idle`, 30 minutes */
  readonly idle?: Ttl | undefined
  /**
   * A session ends so long after it was first saved, however often it is used. A number is seconds. @default `session.absolute`, 12 hours, or the
   * cookie's `maxAge` where that is longer
   */
  readonly absolute?: Ttl | undefined
  /**
   * Whose session it is, from its data: then it is among those of `SessionService.listForUser`, and `destroyAllForUser` ends it. Only with ids that
   * {@link RedisSessionStore.idFor} made for the same user. @default nobody's
   */
  readonly userOf?: ((session: Data) => SessionOwner | undefined) | undefined
  /** @default the machine's */
  readonly clock?: Clock | undefined
}

/** Whose a session is. */
export interface SessionOwner {
  readonly userId: string
  readonly tenantId?: string | undefined
}

/**
 * Store for `express-session` 1.18 and later and for `@fastify/session` 11. Ids are stored hashed, data encrypted when `session.encryption` says so, and
 * a session that was destroyed stays so: a slower request that saves it afterwards is told that all is well, and nothing is stored.
 *
 * A session's time is its cookie's `maxAge`, and begins anew with each request that has it. There is no `all`, `length` and `clear`: they may be
 * left out, and would look through every key of every master, the sessions of other programs among them.
 *
 * @example
 * ```ts
 * const store = new RedisSessionStore(app.get(SessionService))
 * app.use(session({ store, secret, resave: false, saveUninitialized: false, cookie: { secure: true, maxAge: 1_800_000 } }))
 * ```
 */
export class RedisSessionStore<Data = Record<string, unknown>> extends EventEmitter {
  private readonly foreign: ForeignSessions
  private readonly idleMs: number | undefined
  private readonly absoluteMs: number | undefined
  private readonly userOf: (session: Data) => SessionOwner | undefined
  private readonly clock: Clock
  /** Of `express-session`, which sets it: makes a new session for a request. */
  generate?: (request: SessionHolder) => void
  private classes: ExpressSessionClasses | undefined

  /** @throws ConfigurationError, InvalidDurationError naming the option */
  constructor(
    { foreign }: { readonly foreign: ForeignSessions },
    { idle, absolute, userOf = () => undefined, clock = systemClock }: RedisSessionStoreOptions<Data> = {},
  ) {
    super()
    if (typeof userOf !== 'function') throw new ConfigurationError('userOf', 'must be a function of a session')
    this.foreign = foreign
    this.idleMs = idle === undefined ? undefined : ttlToMs(idle, 'idle')
    this.absoluteMs = absolute === undefined ? undefined : ttlToMs(absolute, 'absolute')
    this.userOf = userOf
    this.clock = clock
  }

  /**
   * An id for a new session, for `genid` of `express-session` and `idGenerator` of `@fastify/session`. Of a user that is known by then: the session is
   * regenerated at each log-in. 256 random bits.
   */
  idFor(userId?: string): string {
    return this.foreign.newId(userId)
  }

  /** The session; null: there is none. */
  get(id: string, callback: Callback<[session?: AnySession]>): void {
    settle(this.read(id), callback)
  }

  /** Creates or replaces it; nothing is done, and nothing is said, when it was destroyed. */
  set(id: string, session: object, callback?: Callback): void {
    settle(this.save(id, session), callback)
  }

  /** The session's time begins anew, as with {@link get}. */
  touch(id: string, _session: object, callback?: Callback): void {
    settle(this.foreign.touch(id).then(nothing), callback)
  }

  /** Ends it. With an error it may not have ended: the client keeps its cookie, and is to try again. */
  destroy(id: string, callback?: Callback): void {
    settle(this.foreign.destroy(id).then(nothing), callback)
  }

  /** Of `express-session`: ends the session of a request, and makes another one for it. */
  regenerate(request: SessionHolder, callback: Callback): void {
    this.destroy(request.sessionID ?? '', (error) => {
      this.generate?.(request)
      callback(error)
    })
  }

  /** Of `express-session`: a session outside of a request. */
  load(id: string, callback: Callback<[session?: AnySession]>): void {
    this.get(id, (error, session) => {
      if (error !== null && error !== undefined) callback(error)
      else if (session === null || session === undefined) callback(null)
      else callback(null, this.createSession({ sessionID: id, sessionStore: this }, session))
    })
  }

  /** Of `express-session`: what was read becomes the session of a request. */
  createSession(request: SessionHolder, stored: AnySession): AnySession {
    // Whoever calls it has got something from `get`, which waits for them.
    const { Session, Cookie } = this.classes!
    const { expires, originalMaxAge } = (stored as StoredForeignSession).cookie ?? {}
    const cookie = Object.assign(new Cookie(stored.cookie), {
      ...(typeof expires === 'string' && { expires: new Date(expires) }),
      // Last: to set an expiry sets this as well.
      originalMaxAge,
    })
    request.session = new Session(request, { ...(stored as StoredForeignSession), cookie })
    return request.session
  }

  private async read(id: string): Promise<StoredForeignSession | null> {
    if (this.generate !== undefined) this.classes ??= await expressSession()
    return (await this.foreign.get(id)) as StoredForeignSession | null
  }

  private async save(id: string, session: object): Promise<void> {
    // As all stores of these libraries do: what comes back is what JSON makes of it.
    const data = JSON.parse(JSON.stringify(session)) as StoredForeignSession
    const idleMs = this.lifeOf(session as CookieHolder) ?? this.idleMs
    if (idleMs !== undefined && idleMs <= 0) {
      await this.foreign.destroy(id)
      return
    }
    const owner = this.userOf(data as Data)
    const absoluteMs = this.absoluteMs
    await this.foreign.put(id, data, { ...owner, idleMs: idleMs && Math.min(idleMs, absoluteMs ?? idleMs), absoluteMs })
  }

  /**
   * What the cookie says, ms; undefined: nothing, or a date that is none. Its `expires` is a time of the clients' clocks, so `maxAge` is asked first.
   */
  private lifeOf({ cookie }: CookieHolder): number | undefined {
    const { originalMaxAge, expires } = cookie ?? {}
    const lifeMs =
      typeof originalMaxAge === 'number' ? originalMaxAge : new Date(expires ?? NaN).getTime() - this.clock.wall()
    return Number.isNaN(lifeMs) ? undefined : Math.min(Math.ceil(lifeMs), MOST_MS)
  }
}

/** As it is stored: what JSON makes of a session. */
interface StoredForeignSession extends Record<string, unknown> {
  readonly cookie?: { readonly expires?: unknown; readonly originalMaxAge?: number | null } & Record<string, unknown>
}

interface CookieHolder {
  readonly cookie?: { readonly originalMaxAge?: unknown; readonly expires?: string | Date | null } | null
}

// oxlint-disable-next-line typescript/no-explicit-any -- a class of a package that may not be installed, of which each caller has the type
type AnySession = any

/** A request of Express, with what `express-session` adds. */
// oxlint-disable-next-line typescript/no-explicit-any -- as above
type SessionHolder = any

// oxlint-disable-next-line typescript/no-explicit-any -- the libraries' callbacks take errors of any type
type Callback<Rest extends unknown[] = []> = (error?: any, ...rest: Rest) => void

interface ExpressSessionClasses {
  readonly Session: new (request: unknown, data: object) => object
  readonly Cookie: new (options: unknown) => object
}

/** @throws MissingPeerError */
async function expressSession(): Promise<ExpressSessionClasses> {
  try {
    // @ts-expect-error -- it has no types of its own
    const loaded = (await import('express-session')) as ExpressSessionClasses & { default?: ExpressSessionClasses }
    return loaded.default ?? loaded
  } catch (cause) {
    throw new MissingPeerError('express-session', 'RedisSessionStore', cause)
  }
}

/** A hundred years: a date such as 9999-12-31 says that it shall not end. */
const MOST_MS = 36_525 * 86_400_000

function nothing(): void {}

/** What the callback throws is its own, and no failure of ours that would call it again. */
function settle<T>(promise: Promise<T>, callback: ((error?: unknown, value?: T) => void) | undefined): void {
  promise.then(
    (value) => process.nextTick(() => callback?.(null, value)),
    (error: unknown) => process.nextTick(() => callback?.(error)),
  )
}
