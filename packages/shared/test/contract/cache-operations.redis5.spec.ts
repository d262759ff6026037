import { vi } from 'vitest'

vi.mock('ioredis', () => import('ioredis5'))
const { redisCaches } = await import('../support/cache-backends.js')
const { cacheOperationsContract } = await import('./cache-operations.contract.js')

cacheOperationsContract('a standalone Redis, with ioredis 5', redisCaches)
