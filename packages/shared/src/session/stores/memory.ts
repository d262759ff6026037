import type { Clock } from '../../kernel/clock.js'
import type { MemoryHub } from '../../kernel/memory-hub.js'
import { SessionUnavailableError } from '../errors.js'
import type {
  DestroyFilter,
  NewSession,
  ReadSession,
  SessionData,
  SessionRef,
  SessionStore,
  StoredSession,
  UserRef,
} from '../session-store.js'

/** The port in process, on what modules of one `MemoryHub` share. Says and does what the scripts of `lua/` do, step by step. */
export class MemorySessionStore implements SessionStore {
  private readonly space: MemorySessions

  constructor(hub: MemoryHub, keyPrefix: string) {
    this.space = hub.part('session', keyPrefix, ({ clock }) => new MemorySessions(clock))
  }

  async create(session: NewSession): Promise<StoredSession> {
    const created = this.space.save(session, false)
    if (created === null) throw new SessionUnavailableError('there is a session of this id already')
    return created
  }

  async read({ hash }: SessionRef): Promise<ReadSession | null> {
    return this.space.read(hash)
  }

  async write({ hash }: SessionRef, version: number, data: SessionData): Promise<StoredSession | 'changed' | null> {
    return this.space.write(hash, version, data)
  }

  async put(session: NewSession): Promise<boolean> {
    return this.space.save(session, true) !== null
  }

  async rotate({ hash }: SessionRef, nextHash: string, graceMs: number): Promise<StoredSession | null> {
    return this.space.rotate(hash, nextHash, graceMs)
  }

  async destroy({ hash }: SessionRef, tombstoneMs: number): Promise<boolean> {
    return this.space.destroy(hash, tombstoneMs)
  }

  async list({ userId }: UserRef): Promise<readonly StoredSession[]> {
    return this.space.of(userId)
  }

  async destroyAll({ userId }: UserRef, { tenantId, exceptHash }: DestroyFilter): Promise<number> {
    const spared = exceptHash === undefined ? undefined : (this.space.find(exceptHash)?.session.hash ?? exceptHash)
    const ending = this.space
      .of(userId)
      .filter((session) => session.hash !== spared && (tenantId === undefined || session.tenantId === tenantId))
    for (const { hash } of ending) this.space.bury(hash, 1)
    return ending.length
  }
}

/** What is at a hash until a time: a session, the way to its other id, which leads there until `grace`, or a tombstone. */
type Place = { until: number } & (
  | { kind: 'session'; session: StoredSession; readonly idleMs: number; readonly ends: number }
  | { readonly kind: 'moved'; to: string; grace: number }
  | { readonly kind: 'tombstone' }
)

/** The sessions under one prefix. Every method is one atomic step. */
class MemorySessions {
  private readonly places = new Map<string, Place>()
  private readonly users = new Map<string, Set<string>>()
  private writes = 0

  constructor(private readonly clock: Clock) {}

  save(given: NewSession, inPlace: boolean): StoredSession | null {
    const { idleMs, absoluteMs, maxPerUser = 0, home, userId, tenantId, meta, data } = given
    const { now } = this
    this.sweepSometimes()
    const before = this.find(given.hash)
    if (before === undefined ? this.at(given.hash) !== undefined : !inPlace) return null
    const hash = before?.session.hash ?? given.hash
    if (before !== undefined) this.leaveIndex(before.session)
    const ends = before?.ends ?? now + absoluteMs
    const until = Math.min(now + idleMs, ends)
    const session: StoredSession = {
      ...{ home, hash, userId, tenantId, meta, data },
      version: (before?.session.version ?? 0) + 1,
      createdAt: before?.session.createdAt ?? now,
      seenAt: now,
      expiresAt: until,
    }
    this.places.set(hash, { kind: 'session', session, idleMs, ends, until })
    if (userId !== '') {
      this.users.set(userId, (this.users.get(userId) ?? new Set()).add(hash))
      if (maxPerUser > 0) this.keepNewest(session, maxPerUser)
    }
    return session
  }

