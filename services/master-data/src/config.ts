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

export type RedisConfig =
  { readonly url: string } | { readonly host: string; readonly port: number; readonly password?: string }

const text = z
  .string()
  .optional()
  // An empty variable in a compose file means "not set".
  .transform((value) => (value === '' ? undefined : value))

const port = text.pipe(z.coerce.number<string>().int().min(0).max(65_535).optional())

const environment = z.object({
  PORT: port,
  DATABASE_URL: text,
  DATABASE_POOL: text.pipe(z.coerce.number<string>().int().min(1).max(100).optional()),
  REDIS_URL: text,
  REDIS_HOST: text,
  REDIS_PORT: port,
  REDIS_PASSWORD: text,
  BURST: text.pipe(z.enum(['on', 'off'], 'must be on or off').optional()),
})

/** Reads the configuration from environment variables. Throws an error that names the variable, never its value. */
export function readConfig(env: Record<string, string | undefined>): Config {
  const parsed = environment.safeParse(env)
  if (!parsed.success) {
    throw new Error(parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('; '))
  }
  const { PORT, DATABASE_URL, DATABASE_POOL, REDIS_URL, REDIS_HOST, REDIS_PORT, REDIS_PASSWORD, BURST } = parsed.data
  if (REDIS_URL !== undefined && REDIS_HOST !== undefined) throw new Error('REDIS_URL, REDIS_HOST: set one of them')
  const redis: RedisConfig | undefined =
    REDIS_URL !== undefined
      ? { url: REDIS_URL }
      : REDIS_HOST !== undefined
        ? {
            host: REDIS_HOST,
            port: REDIS_PORT ?? 6379,
            ...(REDIS_PASSWORD === undefined ? {} : { password: REDIS_PASSWORD }),
          }
        : undefined
  return {
    port: PORT ?? 3000,
    databasePool: DATABASE_POOL ?? 10,
    burst: BURST !== 'off',
    ...(DATABASE_URL === undefined ? {} : { databaseUrl: DATABASE_URL }),
    ...(redis === undefined ? {} : { redis }),
  }
}
