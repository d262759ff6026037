import { PGlite } from '@electric-sql/pglite'
import { PGLiteSocketServer } from '@electric-sql/pglite-socket'

/** A Postgres inside this process, in memory, which speaks the Postgres protocol on a free port of the loopback interface. */
export interface EmbeddedPostgres {
  readonly url: string
  /** Call it after the last client has left. */
  stop(): Promise<void>
}

/**
 * Starts one: WebAssembly Postgres (PGlite) behind its socket server, so that embedded and real Postgres are one code path.
 *
 * All connections share one backend session: a transaction that waits for a query on another connection of the pool would wait for ever.
 * Hence the rule of this service: inside a transaction only that transaction's own manager is used.
 */
export async function startEmbeddedPostgres(): Promise<EmbeddedPostgres> {
  const db = await PGlite.create()
  // Connections of a pool queue up in the server; one too many would be refused.
  const server = new PGLiteSocketServer({ db, host: '127.0.0.1', port: 0, maxConnections: 64 })
  await server.start()
  return {
    url: `postgres://postgres@${server.getServerConn()}/postgres`,
    async stop() {
      await server.stop()
      await db.close()
    },
  }
}
