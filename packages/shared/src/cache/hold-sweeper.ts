import type { Clock } from '../kernel/clock.js'
import type { CacheStore, StandingHold } from './cache-store.js'
import { CacheUnavailableError } from './errors.js'

/** What a {@link HoldSweeper} takes from its surroundings. */
export interface SweeperEnvironment {
  readonly clock: Clock
  /** Tags that the clock remembers. */
  readonly maxTags: number
  /** Told of each attempt that failed in the store. */
  readonly onError: (error: CacheUnavailableError) => void
}

/** For how long a member is left alone after an attempt, whatever came of it. */
const REST_MS = 1_000

/**
 * Finishes the holds of owners that have gone (R13): a hold that has expired makes misses until somebody invalidates what it stood for and
 * removes it, and whoever sees it does.
 *
 * Every reading of the clock carries all holds, so nothing need be remembered here: what is not finished now is seen again. All processes
 * may try at once, for the store removes only what is still expired. Who looks may see a member as expired a little sooner than the store,
 * or after it was removed: then nothing happens, and it rests as after a failure.
 */
export class HoldSweeper {
  private running: Promise<void> | null = null
  /** Members tried lately, and until when, in monotonic ms, they are left alone. */
  private readonly resting = new Map<string, number>()

  constructor(
    private readonly store: CacheStore,
    private readonly environment: SweeperEnvironment,
  ) {}

  /**
   * Tells of the holds that a reading of the clock carried; finishes the expired ones in the background, one attempt at a time. Never throws
   * because the store is away.
   * @param nowMs the store's clock, ms since 1970
   */
  saw(holds: readonly StandingHold[], nowMs: number): void {
    if (holds.length === 0 || this.running !== null) return
    if (!holds.some(({ endMs }) => endMs <= nowMs)) return
    const mono = this.environment.clock.mono()
    for (const [id, untilMs] of this.resting) if (untilMs <= mono) this.resting.delete(id)
    const due = holds.filter((hold) => hold.endMs <= nowMs && !this.resting.has(idOf(hold)))
    if (due.length === 0) return
    this.running = this.finish(due).finally(() => (this.running = null))
  }

  /** Waits for the attempt that is under way. */
  async close(): Promise<void> {
    await this.running
  }

  private async finish(due: readonly StandingHold[]): Promise<void> {
    try {
      await this.store.finishHolds(due, this.environment.maxTags)
    } catch (error) {
      if (!(error instanceof CacheUnavailableError)) throw error
      this.environment.onError(error)
    } finally {
      const untilMs = this.environment.clock.mono() + REST_MS
      for (const hold of due) this.resting.set(idOf(hold), untilMs)
    }
  }
}

const idOf = ({ owner, kind, name }: StandingHold): string => JSON.stringify([owner, kind, name])
