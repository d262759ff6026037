import { vi } from 'vitest'

vi.mock('ioredis', () => import('ioredis5'))
const { redisMessages } = await import('../support/pubsub-backends.js')
const { pubSubContract } = await import('./pubsub.contract.js')

pubSubContract('a standalone Redis, with ioredis 5', redisMessages)
