import { AsyncLocalStorage } from 'node:async_hooks'
import { Logger as NestLogger } from '@nestjs/common'
import type { Logger } from 'typeorm'

/** What one request made the service do. */
export interface RequestTrace {
  /** Database queries that were sent on behalf of the request. */
  queries: number
}

/**
 * TypeORM's logger of this service: it counts queries, in all and for the request that is being answered, and hands errors to Nest's log. A
 * request without a query was answered from the cache; this is what `X-Cache` and the tests of the cache look at.
 */
export class QueryLog implements Logger {
  /** Queries since the start. */
  total = 0
  private readonly requests = new AsyncLocalStorage<RequestTrace>()
  private readonly nest = new NestLogger('Database')

  /** Runs `work` so that {@link current} answers `trace` in everything that it starts. */
  follow<T>(trace: RequestTrace, work: () => T): T {
    return this.requests.run(trace, work)
  }

  current(): RequestTrace | undefined {
    return this.requests.getStore()
  }

  logQuery(): void {
    this.total++
    const trace = this.requests.getStore()
    if (trace !== undefined) trace.queries++
  }

  /** Statement and error, without the parameters: they hold customers' data. A violated constraint is the client's mistake, who is told. */
  logQueryError(error: string | Error, query: string): void {
    if (typeof error === 'object' && 'code' in error && String(error.code).startsWith('23')) return
    this.nest.warn(`Query failed: ${error instanceof Error ? error.message : error}; ${query.slice(0, 200)}`)
  }

  logQuerySlow(): void {}
  logSchemaBuild(): void {}
  logMigration(): void {}
  log(): void {}
}
