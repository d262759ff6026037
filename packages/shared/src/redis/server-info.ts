import type { RawCommand } from './client.js'
import { RedisModeError, RedisReplyError, RedisRoleError, RedisVersionError } from './errors.js'
import { SCRIPTS } from './scripts.gen.js'
import type { RedisReply, ShardSession } from './topology.js'

/** What a server says of itself, as the toolkit needs it: who it is, whether it may be used, and its clock. */
export interface ServerInfo {
  readonly session: ShardSession
  /** Its own clock, ms since 1970. */
  readonly timeMs: number
}

/** `Redis 7.0.15` or `Valkey 8.0.1`, and the session: the answer to {@link HANDSHAKE}. */
export interface Greeting extends ServerInfo {
  readonly version: string
}

/** Asked at every connection before anything read on it is judged (R16). The scripts are loaded so that EVALSHA finds them. */
export const HANDSHAKE: readonly RawCommand[] = [
  { name: 'INFO', args: ['server'] },
  { name: 'INFO', args: ['replication'] },
  { name: 'TIME', args: [] },
  // A user without the right to SCRIPT LOAD is served by EVAL.
  ...Object.values<{ readonly lua: string }>(SCRIPTS).map(({ lua }) => ({ name: 'SCRIPT', args: ['LOAD', lua] })),
]

/**
 * @param inCluster the server may be a node of a Cluster
 * @throws RedisVersionError, RedisModeError, RedisRoleError, or the RedisReplyError that stands in the place of an answer
 */
export function readGreeting(
  id: string,
  [server, replication, time]: readonly RedisReply[],
  inCluster = false,
): Greeting {
  const info = readInfo(server)
  const version = checkVersion(id, info)
  if (!inCluster && info.get('redis_mode') === 'cluster') throw new RedisModeError(id)
  const runId = info.get('run_id') ?? ''
  return { version, ...readServerInfo(id, runId, [replication, time]) }
}

/** Asked at every heartbeat. The role and the replication id may change while the connection stays. */
export const HEARTBEAT: readonly RawCommand[] = [
  { name: 'INFO', args: ['replication'] },
  { name: 'TIME', args: [] },
]

/** @throws RedisRoleError, or the RedisReplyError that stands in the place of an answer */
export function readServerInfo(
  id: string,
  runId: string,
  [replication, time]: readonly (RedisReply | undefined)[],
): ServerInfo {
  const info = readInfo(replication)
  const role = info.get('role') ?? 'unknown'
  if (role !== 'master') throw new RedisRoleError(id, role)
  // A server without replication ids has one life for each process: then the process is the epoch.
  const epoch = (info.get('master_replid') ?? runId).slice(0, EPOCH_LENGTH)
  return { session: Object.freeze({ epoch, runId }), timeMs: readTime(time) }
}

const EPOCH_LENGTH = 8

function readInfo(reply: RedisReply | undefined): ReadonlyMap<string, string> {
  if (reply instanceof RedisReplyError) throw reply
  const lines = String(reply).split('\r\n')
  return new Map(lines.map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1)]))
}

/** Milliseconds of a TIME reply. */
function readTime(reply: RedisReply | undefined): number {
  if (reply instanceof RedisReplyError) throw reply
  const [seconds, micros] = reply as [string, string]
  return Number(seconds) * 1_000 + Math.floor(Number(micros) / 1_000)
}

/** Valkey reports the version of Redis that it is compatible with as `redis_version`, and its own beside it. */
function checkVersion(id: string, info: ReadonlyMap<string, string>): string {
  const valkey = info.get('valkey_version')
  const found = valkey ?? info.get('redis_version') ?? 'unknown'
  const name = `${valkey === undefined ? 'Redis' : 'Valkey'} ${found}`
  const [major = NaN, minor = NaN] = found.split('.').map(Number)
  const enough = valkey === undefined ? major >= 7 : major > 7 || (major === 7 && minor >= 2)
  if (!enough) throw new RedisVersionError(id, name)
  return name
}
