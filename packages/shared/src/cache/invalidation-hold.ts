import { type Clock, pause, type Timer } from '../kernel/clock.js'
import { type Duration, durationToMs } from '../kernel/duration.js'
import { ConfigurationError } from '../kernel/errors.js'
import type { RandomSource } from '../kernel/random.js'
import type { CacheStore, Hold } from './cache-store.js'
import { latest } from './entry-reader.js'
import { CacheUnavailableError } from './errors.js'

/** What `invalidateAround` makes a miss while its work is under way, and afterwards invalidates: at most 100 keys and tags together. */
export interface HoldTargets {
  readonly keys?: readonly string[] | undefined
  readonly tags?: readonly string[] | undefined
}

/** Options of `invalidateAround`. */
export interface HoldOptions {
  /**
   * For how long the targets stay misses when this process dies meanwhile; renewed at a third of it while it lives.
   * @default 30_000 ms
   */
  readonly hold?: Duration | undefined
  /** How far the replica that loads read from may be behind: the targets stay misses for so long after the work. @default none */
  readonly replicaLag?: Duration | undefined
}

/** What {@link InvalidationHolds} takes from its surroundings. */
export interface HoldEnvironment {
  readonly clock: Clock
  readonly random: RandomSource
  /** Tags that the clock remembers. */
  readonly maxTags: number
  /** Told of each operation that failed in the store. */
  readonly onError: (error: CacheUnavailableError) => void
}

const DEFAULT_HOLD_MS = 30_000
/** Members of all holds together, in the store. */
const MOST_MEMBERS = 100

/**
 * Work with an invalidation around it that can't be lost (R13).
 *
 * "Commit, then delete" leaves a stale entry when the process dies in between. So the invalidation is begun before the work: a hold, placed
 * in the store, makes the targets misses that nobody stores; after the work they are invalidated and the hold removed in one step. Whatever
 * happens in between, the hold stands until somebody has finished it: a crash costs misses, never a stale hit.
 *
 * A hold that could not be placed is not taken back. Nothing may have been placed; if it was, it expires and is finished by whoever sees it
 * ({@link HoldSweeper}). Taking it back would be one more invalidation owed for each attempt against a store that is away.
 */
export class InvalidationHolds {
  constructor(
    private readonly store: CacheStore,
    private readonly environment: HoldEnvironment,
  ) {}

  /**
   * Places the hold, runs `work`, waits for `replicaLag`, then invalidates and removes the hold – also when `work` throws, whose error is
   * then the outcome. Once `work` has succeeded its result is the outcome, also when the invalidation is not acknowledged: it is repeated
   * (R24), and until then the hold covers the gap.
   * @param work its signal fires, with a `CacheUnavailableError` as the reason, at the first renewal that fails: should the hold expire before
   * the work has ended, it does not cover what is committed afterwards and this process dies
   * @throws CacheUnavailableError the hold was not placed; `work` was not called. ConfigurationError, InvalidDurationError
   */
  async around<T>(
    targets: HoldTargets,
    work: (signal: AbortSignal) => T | PromiseLike<T>,
    options: HoldOptions = {},
  ): Promise<T> {
    const { holdMs, lagMs } = resolveOptions(options)
    const hold: Hold = {
      owner: this.environment.random.token(),
      keys: [...new Set(targets.keys)],
      tags: [...new Set(targets.tags)],
    }
    const members = hold.keys.length + hold.tags.length
    if (members > MOST_MEMBERS)
      throw new ConfigurationError(
        'targets',
        `${members} keys and tags; at most ${MOST_MEMBERS} can be held at a time: give the entries a tag in common`,
      )
    if (members === 0) return work(new AbortController().signal)
    const standing = new StandingWork(this.store, this.environment, hold, holdMs)
    await standing.place()
    try {
      return await work(standing.signal)
    } finally {
      await standing.end(lagMs)
    }
  }
}

/** The hold of one call, from its placing to its end. */
class StandingWork {
  private readonly controller = new AbortController()
  private timer: Timer | null = null
  private renewing: Promise<void> | null = null
  private ending = false
  private ended = false

  constructor(
    private readonly store: CacheStore,
    private readonly environment: HoldEnvironment,
    private readonly hold: Hold,
    private readonly holdMs: number,
  ) {}

  get signal(): AbortSignal {
    return this.controller.signal
  }

  async place(): Promise<void> {
    try {
      await this.placeInFull()
    } catch (error) {
      throw this.failed(error)
    }
    this.schedule()
  }

  /** Doesn't reject because the store is away. */
  async end(lagMs: number): Promise<void> {
    if (lagMs > 0) await pause(this.environment.clock, lagMs)
    // From here on nothing is placed anew: it might arrive after the end, and would then stand for nobody.
    this.ending = true
    if (this.renewing !== null) await this.renewing
    try {
      await this.store.endHold(this.hold, this.environment.maxTags)
    } catch (error) {
      this.failed(error)
    } finally {
      this.ended = true
      this.timer?.cancel()
    }
  }

  private schedule(): void {
    if (this.ended) return
    this.timer = this.environment.clock.timer(this.holdMs / 3, () => {
      this.renewing = this.renew().finally(() => {
        this.renewing = null
        this.schedule()
      })
    })
  }

  /** A member that is gone is placed again in full: while it was away, values of before the work may have been stored. */
  private async renew(): Promise<void> {
    try {
      const held = await this.store.renewHold(this.hold, this.holdMs)
      if (!held && !this.ending) await this.placeInFull()
    } catch (error) {
      const cause = this.failed(error)
      if (this.ending) return
      this.controller.abort(
        new CacheUnavailableError('the hold of invalidateAround could not be renewed: end the work, or check Redis', {
          cause,
        }),
      )
    }
  }

  private async placeInFull(): Promise<void> {
    if ((await this.placed()) || ((await this.finishExpired()) && (await this.placed()))) return
    throw new CacheUnavailableError(
      `too many keys and tags are held now, by all processes together; at most ${MOST_MEMBERS} can be. Call again, or hold a tag instead of many keys`,
    )
  }

  private placed(): Promise<boolean> {
    const { hold, holdMs, environment } = this
    return this.store.placeHold(hold, holdMs, environment.maxTags)
  }

  /** Holds of owners that have gone count until somebody who reads has seen them; where nobody reads, that is who finds no room. */
  private async finishExpired(): Promise<boolean> {
    const { keys, tags } = this.hold
    // A reading of whatever entry: beside it come the holds and the store's clock.
    const { clock, sources } = await this.store.read([keys[0] ?? tags[0]!], null)
    const expired = clock.holds.filter(({ endMs }) => endMs <= latest(sources))
    if (expired.length === 0) return false
    await this.store.finishHolds(expired, this.environment.maxTags)
    return true
  }

  /** Counts it. Anything but the store's absence is a defect, and goes on as one. */
  private failed(error: unknown): CacheUnavailableError {
    if (!(error instanceof CacheUnavailableError)) throw error
    this.environment.onError(error)
    return error
  }
}

/** @throws ConfigurationError, InvalidDurationError */
function resolveOptions({ hold = DEFAULT_HOLD_MS, replicaLag }: HoldOptions): { holdMs: number; lagMs: number } {
  const holdMs = durationToMs(hold, 'hold')
  const lagMs = replicaLag === undefined ? 0 : durationToMs(replicaLag, 'replicaLag')
  if (holdMs < 2 * lagMs)
    throw new ConfigurationError(
      'hold',
      `${holdMs} ms is less than twice the replicaLag of ${lagMs} ms; a process that dies would leave the replica's old values to be stored. Give a longer hold`,
    )
  return { holdMs, lagMs }
}
