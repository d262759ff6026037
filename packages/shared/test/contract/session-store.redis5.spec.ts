import { vi } from 'vitest'

vi.mock('ioredis', () => import('ioredis5'))
const { redisSessions } = await import('../support/session-backends.js')
const { sessionStoreContract } = await import('./session-store.contract.js')

sessionStoreContract('a standalone Redis, with ioredis 5', redisSessions)
