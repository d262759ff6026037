import { z } from 'zod'

/** What the service needs to know before it starts. `main.ts` makes it from the environment, tests write it by hand. */
export interface Config {
  /** Port to listen on; 0 takes a free one. */
  readonly port: number
  /** Postgres to use; undefined: an embedded one, in memory, gone with the process. */
  readonly databaseUrl?: string
  /** Connections to that Postgres at most. */
  readonly databasePool: number
  /** Redis to use; undefined: the memory driver, shared with no other process. */
  readonly redis?: RedisConfig
  /** Whether the service sends itself a burst of traffic after it has started, and prints what it measured. */
  readonly burst: boolean
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

const text = z
  .string()
  .optional()
  // An empty variable in a compose file means "not set".
  .transform((value) => (value === '' ? undefined : value))

const port = text.pipe(z.coerce.number<string>().int().min(0).max(65_535).optional())

/** `host:port,host:port`; a port that is left out is Redis' usual one. */
const nodes = text.pipe(
  z
    .string()
    .transform((value) => value.split(',').map((node) => node.trim()))
    .pipe(
      z.array(z.string().regex(/^[\w.-]+(:\d{1,5})?$|^\[[\da-fA-F:.]+\](:\d{1,5})?$/, 'must be host:port,host:port')),
    )
    .optional(),
)

const environment = z.object({
  PORT: port,
  DATABASE_URL: text,
  DATABASE_POOL: text.pipe(z.coerce.number<string>().int().min(1).max(100).optional()),
  REDIS_URL: text,
  REDIS_HOST: text,
  REDIS_PORT: port,
  REDIS_PASSWORD: text,
  REDIS_SENTINELS: nodes,
  REDIS_SENTINEL_NAME: text,
  REDIS_SENTINEL_PASSWORD: text,
  REDIS_CLUSTER: nodes,
  BURST: text.pipe(z.enum(['on', 'off'], 'must be on or off').optional()),
})

/** Reads the configuration from environment variables. Throws an error that names the variable, never its value. */
export function readConfig(env: Record<string, string | undefined>): Config {
  const parsed = environment.safeParse(env)
  if (!parsed.success) {
    throw new Error(parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('; '))
  }
  const { PORT, DATABASE_URL, DATABASE_POOL, BURST } = parsed.data
  const redis = redisOf(parsed.data)
  return {
    port: PORT ?? 3000,
    databasePool: DATABASE_POOL ?? 10,
    burst: BURST !== 'off',
    ...(DATABASE_URL === undefined ? {} : { databaseUrl: DATABASE_URL }),
    ...(redis === undefined ? {} : { redis }),
  }
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
