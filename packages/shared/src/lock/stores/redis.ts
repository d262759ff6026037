import { type Clock, systemClock } from '../../kernel/clock.js'
import { type RandomSource, systemRandom } from '../../kernel/random.js'
import type { RedisConnection } from '../../redis/connection.js'
import { RedisReplyError, RedisUnavailableError } from '../../redis/errors.js'
import type { Keyspace } from '../../redis/keyspace.js'
import { NewsSubscriber } from '../../redis/news-subscriber.js'
import { command, type Script, scriptCommand } from '../../redis/script.js'
import { SCRIPTS } from '../../redis/scripts.gen.js'
import type { RedisArg, RedisReply, Shard, Topology, Unit, UnitOutcome, UnitReplies } from '../../redis/topology.js'
import { UnitBatch } from '../../redis/unit-batch.js'
import { failureOf, isUnsent } from '../../redis/unit-failure.js'
import { LockUnavailableError } from '../errors.js'
import type {
  AcquireReply,
  AcquireRequest,
  Holder,
  LockKind,
  LockMode,
  LockName,
  LockStore,
  ReleaseRequest,
  WakeListener,
} from '../lock-store.js'

/** What a {@link RedisLockStore} takes beside its connection. */
export interface RedisLockStoreOptions {
  /** The connection's `commandTimeout`, ms: a call that lands later than this after it was sent does nothing. */
  readonly deadlineMs: number
  /** Told, once an outage, why wake-ups can't be heard. */
  readonly warn: (message: string) => void
  readonly clock?: Clock | undefined
  readonly random?: RandomSource | undefined
}

/** For how long a late copy of a call is refused that was given up: longer than any connection keeps one. */
const GIVEN_UP_MS = 10_000
/** Calls that leave in one write. */
const MOST_IN_ONE = 8

/** The port on Redis: each method is one script on keys of one slot, so a lock lives on one master. */
export class RedisLockStore implements LockStore {
  private readonly news: NewsSubscriber
  private readonly calls: UnitBatch
  private readonly deadlineMs: number

  /** @param door where the connection of the wake-ups is opened */
  constructor(
    private readonly topology: Topology,
    door: RedisConnection['door'],
    private readonly keyspace: Keyspace,
    { deadlineMs, warn, clock = systemClock, random = systemRandom }: RedisLockStoreOptions,
  ) {
    this.deadlineMs = deadlineMs
    this.calls = new UnitBatch(topology, MOST_IN_ONE)
    this.news = new NewsSubscriber({
      door,
      clock,
      random,
      name: 'vextrus-locks',
      unheard: 'wake-ups of locks are not heard, and those who wait ask now and then',
      warn,
    })
  }

  async acquire(request: AcquireRequest): Promise<AcquireReply> {
    const { lock, holder, ttlMs, process, aliveMs, giveBack, passOthers = false, next, replicas = 0 } = request
    const keys = this.keyspace.lock(lock.key, PARTS[lock.kind].all)
    const commandsFor = (shard: Shard) => {
      const serverNow = shard.serverNow()
      const notAfter = serverNow === undefined ? 0 : Math.floor(serverNow + this.deadlineMs)
      const args: RedisArg[] = [memberOf(holder), ttlMs, notAfter, modeOf(holder.mode), process, aliveMs]
      if (giveBack !== undefined || next !== undefined) {
        args.push(giveBack === undefined ? '' : memberOf(giveBack), passOthers ? 1 : 0)
        args.push(next === undefined ? '' : modeOf(next))
      }
      if (replicas === 0) return [scriptCommand(SCRIPTS.lockAcquire, keys, args)]
      // In one write with the script, so on the connection whose writes it counts; and in full, for a script that the server does not know is
      // sent again, after a WAIT that has counted nothing.
      return [
        command('EVAL', [SCRIPTS.lockAcquire.lua, keys.length, ...keys, ...args]),
        command('WAIT', [replicas, Math.ceil(this.deadlineMs / 2)]),
      ]
    }
    const unit: Unit = { key: keys[0]!, commands: commandsFor }
    // A WAIT keeps all that is behind it waiting, so it is alone.
    const replies = repliesOf(
      lock,
      replicas === 0 ? await this.calls.send(unit) : (await this.topology.exec([unit]))[0]!,
    )
    const [outcome, fence, retryMs, gaveBack] = replies[0] as [number, string, number, number]
    if (outcome === TOO_LATE) {
      throw new LockUnavailableError(
        'Redis got the call after its deadline; if the server is slow, raise `commandTimeout`',
        {
          key: lock.key,
        },
      )
    }
    return {
      fence: outcome === GRANTED ? BigInt(fence) : null,
      retryMs,
      gaveBack: gaveBack === 1,
      replicas: replicas === 0 ? null : (replies[1] as number),
    }
  }

