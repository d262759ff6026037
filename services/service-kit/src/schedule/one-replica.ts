import { Injectable } from '@nestjs/common'
import { LockUnavailableError, RedisLockService } from '@vextrus/shared/lock'

/** The first segment of the locks of scheduled work, which belongs to no tenant: `ServiceModule` names it in `tenancy.global`. */
export const JOB = 'job'

/** Work on a timer that one process of all is to do: the timers of all replicas fire, and a lock decides which of them works. */
@Injectable()
export class OneReplica {
  constructor(private readonly locks: RedisLockService) {}

  /**
   * Runs `work`, unless a process has begun it within the last `keepMs`.
   *
   * The lock is kept when the work is done, until its time is over: a replica whose clock is a little late finds it taken, though the work took
   * no time. When the work fails it is given back.
   * @param job its name, the same in all replicas
   * @param keepMs less than the time from one tick to the next, by more than the clocks of two replicas differ; the default suits 5 minutes
   * @returns whether it was done here. False also while Redis is away, and nobody can know whose turn it is
   * @throws what `work` throws
   */
  async run(job: string, work: () => Promise<unknown>, keepMs = 4 * 60_000): Promise<boolean> {
    const lock = await this.acquired(`${JOB}:${job}`, keepMs)
    if (lock === null) return false
    try {
      await work()
    } catch (error) {
      await this.locks.release(lock)
      throw error
    }
    return true
  }

  private async acquired(key: string, ttlMs: number) {
    try {
      return await this.locks.tryAcquire(key, ttlMs)
    } catch (error) {
      if (error instanceof LockUnavailableError) return null
      throw error
    }
  }
}
