import type { DatabaseConfig } from '@vextrus/service-kit'
import { postgresPrograms, startRealPostgres } from '../../../../packages/shared/test/support/real-postgres.js'
import { startDatabase } from '../../../service-kit/test/support/test-service.js'

/** A database of a test's own. */
export interface TestDatabase extends DatabaseConfig {
  stop(): Promise<void>
}

/** A real Postgres where its server is installed, which starts sooner, else an embedded one. */
export async function startPostgres(): Promise<TestDatabase> {
  if (postgresPrograms === undefined) return startDatabase()
  const { url, stop } = await startRealPostgres(postgresPrograms)
  return { url, poolSize: 5, stop }
}
