import type { RedisReplyError, RedisUnavailableError } from '../../redis/errors.js'
import type { Keyspace } from '../../redis/keyspace.js'
import { command, type RedisCommand, type Script, scriptCommand } from '../../redis/script.js'
import { SCRIPTS } from '../../redis/scripts.gen.js'
import type { RedisArg, RedisReply, Topology, UnitReplies } from '../../redis/topology.js'
import { UnitBatch } from '../../redis/unit-batch.js'
import { failureOf } from '../../redis/unit-failure.js'
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

/** Calls that leave in one write. */
const MOST_IN_ONE = 32

/** What a {@link RedisSessionStore} takes beside its connection. */
export interface RedisSessionStoreOptions {
  /** Payloads are text, which is read at a third of what bytes cost; those that are bytes, as encrypted ones are, can't be read. @default false */
  readonly text?: boolean | undefined
}

/** The port on Redis: each method is one script on keys of one home, which is a slot. */
export class RedisSessionStore implements SessionStore {
  private readonly calls: UnitBatch

  private readonly binary: boolean

  constructor(
    topology: Topology,
    private readonly keyspace: Keyspace,
    { text = false }: RedisSessionStoreOptions = {},
  ) {
    this.binary = !text
    this.calls = new UnitBatch(topology, MOST_IN_ONE)
  }

  async create(session: NewSession): Promise<StoredSession> {
    const reply = await this.save(session, 0)
    if (reply === null) throw new SessionUnavailableError('there is a session of this id already')
    return storedOf(session.home, reply)!
  }

  /**
   * Most reads find a session whose idle time began not long ago: they need no script, which would cost the server five times as much. The key lives
   * from when the session was seen, so what is left of that says how long ago it was, and no clock is asked. What ends or begins between the two
   * commands does so after the read.
   */
  async read(ref: SessionRef): Promise<ReadSession | null> {
    const key = this.keyOf(ref.home, ref.hash)
    const [fields, restMs] = (await this.exec([
      command('HMGET', [key, ...FIELDS], { binary: this.binary }),
      command('PTTL', [key]),
    ])) as [(Bulk | null)[], number]
    const [version, , seen, facts, next] = fields
    if (version === null && next === null) return null
    if (version !== null) {
      const known = factsOf(facts!)
      const idleMs = Number(known[2])
      const lifeMs = Math.min(idleMs, Number(known[1]) - Number(seen))
      const littleMs = idleMs / 20
      const freshMs = restMs - (lifeMs - littleMs)
      if (freshMs >= 0) {
        const stored = sessionOf(ref.home, ref.hash, fields as Bulk[], known, Number(seen) + lifeMs)
        return Object.assign(stored, { freshMs: Math.min(freshMs, littleMs, restMs) })
      }
    }
    const stored = storedOf(ref.home, await this.run(SCRIPTS.sessionRead, ref, [ref.hash]))
    return stored && Object.assign(stored, { freshMs: 0 })
  }

  async write(
    ref: SessionRef,
    version: number,
    { codec, payload }: SessionData,
  ): Promise<StoredSession | 'changed' | null> {
    const reply = await this.run(SCRIPTS.sessionWrite, ref, [ref.hash, version, codec, payload])
    return reply === 0 ? 'changed' : storedOf(ref.home, reply)
  }

  async put(session: NewSession): Promise<boolean> {
    return (await this.save(session, 1)) !== null
  }

  async rotate(ref: SessionRef, nextHash: string, graceMs: number): Promise<StoredSession | null> {
    const other = this.keyOf(ref.home, nextHash)
    return storedOf(ref.home, await this.run(SCRIPTS.sessionRotate, ref, [ref.hash, nextHash, graceMs], [other]))
  }

  async destroy(ref: SessionRef, tombstoneMs: number): Promise<boolean> {
    return (await this.run(SCRIPTS.sessionDestroy, ref, [ref.hash, tombstoneMs])) === 1
  }

