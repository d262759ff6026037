import { expect, it, vi } from 'vitest'
import { LimitWorld } from '../../test/support/limit-world.js'

// As where a package is not installed.
vi.mock('@nestjs/throttler', () => {
  throw new Error('there is no @nestjs/throttler')
})
vi.mock('express-rate-limit', () => {
  throw new Error('there is no express-rate-limit')
})

it('adapters take the types of their package alone: they load and count where it is not installed', async () => {
  await expect(import('@nestjs/throttler')).rejects.toThrow()
  await expect(import('express-rate-limit')).rejects.toThrow()
  const { limiter } = new LimitWorld().process()
  const { RedisThrottlerStorage } = await import('./throttler.js')
  const { RedisRateLimitStore } = await import('./express-rate-limit.js')
  const record = await new RedisThrottlerStorage(limiter).increment('a', 1_000, 1, 0, 'default')
  expect(record).toMatchObject({ totalHits: 1, isBlocked: false })
  expect(await new RedisRateLimitStore(limiter).increment('a')).toMatchObject({ totalHits: 1 })
})
