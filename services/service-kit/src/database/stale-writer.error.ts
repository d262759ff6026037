import { ConflictException } from '@nestjs/common'

/**
 * Whoever got the lock later has written already, or the lock was lost before anything was written: the writer was stopped, or cut off, for
 * longer than its lock lived. Nothing of its work is in the database; asking again is safe.
 */
export class StaleWriterError extends ConflictException {
  readonly code = 'STALE_WRITER'

  /** @param what that was to be written, as the client is told of it: `Stock of TOOL-1` */
  constructor(what: string, options: { readonly cause?: unknown } = {}) {
    super(`${what} was written by a later holder of its lock; nothing of this was written, try again`, options)
  }
}
