import {
  AWAY_RULES,
  CLUSTER,
  CLUSTER_EXEC,
  edit,
  MASTER_WATCH,
  type Mutant,
  REDIS_CLOCK,
  REPLAY_LOG,
  REPLAYING_STORE,
  SCRIPTS,
  TAG_CLOCK_ON_REDIS,
} from './mutant.js'

/** R16, R24, Clusters, and loads without a store. */
export const FAILURE_MUTANTS: readonly Mutant[] = [
  {
    name: 'generation not moved on at a new master',
    rule: 'R16',
    edits: [
      edit(
        SCRIPTS,
        `redis.call('ZINCRBY', KEYS[1], string.format('%.0f', 1 + tonumber(ARGV[1]) % 2 ^ 20), '#g')`,
        `local same = g`,
      ),
    ],
    killer: [TAG_CLOCK_ON_REDIS, 'moves its generation on at a master that it does not know'],
  },
  {
    name: 'generation moved on at every look',
    rule: 'R16',
    edits: [
      edit(
        SCRIPTS,
        `elseif g and ARGV[2] ~= '' and not redis.call('ZSCORE', KEYS[1], 'r:' .. ARGV[2]) then`,
        `elseif g and ARGV[2] ~= '' then`,
      ),
    ],
    killer: [TAG_CLOCK_ON_REDIS, 'moves its generation on at a master that it does not know'],
  },
  {
    name: 'masters of before stay known',
    rule: 'R16',
    edits: [edit(SCRIPTS, `redis.call('ZREMRANGEBYSCORE', KEYS[1], 0, 0)`, ``)],
    killer: [TAG_CLOCK_ON_REDIS, 'moves its generation on at a master that it does not know'],
  },
  {
    name: 'new master not noticed by reads',
    rule: 'R16',
    edits: [
      edit(
        'cache/stores/redis-clock.ts',
        `    const session = this.units.topology.shardOf(this.keyspace.tags)?.session
    return session !== undefined && session.epoch === this.current`,
        `    return this.current !== null`,
      ),
      edit(
        'cache/stores/redis-clock.ts',
        `if (this.trustFailovers || session.epoch === this.current) return`,
        `return`,
      ),
    ],
    killer: [REDIS_CLOCK, 'is told of anew when it is another one'],
  },
  {
    name: 'judged before the clock has settled',
    rule: 'R16',
    edits: [
      edit(
        'cache/stores/redis-clock.ts',
        `if (this.trustFailovers || session.epoch === this.current) return`,
        `return`,
      ),
    ],
    killer: [REDIS_CLOCK, 'that changes while a question is on its way'],
  },
  {
    name: 'clock not looked for again',
    rule: 'R16',
    edits: [
      edit(
        'cache/stores/redis-clock.ts',
        `    this.current = null
    throw`,
        `    throw`,
      ),
    ],
    killer: [REDIS_CLOCK, 'that is another one than the slot map says'],
  },
  {
    name: 'trust ignored by entries',
    rule: 'R16',
    edits: [
      edit(
        'cache/stores/redis.ts',
        `const epoch = this.trustFailovers ? TRUSTED_EPOCH : session.epoch`,
        `const { epoch } = session`,
      ),
    ],
    killer: [REDIS_CLOCK, 'makes no difference where failovers are trusted'],
  },
  {
    name: 'trust ignored by the clock',
    rule: 'R16',
    edits: [
      edit(
        'cache/stores/redis-clock.ts',
        `const epoch = this.trustFailovers ? '' : (shard.session?.epoch ?? '')`,
        `const epoch = shard.session?.epoch ?? ''`,
      ),
    ],
    killer: [REDIS_CLOCK, 'makes no difference where failovers are trusted'],
  },
  {
    name: 'failed invalidation not logged',
    rule: 'R24',
    edits: [
      edit(
        'cache/replaying-store.ts',
        `if (!(error instanceof CacheUnavailableError) || !this.enter(owed)) throw error`,
        `if (!(error instanceof CacheUnavailableError)) throw error`,
      ),
    ],
    killer: [REPLAYING_STORE, 'repeats it before the first read after recovery'],
  },
  {
    name: 'reads go past the log',
    rule: 'R24',
    edits: [
      edit(
        'cache/replaying-store.ts',
        `return this.idle ? this.inner.read(keys, since) : this.after(() => this.inner.read(keys, since))`,
        `return this.inner.read(keys, since)`,
      ),
    ],
    killer: [REPLAYING_STORE, 'repeats it before the first read after recovery'],
  },
  {
    name: 'fills go past the log',
    rule: 'R24',
    edits: [
      edit(
        'cache/replaying-store.ts',
        `return this.idle ? this.inner.fill(fills, tags) : this.after(() => this.inner.fill(fills, tags))`,
        `return this.inner.fill(fills, tags)`,
      ),
    ],
    killer: [REPLAYING_STORE, 'repeats it before the first read after recovery'],
  },
  {
    name: 'log looked at once, before it has failed again',
    rule: 'R24',
    edits: [edit('cache/replaying-store.ts', `while (!this.idle) {`, `if (!this.idle) {`)],
    killer: [REPLAYING_STORE, 'sends no read in the moment after an attempt'],
  },
  {
    name: 'failed set not deleted',
    rule: 'R24',
    edits: [edit('cache/replaying-store.ts', `if (error instanceof CacheUnavailableError) this.enter(owed)`, ``)],
    killer: [REPLAYING_STORE, 'owes a delete for a write that failed or came late'],
  },
  {
    name: 'log entry dropped after a failed replay',
    rule: 'R24',
    edits: [edit('cache/replaying-store.ts', `if (!done) this.add(owed)`, ``)],
    killer: [REPLAYING_STORE, 'repeats it by itself'],
  },
  {
    name: 'overflow drops what was owed',
    rule: 'R24',
    edits: [
      edit(
        'cache/replay-log.ts',
        `  private becomeClear(): void {
    this.clear = true`,
        `  private becomeClear(): void {
    this.clear = false`,
      ),
    ],
    killer: [REPLAY_LOG, 'becomes one clear beyond its limit'],
  },
  {
    name: 'clear takes in keys, which foreign programs may have written',
    rule: 'R24',
    edits: [
      edit(
        'cache/replay-log.ts',
        `        this.clear = true
        this.tags.clear()
        break`,
        `        this.clear = true
        this.tags.clear()
        this.keys.clear()
        break`,
      ),
    ],
    killer: [REPLAY_LOG, 'lets a clear take in the tags from before and after it'],
  },
  {
    name: 'end of a hold not logged',
    rule: 'R24',
    edits: [
      edit(
        'cache/replaying-store.ts',
        `return this.invalidate({ kind: 'hold', hold }, () => this.inner.endHold(hold, maxTags))`,
        `return this.inner.endHold(hold, maxTags)`,
      ),
    ],
    killer: ['src/cache/invalidation-hold.spec.ts', 'answers the result though the last step failed'],
  },
  {
    name: 'only the redirected command done again',
    rule: 'R11',
    edits: [edit('redis/cluster-exec.ts', `all.slice(from)`, `all.slice(from, from + 1)`)],
    killer: [CLUSTER_EXEC, 'is done again from its first redirected command on'],
  },
  {
    name: 'ASK without ASKING',
    rule: 'R11',
    edits: [
      edit('redis/cluster-exec.ts', `put(redirect.kind === 'ASK' ? asked : moved, target, {`, `put(moved, target, {`),
    ],
    killer: [CLUSTER_EXEC, 'asks at the target of an ASK'],
  },
  {
    name: 'unit made once for all masters',
    rule: 'R14',
    edits: [
      edit(
        'redis/cluster-exec.ts',
        `parts.map(({ unit: { commands }, from }) => {
    const all = typeof commands === 'function' ? commands(shard) : commands`,
        `parts.map(({ unit, from }) => {
    const { commands } = unit
    const all = ((unit as any).made ??= typeof commands === 'function' ? commands(shard) : commands)`,
      ),
    ],
    killer: [CLUSTER_EXEC, 'is made anew for its new master'],
  },
  {
    name: 'one master that is away fails all',
    rule: 'R24',
    edits: [
      edit(
        'redis/cluster-exec.ts',
        `for (const { index } of parts) run.outcomes[index] = cause`,
        `run.outcomes.fill(cause)
    await new Promise<void>((resolve) => setImmediate(resolve))
    run.outcomes.fill(cause)`,
      ),
    ],
    killer: [CLUSTER_EXEC, 'of a master that is away fail alone'],
  },
  {
    name: 'new master asked before its session is known',
    rule: 'R16',
    edits: [
      edit(
        'redis/cluster-exec.ts',
        `if (node.shard.session === undefined) await`,
        `if (node.shard.session === undefined) void`,
      ),
    ],
    killer: [CLUSTER_EXEC, 'waits for the session of a master that is new'],
  },
  {
    name: 'redirections followed further',
    rule: 'R24',
    edits: [edit('redis/cluster-exec.ts', `part.hops === MOST_HOPS`, `part.hops === 2 * MOST_HOPS`)],
    killer: [CLUSTER_EXEC, 'is given up after five redirections'],
  },
  {
    name: 'MOVED does not refresh the map',
    rule: 'R20',
    edits: [edit('redis/cluster-servers.ts', `      this.refresh(node)\n`, ``)],
    killer: [CLUSTER, 'the whole map is asked for after a MOVED'],
  },
  {
    name: 'origin cap not applied',
    rule: 'P3',
    edits: [edit('cache/loader-calls.ts', `if (!leader.away || load.urgent) return work()`, `return work()`)],
    killer: [AWAY_RULES, 'run as many at once as they may'],
  },
  {
    name: 'origin cap applied to nested loads',
    rule: 'P3',
    edits: [
      edit(
        'cache/loader-calls.ts',
        `if (!leader.away || load.urgent) return work()`,
        `if (!leader.away) return work()`,
      ),
    ],
    killer: [AWAY_RULES, 'end, though one asks for what stands behind it in the queue'],
  },
  {
    name: 'what a load waits for stays in the queue',
    rule: 'P3',
    edits: [edit('cache/loader-calls.ts', `(goPast) => (load.goPast = goPast)`, `() => undefined`)],
    killer: [AWAY_RULES, 'end, though one asks for what stands behind it in the queue'],
  },
  {
    name: 'commands sent before the epoch is known',
    rule: 'R16',
    edits: [
      edit(
        'redis/shard.ts',
        `if (session === undefined) throw this.unavailable('not-connected')`,
        `if (session === undefined) return { replies: await this.bounded(this.write(commands)), session: null! }`,
      ),
    ],
    killer: ['src/redis/shard.spec.ts', 'sends nothing before its session is known'],
  },
  {
    name: 'change of the replication id not noticed',
    rule: 'R16',
    edits: [edit('redis/master-watch.ts', `if (info.session.epoch !== session.epoch) {`, `if (false) {`)],
    killer: [MASTER_WATCH, 'begins another epoch when the replication id has changed'],
  },
  {
    name: 'demoted master read on',
    rule: 'R16',
    edits: [edit('redis/master-watch.ts', `if (failure instanceof RedisRoleError) return this.end(failure)`, ``)],
    killer: [MASTER_WATCH, 'leaves a master that was demoted'],
  },
]
