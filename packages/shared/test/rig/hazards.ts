import type { RedisServer } from '../support/redis-server.js'

/** Tells the fleet, through its database, of faults after which a hold may be gone from the tag clock. */
export class Hazards {
  constructor(private readonly database: RedisServer) {}

  /** Both ends are told: a hold that was asked for before the end may be lost, and so may one that was placed before the beginning. */
  async during<T>(fault: () => Promise<T>): Promise<T> {
    await this.database.command('HINCRBY', 'hazards', 'begun', 1)
    await this.database.command('HINCRBY', 'hazards', 'open', 1)
    try {
      return await fault()
    } finally {
      await this.database.command('HINCRBY', 'hazards', 'open', -1)
    }
  }
}
