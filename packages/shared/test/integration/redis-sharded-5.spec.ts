import { vi } from 'vitest'

// Everything that redis-sharded.spec.ts says, where the application has ioredis 5.
vi.mock('ioredis', () => import('ioredis5'))
await import('./redis-sharded.spec.js')
