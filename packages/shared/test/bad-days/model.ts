/** What one writer has committed: keys with their new versions. */
export type Committed = readonly { readonly key: string; readonly version: number }[]

/**
 * The database behind the caches, and their referee: each key's version is a number that only grows, and it remembers the newest version
 * whose invalidation was acknowledged – the *floor*. A read that begins now must answer the floor or more. One comparison a read, no search.
 *
 * All caches of a test live in one process, so "before" and "after" are the order of its event loop.
 */
export class ModelDatabase {
  private readonly versions = new Map<string, number>()
  private readonly floors = new Map<string, number>()
  private readonly writers = new Map<string, Promise<void>>()

  /** 0 before the first commit. */
  version(key: string): number {
    return this.versions.get(key) ?? 0
  }

  /** What a read that begins now must answer at least. */
  floor(key: string): number {
    return this.floors.get(key) ?? 0
  }

  /** Moves the keys on by one, together. */
  commit(keys: readonly string[]): Committed {
    return keys.map((key) => {
      const version = this.version(key) + 1
      this.versions.set(key, version)
      return { key, version }
    })
  }

  /** These versions are in effect: nobody may be answered an older one any more. */
  acknowledge(committed: Committed): void {
    for (const { key, version } of committed) if (version > this.floor(key)) this.floors.set(key, version)
  }

  /** Runs `work` as the only writer of a key. */
  async alone(key: string, work: () => Promise<void>): Promise<void> {
    const before = this.writers.get(key) ?? Promise.resolve()
    const own = before.then(work)
    const ended = own.catch(() => undefined)
    this.writers.set(key, ended)
    await own
  }
}