  async extend(lock: LockName, holder: Holder, ttlMs: number): Promise<boolean> {
    return this.run(SCRIPTS.lockExtend, lock, PARTS[lock.kind].holders, [memberOf(holder), ttlMs])
  }

  async release({ lock, holder, process = '', forGood = false }: ReleaseRequest): Promise<boolean> {
    const member = holder === undefined ? '' : memberOf(holder)
    const args = process === '' && !forGood ? [member] : [member, process, forGood ? GIVEN_UP_MS : 0]
    return this.run(SCRIPTS.lockRelease, lock, PARTS[lock.kind].line, args)
  }

  async listen(process: string, listener: WakeListener): Promise<() => void> {
    try {
      return await this.news.subscribe(this.keyspace.lockWakes + process, {
        message: (payload) => {
          const { part, name: key } = this.keyspace.lockOf(payload.toString()) ?? {}
          if (key !== undefined && isKind(part)) listener.woken({ kind: part, key })
        },
        gap: () => listener.gap(),
      })
    } catch (error) {
      if (!(error instanceof RedisReplyError || error instanceof RedisUnavailableError)) throw error
      throw new LockUnavailableError(error.message, { cause: error })
    }
  }

  /** Ends the connection of the wake-ups. */
  close(): void {
    this.news.close()
  }

  private async run(
    script: Script,
    lock: LockName,
    parts: readonly string[],
    args: readonly RedisArg[],
  ): Promise<boolean> {
    const keys = this.keyspace.lock(lock.key, parts)
    const [reply] = repliesOf(
      lock,
      await this.calls.send({ key: keys[0]!, commands: [scriptCommand(script, keys, args)] }),
    )
    return reply === 1
  }
}

/** @throws LockUnavailableError */
function repliesOf({ key }: LockName, outcome: UnitOutcome): readonly RedisReply[] {
  const failure = failureOf(outcome)
  if (failure === undefined) return (outcome as UnitReplies).replies
  throw new LockUnavailableError(failure.message, { cause: failure, key, unsent: isUnsent(failure) })
}

/** Parts of a lock, by its kind, as the scripts want them. */
const PARTS = { mutex: partsOf('mutex'), semaphore: partsOf('semaphore'), 'read-write': partsOf('read-write') }

function partsOf(kind: LockKind): Readonly<Record<'holders' | 'line' | 'all', readonly string[]>> {
  const [line, waiters, fence, givenUp] = ['line', 'waiters', 'fence', 'given-up'].map((part) => `${kind}-${part}`)
  return {
    holders: [kind],
    line: [kind, line!, waiters!, givenUp!],
    all: [kind, line!, waiters!, fence!, givenUp!],
  }
}

function isKind(part: string | undefined): part is LockKind {
  return part !== undefined && Object.hasOwn(PARTS, part)
}

const GRANTED = 1
const TOO_LATE = -1

/** What `lua/include/line.lua` knows modes and holders by. */
function modeOf(mode: LockMode): string {
  return mode === 'exclusive' ? 'x' : String(mode)
}

function memberOf({ mode, token }: Holder): string {
  return `${mode === 'exclusive' ? 'x' : 's'}:${token}`
}