  async list({ home, userId }: UserRef): Promise<readonly StoredSession[]> {
    const reply = await this.runOnIndex(SCRIPTS.sessionList, { home, userId }, [])
    return (reply as RedisReply[]).map((fields) => storedOf(home, fields)!)
  }

  async destroyAll(user: UserRef, { tenantId, exceptHash = '' }: DestroyFilter): Promise<number> {
    const args = [tenantId === undefined ? 0 : 1, tenantId ?? '', exceptHash]
    return (await this.runOnIndex(SCRIPTS.sessionDestroyAll, user, args)) as number
  }

  private save(session: NewSession, inPlace: 0 | 1): Promise<RedisReply> {
    const { hash, userId, tenantId, meta, data, idleMs, absoluteMs, maxPerUser = 0 } = session
    const who = [hash, userId, tenantId ?? '', meta]
    return this.run(SCRIPTS.sessionCreate, session, [
      ...who,
      data.codec,
      data.payload,
      ...[idleMs, absoluteMs, maxPerUser, inPlace],
    ])
  }

  private run(
    script: Script,
    { home, hash }: SessionRef,
    args: readonly RedisArg[],
    more: readonly string[] = [],
  ): Promise<RedisReply> {
    return this.send(script, [this.keyOf(home, hash), ...more], [this.keyspace.sessions(home), ...args])
  }

  private runOnIndex(script: Script, { home, userId }: UserRef, args: readonly RedisArg[]): Promise<RedisReply> {
    const head = this.keyspace.sessions(home)
    return this.send(script, [`${head}u:${userId}`], [head, ...args])
  }

  private async send(script: Script, keys: readonly string[], args: readonly RedisArg[]): Promise<RedisReply> {
    return (await this.exec([scriptCommand(script, keys, args, { binary: this.binary })]))[0]!
  }

  /** @param commands their first argument is a key, and all keys of one home */
  private async exec(commands: readonly RedisCommand[]): Promise<readonly RedisReply[]> {
    const outcome = await this.calls.send({ key: commands[0]!.args[0] as string, commands })
    const failure = failureOf(outcome)
    if (failure !== undefined) throw unavailable(failure)
    return (outcome as UnitReplies).replies
  }

  private keyOf(home: string, hash: string): string {
    return `${this.keyspace.sessions(home)}s:${hash}`
  }
}

/** Text, or bytes where the store reads them. */
type Bulk = string | Buffer

/** What `read` asks for: what `lua/include/session.lua` answers, and whether the id leads to another. */
const FIELDS = ['v', 'd', 's', 'f', 'n']

/** The lines of `f`. */
type Facts = readonly [born: string, ends: string, idle: string, user: string, tenant: string, meta: string]

function factsOf(lines: Bulk): Facts {
  return String(lines).split('\n') as unknown as Facts
}

/** What `lua/include/session.lua` answers. */
function storedOf(home: string, reply: RedisReply): StoredSession | null {
  if (reply === null) return null
  const fields = reply as Bulk[]
  return sessionOf(home, String(fields[5]), fields, factsOf(fields[3]!), Number(fields[4]))
}

/** One literal: to spread parts into it takes as long as to read them. */
function sessionOf(
  home: string,
  hash: string,
  fields: readonly Bulk[],
  [born, , , userId, tenant, meta]: Facts,
  expiresAt: number,
): StoredSession {
  const [version, data, seen] = fields as [Bulk, Bulk, Bulk]
  return {
    home,
    hash,
    userId,
    tenantId: tenant === '' ? null : tenant,
    meta,
    data: { codec: String(data.slice(0, 1)), payload: data.slice(1) },
    version: Number(version),
    createdAt: Number(born),
    seenAt: Number(seen),
    expiresAt,
  }
}

function unavailable(cause: RedisUnavailableError | RedisReplyError): SessionUnavailableError {
  return new SessionUnavailableError(cause.message, { cause })
}
