import type { InvalidationSource } from '../../kernel/coherent-map.js'
import { RedisReplyError, RedisUnavailableError } from '../../redis/errors.js'
import type { Keyspace } from '../../redis/keyspace.js'
import { command, type RedisCommand, scriptCommand } from '../../redis/script.js'
import { SCRIPTS } from '../../redis/scripts.gen.js'
import type { RedisReply, Topology, UnitReplies } from '../../redis/topology.js'
import { UnitBatch } from '../../redis/unit-batch.js'
import { failureOf } from '../../redis/unit-failure.js'
import { JwtUnavailableError } from '../errors.js'
import {
  familyMark,
  type JwtStore,
  type MarkEnd,
  type RotateRequest,
  type Rotation,
  type Standing,
} from '../jwt-store.js'

/** Calls that leave in one write. */
const MOST_IN_ONE = 64

/** The port on Redis: a mark is a key. Every write publishes its key as well, for processes that are refused tracking (R23); there are few. */
export class RedisJwtStore implements JwtStore {
  private readonly calls: UnitBatch

  /** @param changes the writes of keys under `keyspace.jwt`, by what stands behind it */
  constructor(
    topology: Topology,
    readonly changes: InvalidationSource,
    private readonly keyspace: Keyspace,
  ) {
    this.calls = new UnitBatch(topology, MOST_IN_ONE)
  }

  async read(marks: readonly string[]): Promise<readonly Standing[]> {
    return Promise.all(
      marks.map(async (mark) => {
        const key = this.keyspace.jwt + mark
        const { replies, redirected } = await this.ask(key, command('GET', [key]))
        const value = replies[0] as string | null
        return redirected ? { value, redirected } : { value }
      }),
    )
  }

  async mark(mark: string, end: MarkEnd): Promise<void> {
    const key = this.keyspace.jwt + mark
    const args = 'atMs' in end ? ['PXAT', end.atMs] : ['PX', end.inMs]
    await this.run(key, scriptCommand(SCRIPTS.jwtMark, [key], [this.keyspace.changes, ...args]))
  }

  async markBefore(mark: string, second: number | null, keepMs: number): Promise<number> {
    const key = this.keyspace.jwt + mark
    const args = [this.keyspace.changes, second ?? '', keepMs]
    return (await this.run(key, scriptCommand(SCRIPTS.jwtMarkBefore, [key], args))) as number
  }

  async begin(family: string, token: string, ttlMs: number): Promise<void> {
    const [key] = this.keysOf(family)
    await this.run(key, scriptCommand(SCRIPTS.jwtBegin, [key], [token, ttlMs]))
  }

  async rotate({ family, from, to, ttlMs, graceMs }: RotateRequest): Promise<Rotation> {
    const keys = this.keysOf(family)
    const args = [this.keyspace.changes, from, to, ttlMs, graceMs]
    const reply = await this.run(keys[0], scriptCommand(SCRIPTS.jwtRotate, keys, args))
    const [outcome, token] = reply as [Rotation['outcome'], string]
    return token === '' ? { outcome } : { outcome, token }
  }

  async end(family: string, keepMs: number): Promise<void> {
    const keys = this.keysOf(family)
    await this.run(keys[0], scriptCommand(SCRIPTS.jwtEnd, keys, [this.keyspace.changes, keepMs]))
  }

  private keysOf(family: string): [family: string, ended: string] {
    return [`${this.keyspace.jwt}{f:${family}}`, this.keyspace.jwt + familyMark(family)]
  }

  private async run(key: string, asked: RedisCommand): Promise<RedisReply> {
    return (await this.ask(key, asked)).replies[0]!
  }

  private async ask(key: string, asked: RedisCommand): Promise<UnitReplies> {
    const outcome = await this.calls.send({ key, commands: [asked] })
    const failure = failureOf(outcome)
    if (failure !== undefined) throw unavailable(failure)
    return outcome as UnitReplies
  }
}

function unavailable(cause: RedisUnavailableError | RedisReplyError): JwtUnavailableError {
  return new JwtUnavailableError(cause.message, { cause })
}
