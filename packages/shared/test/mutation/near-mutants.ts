import { COHERENT_MAP, edit, type Mutant, TRACKING, TRACKING_REFUSED, TOLD_WRITES, WHO_IS_TOLD } from './mutant.js'

/** R17 to R20: the coherent map and what feeds it. */
export const NEAR_MUTANTS: readonly Mutant[] = [
  {
    name: 'no ticket',
    rule: 'R17',
    edits: [edit('kernel/coherent-map.ts', ` && !ticket.dirty`, ``)],
    killer: [COHERENT_MAP, 'does not fill after a push of its key'],
  },
  {
    name: 'tickets before SUBSCRIBE',
    rule: 'R17',
    edits: [
      edit(
        'redis/tracking-handshake.ts',
        `await connection.call('SUBSCRIBE', [INVALIDATIONS]`,
        `void connection.call('SUBSCRIBE', [INVALIDATIONS]`,
      ),
    ],
    killer: [TRACKING, 'sends SUBSCRIBE only after TRACKING was answered'],
  },
  {
    name: 'hits without lease',
    rule: 'R18',
    edits: [edit('kernel/coherent-map.ts', `now - this.source.validFrom() < this.stalenessMs`, `true`)],
    killer: [COHERENT_MAP, 'ends hits exactly when the last proof is as old'],
  },
  {
    name: 'one validFrom',
    rule: 'R18',
    edits: [edit('redis/tracking.ts', `oldest = Math.min(oldest, session.validFrom)`, `oldest = session.validFrom`)],
    killer: [TRACKING, 'leaves everything as fresh as the session with the oldest proof'],
  },
  {
    name: 'proof from the PONG’s arrival',
    rule: 'R18',
    edits: [
      edit(
        'redis/heartbeat.ts',
        `this.proven = Math.max(this.proven, sentAt)\n    this.on.pong()`,
        `this.proven = this.clock.mono()\n    this.on.pong()`,
      ),
    ],
    killer: [TRACKING, 'proves what was acknowledged before the PING was sent'],
  },
  {
    name: 'no epoch',
    rule: 'R20',
    edits: [edit('kernel/coherent-map.ts', ` && ticket.epoch === this.source.epoch`, ``)],
    killer: [COHERENT_MAP, 'does not fill in another epoch than its own'],
  },
  {
    name: 'a fill is not told',
    rule: 'R23',
    edits: [edit('cache/stores/redis.ts', `this.writes.script(SCRIPTS.cacheFill,`, `scriptCommand(SCRIPTS.cacheFill,`)],
    killer: [TOLD_WRITES, 'the write publishes what it wrote (R23): a fill, and not one whose lease is gone'],
  },
  {
    name: 'a set is not told',
    rule: 'R23',
    edits: [edit('cache/stores/redis.ts', `this.writes.script(SCRIPTS.cacheSet,`, `scriptCommand(SCRIPTS.cacheSet,`)],
    killer: [TOLD_WRITES, 'the write publishes what it wrote (R23): a set'],
  },
  {
    name: 'a set with a version is not told',
    rule: 'R23',
    edits: [
      edit(
        'cache/stores/redis.ts',
        `this.writes.script(SCRIPTS.cacheSetVersion,`,
        `scriptCommand(SCRIPTS.cacheSetVersion,`,
      ),
    ],
    killer: [TOLD_WRITES, 'the write publishes what it wrote (R23): a set with a version'],
  },
  {
    name: 'a touch is not told',
    rule: 'R23',
    edits: [
      edit('cache/stores/redis.ts', `this.writes.script(SCRIPTS.cacheTouch,`, `scriptCommand(SCRIPTS.cacheTouch,`),
    ],
    killer: [TOLD_WRITES, 'the write publishes what it wrote (R23): a touch'],
  },
  {
    name: 'a delete is not told',
    rule: 'R23',
    edits: [
      edit(
        'cache/stores/redis-writes.ts',
        `this.told ? this.script(SCRIPTS.cacheRemove, [entry], []) : command`,
        `command`,
      ),
    ],
    killer: [TOLD_WRITES, 'the write publishes what it wrote (R23): a delete, whether or not'],
  },
  {
    name: 'a delete is told only of what was there',
    rule: 'R23',
    edits: [edit('cache/stores/redis-writes.ts', `[SCRIPTS.cacheRemove, ALWAYS]`, `[SCRIPTS.cacheRemove, ONE]`)],
    killer: [TOLD_WRITES, 'the write publishes what it wrote (R23): a delete, whether or not'],
  },
  {
    name: 'a delete by pattern is not told',
    rule: 'R23',
    edits: [edit('cache/stores/redis.ts', `if (this.writes.told) await this.clock.markClear()`, ``)],
    killer: [TOLD_WRITES, 'the write publishes what it wrote (R23): a delete by pattern'],
  },
  {
    name: 'an invalidation of tags is not told',
    rule: 'R23',
    edits: [edit('cache/stores/redis-writes.ts', `[SCRIPTS.cacheBump, ALWAYS]`, `[SCRIPTS.cacheBump, ONE]`)],
    killer: [TOLD_WRITES, 'the write publishes what it wrote (R23): an invalidation of tags'],
  },
  {
    name: 'a clear is not told',
    rule: 'R23',
    edits: [edit('cache/stores/redis-writes.ts', `[SCRIPTS.cacheMarkClear, ALWAYS]`, `[SCRIPTS.cacheMarkClear, ONE]`)],
    killer: [TOLD_WRITES, 'the write publishes what it wrote (R23): a clear, its marker last'],
  },
  {
    name: 'a clock that was made is not told',
    rule: 'R23',
    edits: [edit('cache/stores/redis-writes.ts', `[SCRIPTS.cacheClock, MOVED]`, `[SCRIPTS.cacheClock, ONE]`)],
    killer: [TOLD_WRITES, 'the write publishes what it wrote (R23): a clock that was made or moved'],
  },
  {
    name: 'every look at the clock is told',
    rule: 'R23',
    edits: [edit('cache/stores/redis-writes.ts', `[SCRIPTS.cacheClock, MOVED]`, `[SCRIPTS.cacheClock, ALWAYS]`)],
    killer: [TOLD_WRITES, 'the write publishes what it wrote (R23): a clock that was made or moved'],
  },
  {
    name: 'a wake is not told',
    rule: 'R23',
    edits: [
      edit(
        'cache/stores/redis-writes.ts',
        `this.told ? this.script(SCRIPTS.cacheSignal, [key], [ttlMs]) : command`,
        `command`,
      ),
    ],
    killer: [TOLD_WRITES, 'the write publishes what it wrote (R23): a delete of what is only being loaded'],
  },
  {
    name: 'live before SUBSCRIBE to what is published',
    rule: 'R23',
    edits: [
      edit(
        'redis/tracking-handshake.ts',
        `await connection.call('SUBSCRIBE', [changes]`,
        `void connection.call('SUBSCRIBE', [changes]`,
      ),
    ],
    killer: [TRACKING, 'whose PING goes out only after SUBSCRIBE was answered'],
  },
  {
    name: 'subscribed at one master only',
    rule: 'R23',
    edits: [edit('redis/tracking.ts', `this.tracked = masters.map(`, `this.tracked = masters.slice(0, 1).map(`)],
    killer: [TRACKING, 'where one master refuses; the others track'],
  },
  {
    name: 'a mute write is acknowledged',
    rule: 'R23',
    edits: [edit('cache/stores/redis-writes.ts', `if telling == 'must' and`, `if telling == 'never' and`)],
    killer: [TRACKING_REFUSED, 'a write that can no longer be told has failed'],
  },
  {
    name: 'a user that may not publish fails its writes',
    rule: 'R23',
    edits: [edit('cache/stores/redis-told.ts', `this.state = this.announced ? 'must' : 'try'`, `this.state = 'must'`)],
    killer: [WHO_IS_TOLD, 'may fail no write and keeps nothing'],
  },
  {
    name: 'near before the others have heard',
    rule: 'R23',
    edits: [
      edit(
        'cache/stores/redis-told.ts',
        `this.opensAt = this.clock.mono() + LEASE_MS + this.connection.commandTimeoutMs`,
        `this.opensAt = this.clock.mono()`,
      ),
    ],
    killer: [WHO_IS_TOLD, 'what it hears is all only when the others have heard of that'],
  },
  {
    name: 'quiet by an answer that was overtaken',
    rule: 'R23',
    edits: [
      edit(
        'cache/stores/redis-told.ts',
        `if (turn !== this.turn) return
    if (listeners === 0)`,
        `if (listeners === 0)`,
      ),
    ],
    killer: [WHO_IS_TOLD, 'publishes again from the marker of another one on'],
  },
  {
    name: 'one that tracks never hears of one that does not',
    rule: 'R23',
    edits: [
      edit(
        'cache/stores/redis-pushes.ts',
        `if (redisKey === this.keyspace.publishedMarker) return this.told.marked()`,
        ``,
      ),
    ],
    killer: [TRACKING_REFUSED, 'where only some may track'],
  },
  {
    name: 'one that tracks does not ask who listens',
    rule: 'R23',
    edits: [edit('cache/stores/redis-told.ts', `    if (listeners === 0) {`, `    if (listeners !== undefined) {`)],
    killer: [WHO_IS_TOLD, 'publishes as long as somebody listens at any master'],
  },
  {
    name: 'that nobody listens is believed without proof',
    rule: 'R23',
    edits: [
      edit(
        'cache/stores/redis-told.ts',
        `this.state !== 'no' || this.clock.mono() - this.pushes.validFrom() < LEASE_MS`,
        `true`,
      ),
    ],
    killer: [WHO_IS_TOLD, 'publishes again once its proof that nobody has begun to listen is two seconds old'],
  },
]
