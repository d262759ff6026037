import type { InvalidationSource } from '../../kernel/coherent-map.js'
import type { Keyspace } from '../../redis/keyspace.js'
import type { WakeSource } from '../cache-store.js'

/** Wake-ups for waiters from the tracking session's pushes: an entry that changed, a wake key that was written, or a reset. */
export class RedisWakes implements WakeSource {
  constructor(
    private readonly source: InvalidationSource,
    private readonly keyspace: Keyspace,
  ) {}

  get live(): boolean {
    return this.source.live
  }

  listen(listener: (key: string | null) => void): () => void {
    return this.source.listen({
      invalidate: (redisKey) => {
        const key = this.keyspace.keyOfEntry(redisKey) ?? this.keyspace.keyOfWake(redisKey)
        if (key !== undefined) listener(key)
      },
      reset: () => listener(null),
    })
  }
}
