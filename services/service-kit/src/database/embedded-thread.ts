import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import type { EmbeddedPostgres } from './embedded-postgres.js'

/**
 * An embedded Postgres on a thread of its own, so that a query keeps no other request waiting, as with a real one. Runs from `dist/` only: a
 * thread can't load TypeScript.
 */
export async function startEmbeddedThread(): Promise<EmbeddedPostgres> {
  const worker = new Worker(new URL('./embedded-postgres.worker.js', import.meta.url))
  // `once` rejects when the thread fails instead.
  const [place] = (await once(worker, 'message')) as [Pick<EmbeddedPostgres, 'url' | 'poolSize'>]
  return {
    ...place,
    // In memory: there is nothing to be saved.
    stop: async () => void (await worker.terminate()),
  }
}
