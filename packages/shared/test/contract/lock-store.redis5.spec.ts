import { vi } from 'vitest'

vi.mock('ioredis', () => import('ioredis5'))
const { redisLocks } = await import('../support/lock-backends.js')
const { lockStoreContract } = await import('./lock-store.contract.js')

lockStoreContract('a standalone Redis, with ioredis 5', redisLocks)
