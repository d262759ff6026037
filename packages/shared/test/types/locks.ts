// The types of the locks: calls, what they answer, and where the decorator may stand.
import { Injectable } from '@nestjs/common'
import { RedisCacheModule } from '@vextrus/shared'
import {
  currentLock,
  type Lock,
  Locked,
  LockLostError,
  type LockOptions,
  LockTimeoutError,
  LockUnavailableError,
  RedisLockService,
  RedisReadWriteLock,
  RedisSemaphore,
  type ReleaseOutcome,
} from '@vextrus/shared/lock'
import {
  Locked as SameLocked,
  LockTimeoutError as SameError,
  RedisLockService as SameService,
} from '@vextrus/shared/utils'

declare const work: (fence: bigint) => Promise<string>

export const same: [typeof Locked, typeof LockTimeoutError, typeof RedisLockService] = [
  SameLocked,
  SameError,
  SameService,
]

export const options: LockOptions = { ttl: '10s', wait: 5_000, replicas: 1, localTurns: 8 }
RedisCacheModule.forRoot({ lock: options, use: { lock: 'locks' } })
RedisCacheModule.forRoot({ lock: undefined, use: { lock: undefined } })
// @ts-expect-error there is no such capability
RedisCacheModule.forRoot({ use: { locks: 'locks' } })
// @ts-expect-error there is no such option
RedisCacheModule.forRoot({ lock: { timeout: 5_000 } })

@Injectable()
export class InvoiceService {
  constructor(
    private readonly lockService: RedisLockService,
    private readonly semaphore: RedisSemaphore,
    private readonly readWrite: RedisReadWriteLock,
  ) {}

  async byHand(tenantId: string, signal: AbortSignal): Promise<ReleaseOutcome> {
    const lock: Lock = await this.lockService.acquire(`lock:invoice-number:${tenantId}`, 10_000, 5_000, { signal })
    try {
      lock.assertHeld()
      await work(lock.fence)
      await lock.extend()
      await lock.extend(20_000)
    } catch (error) {
      if (error instanceof LockLostError) return error.reason === 'expired' ? 'not-held' : 'unknown'
      if (!(error instanceof LockTimeoutError || error instanceof LockUnavailableError)) throw error
    }
    return this.lockService.release(lock)
  }

  async disposed(): Promise<Date | null> {
    await using lock = await this.lockService.tryAcquire('job:nightly', 60_000)
    return lock === null || lock.signal.aborted ? null : new Date(lock.expiresAt)
  }

  async around(): Promise<[string, number, bigint]> {
    return Promise.all([
      this.lockService.withLock('a', { ttl: '10s', wait: '5s' }, (lock) => work(lock.fence)),
      this.semaphore.withPermit('b', { permits: 3, ttlMs: 10_000, waitMs: 0 }, () => 1),
      this.readWrite.withRead('c', {}, async ({ fence }) => fence),
    ])
  }

  async others(): Promise<(Lock | null)[]> {
    return [
      await this.semaphore.acquire('a', { permits: 2, wait: '1s' }),
      await this.semaphore.tryAcquire('a', { permits: 2 }),
      await this.readWrite.read('b'),
      await this.readWrite.write('b', { ttl: '5s' }),
      await this.readWrite.tryWrite('b'),
    ]
  }

  @Locked({ key: (tenantId: string) => `lock:invoice-number:${tenantId}`, ttlMs: 10_000, waitMs: 5_000 })
  async decorated(_tenantId: string): Promise<bigint | undefined> {
    return currentLock()?.fence
  }

  @Locked({ key: () => 'a', ttl: '10s', wait: 0, connection: 'reports' })
  async inTexts(): Promise<void> {}
}

export class Misused {
  constructor(private readonly locks: RedisLockService) {}

  // @ts-expect-error a lock needs its key
  @Locked({})
  async withoutKey(): Promise<void> {}

  // @ts-expect-error a method has to answer a promise
  @Locked({ key: () => 'a' })
  synchronous(): number {
    return 1
  }

  // @ts-expect-error milliseconds are a number
  @Locked({ key: () => 'a', ttlMs: '10s' })
  async textOfMilliseconds(): Promise<void> {}

  async calls(): Promise<void> {
    // @ts-expect-error a semaphore needs to know how many
    await new RedisSemaphore(undefined as never).acquire('a', {})
    const lock = await this.locks.tryAcquire('a')
    // @ts-expect-error it may be null
    await lock.release()
    // @ts-expect-error a fence is a bigint
    const fence: number = (await this.locks.acquire('a')).fence
    void fence
  }
}
