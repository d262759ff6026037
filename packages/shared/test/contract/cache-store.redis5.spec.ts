import { vi } from 'vitest'

vi.mock('ioredis', () => import('ioredis5'))
const { redisBackend } = await import('../support/store-backends.js')
const { cacheStoreContract } = await import('./cache-store.contract.js')

cacheStoreContract('a standalone Redis, with ioredis 5', redisBackend)
