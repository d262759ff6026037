import { setImmediate } from 'node:timers'

/**
 * Lets promises, ticks and immediates run that are due without any time passing. A read, a lease, a load and a fill follow each other with an
 * immediate or two between them, and a fill runs after its caller was answered. Of `node:timers`: fake timers of a test framework replace the
 * global one.
 */
export async function settle(): Promise<void> {
  for (let round = 0; round < ROUNDS; round++) await new Promise<void>((resolve) => setImmediate(resolve))
}

const ROUNDS = 16
