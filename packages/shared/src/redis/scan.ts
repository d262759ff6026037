import { RedisReplyError, RedisUnavailableError } from './errors.js'
import { command } from './script.js'
import type { RedisCommand, RedisReply, Shard, ShardSession } from './topology.js'

/** How a {@link scan} walks. */
export interface ScanOptions {
  /** How many keys the server looks at for each batch: the time that other clients wait. @default 500 */
  readonly count?: number
}

/**
 * The keys of one master that match a Redis glob, in batches, some perhaps twice. Keys that exist from the beginning to the end are all
 * there; others may be.
 * @throws RedisUnavailableError, RedisReplyError as {@link ScanWalk.next}
 */
export async function* scan(shard: Shard, glob: string, options?: ScanOptions): AsyncGenerator<readonly string[]> {
  const walk = new ScanWalk(shard, glob, options)
  while (!walk.done) {
    const { keys } = await walk.next()
    if (keys.length > 0) yield keys
  }
}

/**
 * A {@link scan} step by step, that takes other commands along.
 *
 * It never survives a reconnect: the cursor of one server means nothing to the next, which would end the scan early and without a word.
 */
export class ScanWalk {
  /** All batches have come. */
  done = false
  private cursor = '0'
  private readonly begun: ShardSession | undefined

  constructor(
    private readonly shard: Shard,
    private readonly glob: string,
    private readonly options: ScanOptions = {},
  ) {
    this.begun = shard.session
  }

  /**
   * The next batch of keys, empty perhaps. @param beside sent in front of it, in the same write
   * @throws RedisUnavailableError no answer, or the connection is not the one that the scan began on; RedisReplyError it was refused
   */
  async next(
    beside: readonly RedisCommand[] = [],
  ): Promise<{ readonly keys: readonly string[]; readonly replies: readonly RedisReply[] }> {
    const step = command('SCAN', [this.cursor, 'MATCH', this.glob, 'COUNT', this.options.count ?? DEFAULT_COUNT])
    const { replies, session } = await this.shard.exec([...beside, step])
    if (this.begun !== undefined && session !== this.begun) {
      throw new RedisUnavailableError(this.shard.id, 'lost', {
        cause: new Error('the connection changed during a scan'),
      })
    }
    const reply = replies.at(-1)!
    if (reply instanceof RedisReplyError) throw reply
    const [cursor, keys] = reply as [string, string[]]
    this.cursor = cursor
    this.done = cursor === '0'
    return { keys, replies: replies.slice(0, -1) }
  }
}

const DEFAULT_COUNT = 500
