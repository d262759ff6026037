import { vi } from 'vitest'

vi.mock('ioredis', () => import('ioredis5'))
const { redisCaches } = await import('../support/cache-backends.js')
const { cacheContract } = await import('./cache.contract.js')

cacheContract('a standalone Redis, with ioredis 5', redisCaches)
