import { readFileSync } from 'node:fs'

/** A known bug: what it edits, and the test that must find it. */
export interface Mutant {
  readonly name: string
  /** The rule of the coherence protocol that it breaks, or the promise of the API. */
  readonly rule: string
  readonly edits: readonly Edit[]
  /** The file and the test (a part of its full name) that must find it: the smallest that does. */
  readonly killer: readonly [spec: string, test: string]
}

/** `find` stands exactly once in the file. */
export interface Edit {
  /** Below `src/`. */
  readonly file: string
  readonly find: string
  readonly replace: string
}

export const edit = (file: string, find: string, replace: string): Edit => ({ file, find, replace })

export const SCRIPTS = 'redis/scripts.gen.ts'

/**
 * Edits of what several scripts begin with, each in one of them.
 * @param include below `src/`
 * @returns takes the text behind the shared one, which tells of which script the edit is
 */
export function inShared(include: string): (script: string, find: string, replace: string) => Edit {
  const lua = readFileSync(new URL(`../../src/${include}`, import.meta.url), 'utf8').replaceAll(/^ *(--.*)?\n/gm, '')
  return (script, find, replace) => {
    if (lua.split(find).length !== 2) throw new Error(`${include} does not have once:\n${find}`)
    return edit(SCRIPTS, lua + script, lua.replace(find, () => replace) + script)
  }
}

export const CLOCK_RULES = 'test/simulation/rules-clock.spec.ts'
export const LOAD_RULES = 'test/simulation/rules-loads.spec.ts'
export const WRITE_RULES = 'test/simulation/rules-writes.spec.ts'
export const HOLD_RULES = 'test/simulation/rules-holds.spec.ts'
export const PATIENCE_RULES = 'test/simulation/rules-patience.spec.ts'
export const PATIENCE_NEAR_RULES = 'test/simulation/rules-patience-near.spec.ts'
export const STALE_RULES = 'test/simulation/rules-stale.spec.ts'
export const VALUE_RULES = 'test/simulation/rules-values.spec.ts'
export const AWAY_RULES = 'test/simulation/rules-away.spec.ts'
export const SIMULATION = 'test/simulation/simulation.spec.ts'
export const NEAR_RULES = 'test/simulation/rules-near.spec.ts'
export const NEAR_SIMULATION = 'test/simulation/rules-near-simulation.spec.ts'
export const LOAD_SCOPE = 'src/cache/load-scope.spec.ts'
export const NEAR_CACHE = 'src/cache/near-cache.spec.ts'
export const NEAR_ENTRY = 'src/cache/near-entry.spec.ts'
export const DEEP_COPY = 'src/kernel/deep-copy.spec.ts'
export const TRACKING_BARRIER = 'src/redis/tracking-barrier.spec.ts'
export const TAG_CLOCK = 'src/cache/tag-clock.spec.ts'
export const INVALIDATION_HOLD = 'src/cache/invalidation-hold.spec.ts'
export const REPLAYING_STORE = 'src/cache/replaying-store.spec.ts'
export const REFRESH_PAUSES = 'src/cache/refresh-pauses.spec.ts'
export const REPLAY_LOG = 'src/cache/replay-log.spec.ts'
export const SCOPE = 'src/cache/scope.spec.ts'
export const SENSITIVE = 'src/cache/sensitive.spec.ts'
export const ENTRY_WRITER = 'src/cache/entry-writer.spec.ts'
export const METHOD_CACHE = 'src/cache/nest/method-cache.spec.ts'
export const RESPONSE_KEY = 'src/cache/nest/response-key.spec.ts'
export const RESPONSES = 'src/cache/nest/cache-response.interceptor.spec.ts'
export const ENVELOPE = 'src/kernel/codec/envelope.spec.ts'
export const VALUE_CODEC = 'src/kernel/codec/value-codec.spec.ts'
export const MEMORY_SPACE = 'src/cache/stores/memory-space.spec.ts'
export const REDIS_CLOCK = 'src/cache/stores/redis-clock.spec.ts'
export const REDIS_SCANS = 'src/cache/stores/redis-scans.spec.ts'
export const STORE_IN_MEMORY = 'test/contract/cache-store.memory.spec.ts'
export const STORE_ON_REDIS = 'test/contract/cache-store.redis.spec.ts'
export const OPERATIONS_IN_MEMORY = 'test/contract/cache-operations.memory.spec.ts'
export const REDIS_ONLY = 'test/contract/cache-store.redis-only.spec.ts'
export const TAG_CLOCK_ON_REDIS = 'test/integration/redis-tag-clock.spec.ts'
export const COHERENT_MAP = 'src/kernel/coherent-map.spec.ts'
export const TRACKING = 'src/redis/tracking.spec.ts'
export const TRACKING_REFUSED = 'test/integration/tracking-refused.spec.ts'
export const TOLD_WRITES = 'test/integration/tracking-told-writes.spec.ts'
export const WHO_IS_TOLD = 'src/cache/stores/redis-told.spec.ts'
export const MASTER_WATCH = 'src/redis/master-watch.spec.ts'
export const CLUSTER_EXEC = 'src/redis/cluster-exec.spec.ts'
export const CLUSTER = 'test/integration/redis-cluster.spec.ts'
export const LOCK_ENGINE = 'src/lock/lock-engine.spec.ts'
export const LOCK_LINE = 'src/lock/lock-line.spec.ts'
export const LETTING_GO = 'src/lock/letting-go.spec.ts'
export const HELD_LOCK = 'src/lock/held-lock.spec.ts'
export const LOCK_ERRORS = 'src/lock/errors.spec.ts'
export const LOCK_STORE_MEMORY = 'src/lock/stores/memory.spec.ts'
export const LOCK_STORE_ON_REDIS = 'test/contract/lock-store.redis.spec.ts'
export const LOCK_STORE_REDIS_ONLY = 'test/contract/lock-store.redis-only.spec.ts'
export const SESSION = 'src/session/session.spec.ts'
export const SESSION_ID = 'src/session/session-id.spec.ts'
export const SESSIONS_IN_MEMORY = 'test/contract/sessions.memory.spec.ts'
export const SESSION_STORE_MEMORY = 'test/contract/session-store.memory.spec.ts'
export const SESSION_STORE_ON_REDIS = 'test/contract/session-store.redis.spec.ts'
export const JWT_BLACKLIST = 'src/jwt/jwt-blacklist.spec.ts'
export const REFRESH_FAMILIES = 'src/jwt/refresh-families.spec.ts'
export const JWT_STORE_ON_REDIS = 'test/contract/jwt-store.redis.spec.ts'
export const REPLAY_SUBSCRIPTION = 'src/pubsub/replay-subscription.spec.ts'
export const GROUP_CONSUMER = 'src/pubsub/group-consumer.spec.ts'
export const PUBSUB_STORE_ON_REDIS = 'test/contract/pubsub-store.redis.spec.ts'
export const DENY_CACHE = 'src/rate-limit/deny-cache.spec.ts'
export const COUNTING = 'src/rate-limit/counting.spec.ts'
export const TOKEN_LEASES = 'src/rate-limit/token-leases.spec.ts'
export const LIMIT_RULES = 'src/rate-limit/rules.spec.ts'
export const LIMIT_STORE_ON_REDIS = 'test/contract/rate-limit-store.redis.spec.ts'
