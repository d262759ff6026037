import { vi } from 'vitest'

vi.mock('ioredis', () => import('ioredis5'))
const { redisMessages } = await import('../support/pubsub-backends.js')
const { pubSubStoreContract } = await import('./pubsub-store.contract.js')

pubSubStoreContract('a standalone Redis, with ioredis 5', redisMessages)
