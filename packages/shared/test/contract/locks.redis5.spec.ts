import { vi } from 'vitest'

vi.mock('ioredis', () => import('ioredis5'))
const { redisLocks } = await import('../support/lock-backends.js')
const { locksContract } = await import('./locks.contract.js')

locksContract('a standalone Redis, with ioredis 5', redisLocks)
