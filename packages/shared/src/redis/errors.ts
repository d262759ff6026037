import { VextrusError } from '../kernel/errors.js'

/** Why no answer came. */
export type UnavailableReason = 'not-connected' | 'lost' | 'deadline' | 'circuit-open' | 'redirected'

/**
 * No answer came from Redis, or none was waited for. After `lost` and `deadline` the commands may or may not have run.
 * Code `REDIS_UNAVAILABLE`.
 */
export class RedisUnavailableError extends VextrusError {
  /**
   * @param id `host:port` of the server
   * @param timeoutMs the `commandTimeout` that passed
   * @param cause what the connection last failed with; it decides which option the message names
   */
  constructor(
    id: string,
    readonly reason: UnavailableReason,
    { timeoutMs, cause }: { timeoutMs?: number; cause?: Error | undefined } = {},
  ) {
    super(unavailableMessage(id, reason, timeoutMs, cause), {
      code: 'REDIS_UNAVAILABLE',
      ...(cause === undefined ? {} : { cause }),
    })
  }
}

/** The server answered a command with an error. Code `REDIS_REPLY`. */
export class RedisReplyError extends VextrusError {
  /** The first word of the answer: `WRONGTYPE`, `NOPERM`, `NOAUTH`, `BUSY`, `ERR` … */
  readonly reply: string

  constructor(message: string) {
    super(withoutArguments(message), { code: 'REDIS_REPLY' })
    this.reply = message.split(' ', 1)[0] ?? ''
  }
}

/** The server is older than the toolkit needs: Redis 7.0 or Valkey 7.2. Code `REDIS_VERSION`. */
export class RedisVersionError extends VextrusError {
  constructor(id: string, found: string) {
    super(`${found} at ${id} is too old: the toolkit needs Redis 7.0 or Valkey 7.2, or later. Update the server`, {
      code: 'REDIS_VERSION',
    })
  }
}

/** The server is a replica, where writes fail and reads are old. Code `REDIS_ROLE`. */
export class RedisRoleError extends VextrusError {
  constructor(id: string, role: string) {
    super(
      `Redis at ${id} has the role ${role}, not master: point \`host\` and \`port\`, or \`url\`, at the master. ` +
        'With `sentinels` or `cluster` the new master is found by itself',
      { code: 'REDIS_ROLE' },
    )
  }
}

/** The server is a node of a Cluster, and holds only some of the keys. Code `REDIS_MODE`. */
export class RedisModeError extends VextrusError {
  constructor(id: string) {
    super(
      `Redis at ${id} is a node of a Cluster: give \`cluster: { nodes }\` in place of \`host\`, \`port\` and \`url\`, or an ioredis Cluster ` +
        'as `client`',
      { code: 'REDIS_MODE' },
    )
  }
}

function unavailableMessage(id: string, reason: UnavailableReason, timeoutMs?: number, cause?: Error): string {
  const because = cause === undefined ? '' : `: ${cause.message}`
  const mend = mendOf(cause)
  switch (reason) {
    case 'not-connected':
      return `Redis at ${id} is not connected${because}${mend && `. ${mend}`}`
    case 'lost':
      return `The connection to Redis at ${id} was lost before the answer came${because}`
    case 'deadline':
      return `Redis at ${id} did not answer within ${timeoutMs} ms. If the server is healthy but slow, raise \`commandTimeout\``
    case 'circuit-open':
      return `Redis at ${id} did not answer several times in a row (\`commandTimeout\` is ${timeoutMs} ms); until it answers, commands fail at once`
    case 'redirected':
      return `Redis at ${id} sends elsewhere again and again: the nodes of the Cluster do not agree yet who serves the key`
  }
}

/** Which option to look at after a connection failed like this; empty when the failure says so itself. */
export function mendOf(cause: Error | undefined): string {
  if (cause instanceof VextrusError && !(cause instanceof RedisReplyError)) return ''
  const text = cause === undefined ? '' : `${cause.message} ${(cause as NodeJS.ErrnoException).code ?? ''}`
  for (const [pattern, mend] of MENDS) if (pattern.test(text)) return mend
  return 'Check `host` and `port`, `url`, `sentinels` or `cluster`, and that the server is running'
}

const MENDS: readonly (readonly [RegExp, string])[] = [
  [
    /no Sentinel names/,
    'Check `sentinels`: `nodes`, `name`, and its `password` and `tls`, and that the Sentinels know a master',
  ],
  [/WRONGPASS|invalid password/, 'Check `password`, and `username` when the server has ACL users'],
  [/AUTH .*called without any password/, 'The server has no password: leave out `password`'],
  [/NOAUTH/, 'The server wants a password: set `password`, and `username` when it has ACL users'],
  [
    /NOPERM/,
    'The ACL user of `username` needs the keys and channels that begin with the word of `keyPrefix`, `&__redis__:invalidate`, and the command named here',
  ],
  [/DB index/i, 'Check `db`: the server has no such database'],
  [
    /SSL|TLS|CERT|certificate|self.signed|during the handshake/i,
    'Check `tls` (or `rediss://` in `url`) here and on the server, and `host` and `port`',
  ],
  [
    /cluster support disabled/i,
    'The server is no node of a Cluster: give `host` and `port`, or `url`, in place of `cluster`',
  ],
  [/of the Cluster/, 'Check `cluster.nodes`, and that `CLUSTER INFO` says `cluster_state:ok`'],
]

/** The server repeats the arguments of a command it does not know; they may be values, so they are left out. */
function withoutArguments(message: string): string {
  return message.replace(/,? with args beginning with:.*$/s, '')
}
