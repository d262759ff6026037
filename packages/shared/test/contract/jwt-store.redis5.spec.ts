import { vi } from 'vitest'

vi.mock('ioredis', () => import('ioredis5'))
const { redisRevocations } = await import('../support/jwt-backends.js')
const { jwtStoreContract } = await import('./jwt-store.contract.js')

jwtStoreContract('a standalone Redis, with ioredis 5', redisRevocations)
