import { vi } from 'vitest'

vi.mock('ioredis', () => import('ioredis5'))
const { redisSessions } = await import('../support/session-backends.js')
const { sessionsContract } = await import('./sessions.contract.js')

sessionsContract('a standalone Redis, with ioredis 5', redisSessions)
