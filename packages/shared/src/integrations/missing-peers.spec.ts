import { expect, it, vi } from 'vitest'
import { LimitWorld } from '../../test/support/limit-world.js'
import { MemoryHub } from '../kernel/memory-hub.js'
import { SessionService } from '../session/session.js'
import { MemorySessionStore } from '../session/stores/memory.js'

// As where a package is not installed.
vi.mock('@nestjs/throttler', () => {
  throw new Error('there is no @nestjs/throttler')
})
vi.mock('express-rate-limit', () => {
  throw new Error('there is no express-rate-limit')
})
vi.mock('express-session', () => {
  throw new Error('there is no express-session')
})
vi.mock('@fastify/session', () => {
  throw new Error('there is no @fastify/session')
})

it('adapters take the types of their package alone: they load and count where it is not installed', async () => {
  await expect(import('@nestjs/throttler')).rejects.toThrow()
  await expect(import('express-rate-limit')).rejects.toThrow()
  await expect(import('@fastify/session')).rejects.toThrow()
  const { limiter } = new LimitWorld().process()
  const { RedisThrottlerStorage } = await import('./throttler.js')
  const { RedisRateLimitStore } = await import('./express-rate-limit.js')
  const record = await new RedisThrottlerStorage(limiter).increment('a', 1_000, 1, 0, 'default')
  expect(record).toMatchObject({ totalHits: 1, isBlocked: false })
  expect(await new RedisRateLimitStore(limiter).increment('a')).toMatchObject({ totalHits: 1 })
  const { RedisSessionStore } = await import('./express-session.js')
  const port = new MemorySessionStore(new MemoryHub(), 'vextrus:')
  const store = new RedisSessionStore(new SessionService(() => port))
  // As @fastify/session uses it.
  await new Promise((resolve) => store.set('a', { cart: 1 }, resolve))
  expect(await new Promise((resolve) => store.get('a', (_, session) => resolve(session)))).toEqual({ cart: 1 })
  // As express-session does, whose classes are needed then.
  store.generate = () => undefined
  const error = await new Promise((resolve) => store.get('a', resolve))
  expect(error).toMatchObject({ code: 'MISSING_PEER', packageName: 'express-session' })
})
