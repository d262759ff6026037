import { afterEach, expect, it } from 'vitest'
import { SessionService, SessionUnavailableError } from '../../src/session/index.js'
import { type RedisServer, startRedis } from '../support/redis-server.js'
import { redisSessionStore } from '../support/session-backends.js'
import { waitFor } from '../support/wait-for.js'

/** Redis is stopped, killed and empty: nobody is logged in by accident, and nothing hangs. */

const closing: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close()
})

async function world(): Promise<{ server: RedisServer; sessions: SessionService<{ count: number }> }> {
  const server = await startRedis()
  closing.push(() => server.stop())
  const { store, connection } = await redisSessionStore({ url: server.url, commandTimeout: 300 }, 'vextrus:')
  closing.push(() => connection.close())
  return { server, sessions: new SessionService(() => store) }
}

async function expectAway(sessions: SessionService<{ count: number }>, id: string): Promise<void> {
  const calls = [
    ...[sessions.get(id), sessions.touch(id), sessions.update(id, (data) => data), sessions.rotate(id)],
    ...[sessions.create('u1', { count: 1 }), sessions.destroy(id), sessions.destroyAllForUser('u1')],
    ...[sessions.listForUser('u1'), sessions.foreign.get('a'), sessions.foreign.put('a', 1)],
  ]
  for (const outcome of await Promise.allSettled(calls)) {
    expect(outcome).toMatchObject({ status: 'rejected', reason: expect.any(SessionUnavailableError) })
    const { message, cause } = (outcome as PromiseRejectedResult).reason as SessionUnavailableError
    expect(message).not.toContain(id)
    expect(cause).toBeDefined()
  }
}

it('while Redis does not answer every call says so, and has its answer again with it', async () => {
  const { server, sessions } = await world()
  const { id } = await sessions.create('u1', { count: 1 })
  server.pause()
  try {
    await expectAway(sessions, id)
  } finally {
    server.resume()
  }
  // Which one is not sure: what was sent while it slept may have been done, the log-out too.
  await waitFor('an answer', () =>
    sessions.touch(id).then(
      () => true,
      () => false,
    ),
  )
})

it('a server that comes back empty has no sessions, and nobody is let in', async () => {
  const { server, sessions } = await world()
  const { id } = await sessions.create('u1', { count: 1 })
  await server.kill()
  await expectAway(sessions, id)
  await server.restart()
  let found: unknown
  await waitFor('an answer', () =>
    sessions.get(id).then(
      (session) => {
        found = session
        return true
      },
      () => false,
    ),
  )
  expect(found).toBeNull()
  expect(await sessions.get((await sessions.create('u1', { count: 2 })).id)).toMatchObject({ data: { count: 2 } })
})
