import { PGlite } from '@electric-sql/pglite'
import { PGLiteSocketServer } from '@electric-sql/pglite-socket'

/** A Postgres inside this process, in memory, which speaks the Postgres protocol on a free port of the loopback interface. */
export interface EmbeddedPostgres {
  readonly url: string
  /** Connections that one client may use at a time. */
  readonly poolSize: 1
  /** Call it after the last client has left. */
  stop(): Promise<void>
}

/**
 * Starts one: WebAssembly Postgres (PGlite) behind its socket server, so that embedded and real Postgres are one code path.
 *
 * All connections share one backend session, and the socket server mixes their messages: the `Bind` of one may meet the statement that another
 * has just parsed. So whoever uses it has a pool of one connection, and queries wait in that pool. This makes a rule of what is good sense
 * anyway: inside a transaction only the transaction's own manager is used, for a second connection would be waited for in vain.
 */
export async function startEmbeddedPostgres(): Promise<EmbeddedPostgres> {
  const db = await PGlite.create()
  // One too many would be refused; several programs may look at it, one after the other.
  const server = new PGLiteSocketServer({ db, host: '127.0.0.1', port: 0, maxConnections: 16 })
  await server.start()
  return {
    poolSize: 1,
    url: `postgres://postgres@${server.getServerConn()}/postgres`,
    async stop() {
      await server.stop()
      await db.close()
    },
  }
}
