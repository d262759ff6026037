import { parentPort } from 'node:worker_threads'
import { startEmbeddedPostgres } from './embedded-postgres.js'

/** The thread of `embedded-thread.ts`: starts the database and says where it is. */

const { url, poolSize } = await startEmbeddedPostgres()
parentPort?.postMessage({ url, poolSize })
