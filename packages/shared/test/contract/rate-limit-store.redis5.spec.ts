import { vi } from 'vitest'

vi.mock('ioredis', () => import('ioredis5'))
const { redisLimits } = await import('../support/limit-backends.js')
const { rateLimitStoreContract } = await import('./rate-limit-store.contract.js')

rateLimitStoreContract('a standalone Redis, with ioredis 5', redisLimits)
