import { defineEvent } from '../kernel/events.js'

/** A session began. */
export const sessionCreated = defineEvent<{ readonly userId: string }>('session.created')

/** Sessions were ended by a call. */
export const sessionDestroyed = defineEvent<{ readonly userId?: string | undefined; readonly count: number }>(
  'session.destroyed',
)
