import { z } from 'zod'

/** The environment, as `process.env` has it. */
export type Environment = Readonly<Record<string, string | undefined>>

/** What every service needs to know before it starts. Its `main.ts` makes it from the environment, tests write it by hand. */
export interface ServiceConfig {
  /** Port to listen on; 0 takes a free one. */
  readonly port: number
  /** Postgres to use; undefined: an embedded one, in memory, gone with the process. */
  readonly databaseUrl?: string
  /** Connections to that Postgres at most. */
  readonly databasePool: number
  /** Redis to use; undefined: the memory driver, shared with no other process. */
  readonly redis?: RedisConfig
}

/** One server, or a set that Sentinels watch over, or a Cluster; as `RedisCacheModule.forRoot` takes it. */
export type RedisConfig =
  | { readonly url: string }
  | { readonly host: string; readonly port: number; readonly password?: string }
  | {
      readonly sentinels: { readonly nodes: readonly string[]; readonly name: string; readonly password?: string }
      readonly password?: string
    }
  | { readonly cluster: { readonly nodes: readonly string[] }; readonly password?: string }

/** A variable that may be missing. An empty one in a compose file means "not set". */
export const variable = z
  .string()
  .optional()
  .transform((value) => (value === '' ? undefined : value))

const port = variable.pipe(z.coerce.number<string>().int().min(0).max(65_535).optional())

/** `host:port,host:port`; a port that is left out is Redis' usual one. */
const nodes = variable.pipe(
  z
    .string()
    .transform((value) => value.split(',').map((node) => node.trim()))
    .pipe(
      z.array(z.string().regex(/^[\w.-]+(:\d{1,5})?$|^\[[\da-fA-F:.]+\](:\d{1,5})?$/, 'must be host:port,host:port')),
    )
    .optional(),
)

const redisUrl = variable.pipe(
  z
    .string()
    .refine((value) => URL.canParse(value) && /^rediss?:\/\//.test(value), {
      error: 'must look like redis://user:password@host:6379/0, or rediss://… for TLS',
    })
    .optional(),
)

const environment = z.object({
  PORT: port,
  DATABASE_URL: variable,
  DATABASE_POOL: variable.pipe(z.coerce.number<string>().int().min(1).max(100).optional()),
  REDIS_URL: redisUrl,
  REDIS_HOST: variable,
  REDIS_PORT: port,
  REDIS_PASSWORD: variable,
  REDIS_SENTINELS: nodes,
  REDIS_SENTINEL_NAME: variable,
  REDIS_SENTINEL_PASSWORD: variable,
  REDIS_CLUSTER: nodes,
})

/**
 * Reads what every service is told by its environment. Throws an error that names the variable, never its value.
 * @param defaultPort where the service listens when `PORT` is not set
 */
export function readServiceConfig(env: Environment, defaultPort: number): ServiceConfig {
  const variables = readVariables(environment, env)
  const { PORT, DATABASE_URL, DATABASE_POOL } = variables
  const redis = redisOf(variables)
  return {
    port: PORT ?? defaultPort,
    databasePool: DATABASE_POOL ?? 10,
    ...(DATABASE_URL === undefined ? {} : { databaseUrl: DATABASE_URL }),
    ...(redis === undefined ? {} : { redis }),
  }
}

/** Reads variables by a schema of their names. Throws an error that names each bad one, never a value. */
export function readVariables<T extends z.ZodObject>(schema: T, env: Environment): z.infer<T> {
  const parsed = schema.safeParse(env)
  if (parsed.success) return parsed.data
  throw new Error(parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('; '))
}

/** Where the cache is, for a person to read. */
export function describeRedis(redis: RedisConfig | undefined): string {
  if (redis === undefined) {
    return 'memory, of this process alone: set REDIS_URL, REDIS_HOST, REDIS_SENTINELS or REDIS_CLUSTER to share it'
  }
  if ('sentinels' in redis)
    return `Redis, ${redis.sentinels.name} of the Sentinels at ${redis.sentinels.nodes.join(', ')}`
  if ('cluster' in redis) return `Redis Cluster at ${redis.cluster.nodes.join(', ')}`
  const { host, pathname } = 'url' in redis ? new URL(redis.url) : new URL(`redis://${redis.host}:${redis.port}`)
  return `Redis at ${host}${pathname}`
}

const PLACES = ['REDIS_URL', 'REDIS_HOST', 'REDIS_SENTINELS', 'REDIS_CLUSTER'] as const

function redisOf(variables: z.infer<typeof environment>): RedisConfig | undefined {
  const { REDIS_URL, REDIS_HOST, REDIS_PORT, REDIS_PASSWORD, REDIS_SENTINELS, REDIS_CLUSTER } = variables
  const set = PLACES.filter((name) => variables[name] !== undefined)
  if (set.length > 1) throw new Error(`${set.join(', ')}: set one of them`)
  const { REDIS_SENTINEL_NAME: name, REDIS_SENTINEL_PASSWORD: sentinelPassword } = variables
  const password = REDIS_PASSWORD === undefined ? {} : { password: REDIS_PASSWORD }
  if (REDIS_URL !== undefined) return { url: REDIS_URL }
  if (REDIS_HOST !== undefined) return { host: REDIS_HOST, port: REDIS_PORT ?? 6379, ...password }
  if (REDIS_CLUSTER !== undefined) return { cluster: { nodes: REDIS_CLUSTER }, ...password }
  if (REDIS_SENTINELS === undefined) return undefined
  if (name === undefined) throw new Error('REDIS_SENTINEL_NAME: set it to what the Sentinels call the master')
  const sentinels = { nodes: REDIS_SENTINELS, name, ...(sentinelPassword && { password: sentinelPassword }) }
  return { sentinels, ...password }
}
