import { SchedulerRegistry } from '@nestjs/schedule'
import {
  type Answer,
  Client,
  type DatabaseConfig,
  type RedisConfig,
  type ServiceDefinition,
  startEmbeddedPostgres,
  startService,
} from '@vextrus/service-kit'
import { RedisCacheService, runGlobal, type SetOptions } from '@vextrus/shared/cache'
import { postgresPrograms, startRealPostgres } from '../../../../packages/shared/test/support/real-postgres.js'

/** A tenant of the seed, and another one. */
export const TENANT = 'aurora-hardware'
export const OTHER = 'elbe-elektronik'

/** A database of a test's own. */
export interface TestDatabase extends DatabaseConfig {
  /** Call it after the last client has left. */
  stop(): Promise<void>
}

/**
 * One database for a whole spec file: a real Postgres where its server is installed, which starts and is filled in a fraction of the time, else
 * an embedded one. A service that is given no database has an embedded one anywhere: each has a spec file that starts that one.
 */
export async function startDatabase(): Promise<TestDatabase> {
  if (postgresPrograms === undefined) return startEmbeddedPostgres()
  const { url, stop } = await startRealPostgres(postgresPrograms)
  return { url, poolSize: 5, stop }
}

export interface Reply<Body> extends Omit<Answer, 'body'> {
  readonly body: Body
  /** Database queries that the service sent meanwhile. */
  readonly queries: number
}

/** A running service and a client for it. */
export type TestService<Body> = Awaited<ReturnType<typeof startTestService<Body>>>

/** @typeParam Body what a test of this service expects of answers */
export async function startTestService<Body>(
  definition: ServiceDefinition,
  database: DatabaseConfig,
  redis?: RedisConfig,
) {
  const service = await startService(definition, {
    port: 0,
    databaseUrl: database.url,
    databasePool: database.poolSize,
    ...(redis === undefined ? {} : { redis }),
  })
  // What a timer does in the middle of a test would be counted as the test's queries; tests fire the jobs that they mean.
  for (const job of service.app.get(SchedulerRegistry).getCronJobs().values()) await job.stop()
  const client = new Client(service.url, 64)
  const send = async (
    method: string,
    path: string,
    body?: unknown,
    tenant: string | undefined = TENANT,
  ): Promise<Reply<Body>> => {
    const before = service.queryLog.total
    const answer = await client.send(method, path, tenant, body)
    return { ...answer, body: answer.body as Body, queries: service.queryLog.total - before }
  }
  return {
    service,
    app: service.app,
    url: service.url,
    client,
    send,
    get: (path: string, tenant?: string) => send('GET', path, undefined, tenant),
    async close() {
      client.close()
      await service.close()
    },
  }
}

/** The service's cache as it is stored, of all tenants. */
export function cacheOf({ app }: Pick<TestService<unknown>, 'app'>) {
  const cache = app.get(RedisCacheService)
  return {
    lookup: <T>(key: string) => runGlobal(() => cache.lookup<T>(key)),
    get: <T>(key: string) => runGlobal(() => cache.get<T>(key)),
    has: (key: string) => runGlobal(() => cache.has(key)),
    ttl: (key: string) => runGlobal(() => cache.ttl(key)),
    touch: (key: string, ttl: string) => runGlobal(() => cache.touch(key, ttl)),
    set: (key: string, value: unknown, options?: SetOptions) => runGlobal(() => cache.set(key, value, options)),
    delete: (key: string) => runGlobal(() => cache.delete(key)),
  }
}

/** Waits for a condition; fails when it does not come true in time. */
export async function until(what: string, condition: () => Promise<boolean> | boolean, ms = 30_000): Promise<void> {
  const deadline = performance.now() + ms
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`Waited ${ms} ms in vain until ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}