  read(hash: string): ReadSession | null {
    const place = this.seen(hash)
    if (place === undefined) return null
    const { now } = this
    const freshMs = place.idleMs / 20 - (now - place.session.seenAt)
    return { ...place.session, freshMs: Math.max(0, Math.min(freshMs, place.until - now)) }
  }

  write(hash: string, version: number, data: SessionData): StoredSession | 'changed' | null {
    const place = this.seen(hash)
    if (place === undefined) return null
    if (place.session.version !== version) return 'changed'
    place.session = { ...place.session, data, version: version + 1 }
    return place.session
  }

  rotate(from: string, to: string, graceMs: number): StoredSession | null {
    this.sweepSometimes()
    const place = this.seen(from)
    if (place === undefined) return null
    const { hash, userId } = place.session
    this.places.set(to, { ...place, session: { ...place.session, hash: to } })
    const hashes = this.users.get(userId)
    if (hashes?.delete(hash)) hashes.add(to)
    this.places.set(hash, { kind: 'moved', to, grace: this.now + graceMs, until: place.ends })
    return this.find(to)!.session
  }

  destroy(hash: string, tombstoneMs: number): boolean {
    const found = this.find(hash)
    if (found !== undefined) this.bury(found.session.hash, tombstoneMs)
    if (found?.session.hash !== hash && (this.at(hash) !== undefined || tombstoneMs > 0)) this.bury(hash, tombstoneMs)
    return found !== undefined
  }

  bury(hash: string, tombstoneMs: number): void {
    this.sweepSometimes()
    const place = this.at(hash)
    if (place?.kind === 'session') this.leaveIndex(place.session)
    const until = place?.kind === 'session' ? place.ends : Math.max(place?.until ?? 0, this.now + tombstoneMs)
    this.places.set(hash, { kind: 'tombstone', until })
  }

  /** Oldest first. */
  of(userId: string): StoredSession[] {
    const sessions: StoredSession[] = []
    for (const hash of this.users.get(userId) ?? []) {
      const place = this.at(hash)
      if (place?.kind === 'session') sessions.push({ ...place.session, expiresAt: place.until })
    }
    return sessions.toSorted((one, other) => one.createdAt - other.createdAt)
  }

  find(hash: string): (Place & { kind: 'session' }) | undefined {
    let place = this.at(hash)
    let until = Infinity
    const passed: (Place & { kind: 'moved' })[] = []
    while (place?.kind === 'moved') {
      if (place.grace <= this.now) return undefined
      passed.push(place)
      place = this.at(place.to)
    }
    if (place?.kind !== 'session') return undefined
    // As the script does: each leads there directly from then on.
    for (const before of passed.toReversed()) {
      until = before.grace = Math.min(before.grace, until)
      before.to = place.session.hash
    }
    return place
  }

  /** As {@link find}, with a new idle time. */
  private seen(hash: string): (Place & { kind: 'session' }) | undefined {
    const place = this.find(hash)
    if (place === undefined) return undefined
    const { now } = this
    const until = Math.min(now + place.idleMs, place.ends)
    const little = place.idleMs / 20
    if (place.until < until - little || now - place.session.seenAt > little) {
      place.until = until
      place.session = { ...place.session, seenAt: now }
    }
    place.session = { ...place.session, expiresAt: place.until }
    return place
  }

  private keepNewest({ hash, userId }: StoredSession, most: number): void {
    const others = this.of(userId).filter((other) => other.hash !== hash)
    for (const { hash: oldest } of others.slice(0, Math.max(0, others.length + 1 - most))) this.bury(oldest, 1)
  }

  private at(hash: string): Place | undefined {
    const place = this.places.get(hash)
    if (place === undefined || place.until > this.now) return place
    this.places.delete(hash)
    if (place.kind === 'session') this.leaveIndex(place.session)
    return undefined
  }

  private leaveIndex({ hash, userId }: StoredSession): void {
    const hashes = this.users.get(userId)
    hashes?.delete(hash)
    if (hashes?.size === 0) this.users.delete(userId)
  }

  private sweepSometimes(): void {
    if (++this.writes % SWEEP_EVERY !== 0) return
    for (const hash of this.places.keys()) this.at(hash)
  }

  private get now(): number {
    return Math.floor(this.clock.wall())
  }
}

const SWEEP_EVERY = 1_000
