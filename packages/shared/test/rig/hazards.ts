import type { RedisServer } from '../support/redis-server.js'

/** Tells the fleet, through its database, of faults after which what it counts on may be gone: a hold from the tag clock, an entry. */
export class Hazards {
  constructor(private readonly database: RedisServer) {}

  /** Both ends are told: a hold that was asked for before the end may be lost, and so may one that was placed before the beginning. */
  during<T>(fault: () => Promise<T>): Promise<T> {
    return this.tell('begun', 'open', fault)
  }

  /**
   * Entries may go while it lasts, and nobody else has a reason to think so: the server makes room, or carries out a `delete` that was given
   * up and whose key was written since.
   */
  takingEntries<T>(fault: () => Promise<T>): Promise<T> {
    return this.tell('taken', 'taking', fault)
  }

  private async tell<T>(begun: string, open: string, fault: () => Promise<T>): Promise<T> {
    await this.database.command('HINCRBY', 'hazards', begun, 1)
    await this.database.command('HINCRBY', 'hazards', open, 1)
    try {
      return await fault()
    } finally {
      await this.database.command('HINCRBY', 'hazards', open, -1)
    }
  }
}
