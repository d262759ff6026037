/**
 * The port: what sessions need from storage. A store keeps sessions under the hashes of their ids, and an index of each user's; a user's sessions
 * and index share a *home*, so that each method is one atomic step. Time is the store's own.
 *
 * A session that was destroyed leaves a tombstone for the rest of its life: nothing that was under way when it ended brings it back.
 */
export interface SessionStore {
  /** A new session; beyond `maxPerUser` the user's oldest ones end. @throws SessionUnavailableError */
  create(session: NewSession): Promise<StoredSession>
  /** The session, and a new idle time for it. Null: there is none. @throws SessionUnavailableError */
  read(ref: SessionRef): Promise<ReadSession | null>
  /** Replaces the data of a session that still has this version. @throws SessionUnavailableError */
  write(ref: SessionRef, version: number, data: SessionData): Promise<StoredSession | 'changed' | null>
  /**
   * Creates or replaces, whatever is there but a tombstone: for adapters of other libraries. What is replaced keeps its absolute end, and an id before
   * that still leads to its session replaces that. False: it was destroyed, or has another id. @throws SessionUnavailableError
   */
  put(session: NewSession): Promise<boolean>
  /** Moves a session to another id; the one before leads to it for `graceMs`, and is a tombstone then. @throws SessionUnavailableError */
  rotate(ref: SessionRef, nextHash: string, graceMs: number): Promise<StoredSession | null>
  /**
   * False: there was none. @param tombstoneMs for how long one is left where there was none; 0: it is not, for nobody adopts an unknown id
   * @throws SessionUnavailableError
   */
  destroy(ref: SessionRef, tombstoneMs: number): Promise<boolean>
  /** A user's sessions, oldest first. @throws SessionUnavailableError */
  list(user: UserRef): Promise<readonly StoredSession[]>
  /** Ends a user's sessions but those that the filter spares. Answers how many. @throws SessionUnavailableError */
  destroyAll(user: UserRef, filter: DestroyFilter): Promise<number>
}

/** Where a session is. */
export interface SessionRef {
  readonly home: string
  /** SHA-256 of its id. */
  readonly hash: string
}

/** A user, and where all that is of that user lies. */
export interface UserRef {
  readonly home: string
  readonly userId: string
}

/** As the codec wrote it. */
export interface SessionData {
  /** One letter. */
  readonly codec: string
  readonly payload: string | Buffer
}

/** A session that is to be stored. */
export interface NewSession extends SessionRef {
  readonly userId: string
  readonly tenantId: string | null
  /** JSON on one line, or empty. */
  readonly meta: string
  readonly data: SessionData
  /** It ends when nobody has read it for so long, ms. */
  readonly idleMs: number
  /** It ends then in any case, from now, ms. */
  readonly absoluteMs: number
  /** @default none */
  readonly maxPerUser?: number | undefined
}

/** A session as it is stored, its data encoded. */
export interface StoredSession extends SessionRef {
  readonly userId: string
  readonly tenantId: string | null
  readonly meta: string
  readonly data: SessionData
  readonly version: number
  /** Ms since 1970, on the store's clock, as all times here. */
  readonly createdAt: number
  readonly seenAt: number
  /** When it ends if nobody reads it. */
  readonly expiresAt: number
}

export interface ReadSession extends StoredSession {
  /** For so long, ms, it lives and another read begins no new idle time: that is done after a twentieth of it. */
  readonly freshMs: number
}

/** Which of a user's sessions {@link SessionStore.destroyAll} ends. */
export interface DestroyFilter {
  /** Those of this tenant alone. */
  readonly tenantId?: string | undefined
  /** But this one. */
  readonly exceptHash?: string | undefined
}
