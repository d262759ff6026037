import { RedisReplyError, RedisUnavailableError } from './errors.js'
import { command } from './script.js'
import type { Shard } from './topology.js'

/** How a {@link scan} walks. */
export interface ScanOptions {
  /** How many keys the server looks at for each batch: the time that other clients wait. @default 500 */
  readonly count?: number
}

/**
 * The keys of one master that match a Redis glob, in batches, some perhaps twice. Keys that exist from the beginning to the end are all
 * there; others may be.
 *
 * A scan never survives a reconnect: the cursor of one server means nothing to the next, which would end the scan early and without a word.
 * @throws RedisUnavailableError no answer, or the connection is not the one that the scan began on
 */
export async function* scan(
  shard: Shard,
  glob: string,
  { count = 500 }: ScanOptions = {},
): AsyncGenerator<readonly string[]> {
  const begun = shard.session
  let cursor = '0'
  do {
    const { replies, session } = await shard.exec([command('SCAN', [cursor, 'MATCH', glob, 'COUNT', count])])
    if (begun !== undefined && session !== begun) {
      throw new RedisUnavailableError(shard.id, 'lost', { cause: new Error('the connection changed during a scan') })
    }
    const reply = replies[0]!
    if (reply instanceof RedisReplyError) throw reply
    const [next, keys] = reply as [string, string[]]
    cursor = next
    if (keys.length > 0) yield keys
  } while (cursor !== '0')
}
