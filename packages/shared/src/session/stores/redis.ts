import type { RedisReplyError, RedisUnavailableError } from '../../redis/errors.js'
import type { Keyspace } from '../../redis/keyspace.js'
import { type Script, scriptCommand } from '../../redis/script.js'
import { SCRIPTS } from '../../redis/scripts.gen.js'
import type { RedisArg, RedisReply, Topology, UnitReplies } from '../../redis/topology.js'
import { UnitBatch } from '../../redis/unit-batch.js'
import { failureOf } from '../../redis/unit-failure.js'
import { SessionUnavailableError } from '../errors.js'
import type {
  DestroyFilter,
  NewSession,
  SessionData,
  SessionRef,
  SessionStore,
  StoredSession,
  UserRef,
} from '../session-store.js'

/** Calls that leave in one write. */
const MOST_IN_ONE = 32

/** The port on Redis: each method is one script on keys of one home, which is a slot. */
export class RedisSessionStore implements SessionStore {
  private readonly calls: UnitBatch

  constructor(
    topology: Topology,
    private readonly keyspace: Keyspace,
  ) {
    this.calls = new UnitBatch(topology, MOST_IN_ONE)
  }

  async create(session: NewSession): Promise<StoredSession> {
    const reply = await this.save(session, 0)
    if (reply === null) throw new SessionUnavailableError('there is a session of this id already')
    return sessionOf(session.home, reply)
  }

  async read(ref: SessionRef): Promise<StoredSession | null> {
    return storedOf(ref.home, await this.run(SCRIPTS.sessionRead, ref, [ref.hash]))
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
    return (reply as RedisReply[]).map((fields) => sessionOf(home, fields))
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
    const commands = [scriptCommand(script, keys, args, { binary: true })]
    const outcome = await this.calls.send({ key: keys[0]!, commands })
    const failure = failureOf(outcome)
    if (failure !== undefined) throw unavailable(failure)
    return (outcome as UnitReplies).replies[0]!
  }

  private keyOf(home: string, hash: string): string {
    return `${this.keyspace.sessions(home)}s:${hash}`
  }
}

function storedOf(home: string, reply: RedisReply): StoredSession | null {
  return reply === null ? null : sessionOf(home, reply)
}

/** What `lua/include/session.lua` answers. */
function sessionOf(home: string, reply: RedisReply): StoredSession {
  const [version, codec, payload, userId, tenantId, meta, born, seen, ends, hash] = reply as Buffer[]
  return {
    home,
    hash: String(hash),
    userId: String(userId),
    tenantId: tenantId!.length === 0 ? null : String(tenantId),
    meta: String(meta),
    data: { codec: String(codec), payload: payload! },
    version: Number(version),
    createdAt: Number(born),
    seenAt: Number(seen),
    expiresAt: Number(ends),
  }
}

function unavailable(cause: RedisUnavailableError | RedisReplyError): SessionUnavailableError {
  return new SessionUnavailableError(cause.message, { cause })
}
