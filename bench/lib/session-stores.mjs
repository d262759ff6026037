import { promisify } from 'node:util'
import { RedisStore } from 'connect-redis'
import expressSession from 'express-session'
import { createClient } from 'redis'
import { RedisSessionStore } from '../../packages/shared/dist/integrations/express-session.js'
import { openSessionsOn } from './ours.mjs'

const IDLE_MS = 1_800_000

/** What is kept of who is logged in: about 400 bytes as JSON. */
export const dataOf = (i) => ({
  user: { id: `user-${i}`, name: `User number ${i}`, email: `user-${i}@example.com`, roles: ['member', 'accountant'] },
  tenant: `tenant-${i % 50}`,
  csrf: 'J3o0yqk5qXgDq0p1hQ2p9mE7rVnA4kUe',
  cart: [
    { sku: `sku-${i % 97}`, quantity: 2 },
    { sku: `sku-${i % 89}`, quantity: 1 },
  ],
  visits: 0,
})

/**
 * Ours and the peer, each on a connection of its own. A contender is
 *
 * - `log(i)`: a session of that user, logged in; answers its id
 * - `read(id)`: what a request does that changes nothing; answers the data
 * - `change(id)`: what a request does that changes something: it adds one to `visits`
 * - `end(id)`: logs out
 *
 * connect-redis is asked as express-session asks it: `get` when a request comes and `touch` when it ends, `set` in the place of `touch` when the
 * session was changed. Two changes at once lose one of them there. It is on node-redis, the only client that it takes.
 */
export const sessionStores = {
  vextrus: (port) => ours(port),
  'vextrus, encrypted': (port) => ours(port, { encryption: { keys: [{ id: 'a', secret: Buffer.alloc(32, 7) }] } }),
  async 'vextrus ./express-session'(port) {
    const { sessions, close } = await openSessionsOn({ host: '127.0.0.1', port }, 'express:')
    const store = new RedisSessionStore(sessions)
    return { ...asExpress(store, () => store.idFor()), close }
  },
  async 'connect-redis 9'(port) {
    const client = createClient({ socket: { host: '127.0.0.1', port } })
    client.on('error', console.warn)
    await client.connect()
    let next = 0
    const contender = asExpress(new RedisStore({ client }), () => `session-${next++}`)
    return { ...contender, close: () => client.close() }
  },
}

async function ours(port, options = {}) {
  const prefix = options.encryption === undefined ? 'vextrus:' : 'sealed:'
  const { sessions, close } = await openSessionsOn({ host: '127.0.0.1', port }, prefix, options)
  return {
    log: async (i) => (await sessions.create(`user-${i}`, dataOf(i), { tenantId: `tenant-${i % 50}` })).id,
    read: async (id) => (await sessions.get(id)).data,
    change: (id) => sessions.update(id, (data) => ({ ...data, visits: data.visits + 1 })),
    end: (id) => sessions.destroy(id),
    close,
  }
}

function asExpress(store, newId) {
  const { Cookie } = expressSession
  const call = (method, ...args) => promisify(store[method]).call(store, ...args)
  return {
    async log(i) {
      const id = newId()
      await call('set', id, { cookie: new Cookie({ maxAge: IDLE_MS }), ...dataOf(i) })
      return id
    },
    async read(id) {
      const session = await call('get', id)
      await call('touch', id, session)
      return session
    },
    async change(id) {
      const session = await call('get', id)
      await call('set', id, { ...session, visits: session.visits + 1 })
    },
    end: (id) => call('destroy', id),
  }
}
