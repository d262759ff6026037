import type { Keyspace } from '../../redis/keyspace.js'
import {
  command,
  defineScript,
  type RedisArg,
  type RedisCommand,
  type Script,
  scriptCommand,
} from '../../redis/script.js'
import { SCRIPTS } from '../../redis/scripts.gen.js'

/**
 * Whether writes publish the keys that they write (R23).
 *
 * - `no`: every process of this prefix is told by the servers themselves. Then nothing of this is on the wire.
 * - `try`: it is not known whether some process hears of writes by messages alone. A user that may not publish is no reason to fail a write.
 * - `must`: this process itself does, and others like it. A write that can't be told has failed.
 */
export type Telling = 'no' | 'try' | 'must'

/** Who knows it: {@link RedisPushes}. */
export interface Tells {
  readonly telling: Telling
}

/**
 * The commands that write what a near cache may hold, or what wakes those who wait.
 *
 * Where writes are told, each of them is a script that writes, and then publishes the name of what it has written: the same script as ever with
 * a frame around it. Both are one step on the key's master, so the message stands in the socket of every session there before the PONG to any
 * PING that was read later, and before anybody could know that the write was acknowledged.
 */
export class RedisWrites {
  constructor(
    private readonly keyspace: Keyspace,
    private readonly tells: Partial<Tells>,
  ) {}

  /** Whether what is written now is published. */
  get told(): boolean {
    return this.telling !== 'no'
  }

  /** One of the scripts that write; it tells of the first of its keys. */
  script(script: PublishingScript, keys: readonly string[], args: readonly RedisArg[]): RedisCommand {
    const { telling } = this
    return telling === 'no'
      ? scriptCommand(script, keys, args)
      : toldCommand(script, keys, args, this.keyspace.changes, telling)
  }

  /**
   * Removes an entry. Where it is told it is so also when there was none: nobody was told of an eviction, and what was evicted may be near
   * somebody still.
   */
  unlink(entry: string): RedisCommand {
    return this.told ? this.script(SCRIPTS.cacheRemove, [entry], []) : command('UNLINK', [entry])
  }

  /** A key whose only use is that it is written. */
  signal(key: string, ttlMs: number): RedisCommand {
    return this.told ? this.script(SCRIPTS.cacheSignal, [key], [ttlMs]) : command('SET', [key, '1', 'PX', ttlMs])
  }

  private get telling(): Telling {
    return this.tells.telling ?? 'no'
  }
}

/** A script that writes, and in the same step publishes the first of its keys on the channel. */
export function toldCommand(
  script: PublishingScript,
  keys: readonly string[],
  args: readonly RedisArg[],
  channel: string,
  telling: 'try' | 'must',
): RedisCommand {
  return scriptCommand(FRAMED.get(script)!, keys, [...args, channel, telling])
}

/** What a script must have done for its key to have been written: a condition on its `answer`, and on what was so `before`. */
interface Condition {
  readonly before?: string
  readonly wrote: string
}

const ONE: Condition = { wrote: 'answer == 1' }
const ALWAYS: Condition = { wrote: 'true' }
const GENERATION = `redis.call('ZSCORE', KEYS[1], '#g')`
/** It writes nothing without making, or moving on, the generation. */
const MOVED: Condition = { before: GENERATION, wrote: `before ~= ${GENERATION}` }

const CONDITIONS = [
  [SCRIPTS.cacheFill, ONE],
  [SCRIPTS.cacheSet, ONE],
  [SCRIPTS.cacheSetVersion, ONE],
  [SCRIPTS.cacheTouch, ONE],
  [SCRIPTS.cacheRemove, ALWAYS],
  [SCRIPTS.cacheSignal, ALWAYS],
  [SCRIPTS.cacheClock, MOVED],
  [SCRIPTS.cacheBump, ALWAYS],
  [SCRIPTS.cacheClear, ALWAYS],
  [SCRIPTS.cacheMarkClear, ALWAYS],
  [SCRIPTS.cacheHold, ONE],
] as const

/** The scripts that write what pushes are about; leases are nobody's to hear of, and `reclaim` removes what is void already. */
export type PublishingScript = (typeof CONDITIONS)[number][0]

const FRAMED: ReadonlyMap<Script, Script> = new Map(
  CONDITIONS.map(([script, condition]) => [script, framed(script, condition)]),
)

/**
 * The script, and the publishing as its last step. ARGV ends with the channel and 'must' or 'try'.
 *
 * The flags of a script stand in its first line. A message that was refused is an answer, and no error of the script: the write has been made,
 * and its caller learns that it could not be told.
 */
function framed(script: Script, { before, wrote }: Condition): Script {
  const [, flags = '', body] = /^(#!.*\n)?([\s\S]*)$/.exec(script.lua)!
  return defineScript(
    `${script.name}Told`,
    `${flags}local telling = table.remove(ARGV)
local channel = table.remove(ARGV)
local function write()
${body}
end
${before === undefined ? '' : `local before = ${before}\n`}local answer = write()
if ${wrote} then
  local told = redis.pcall('PUBLISH', channel, KEYS[1])
  if telling == 'must' and type(told) == 'table' and told.err then
    return redis.error_reply('NOPERM it was written, and other processes could not be told: allow the user +publish and the channel &' .. channel)
  end
end
return answer`,
  )
}
