export { RedisConnection } from './connection.js'
export type { RedisEnvironment, RedisLogger, RedisStatus } from './connection.js'
export type { RedisConnectionOptions } from './options.js'
export type { DedicatedConnection, DedicatedOptions, RawCommand, RedisClientLike, RedisPort } from './client.js'
export type { ClusterOptions, NodeOption, SentinelOptions } from './node-options.js'
export type { Door, Master } from './servers.js'
export type {
  Executed,
  Layout,
  RedisArg,
  RedisCommand,
  RedisReply,
  Shard,
  ShardSession,
  Topology,
  Unit,
  UnitOutcome,
  UnitReplies,
} from './topology.js'
export { command, defineScript, scriptCommand } from './script.js'
export type { CommandOptions, Script } from './script.js'
export { scan } from './scan.js'
export type { ScanOptions } from './scan.js'
export { RedisModeError, RedisReplyError, RedisRoleError, RedisUnavailableError, RedisVersionError } from './errors.js'
export type { UnavailableReason } from './errors.js'
export { redisConnected, redisLost } from './events.js'
