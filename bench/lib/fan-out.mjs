import { Redis } from 'ioredis6'
import { openMessagesOn } from './ours.mjs'

/** About 1 kB as JSON. */
export const messageOf = (i) => ({
  id: i,
  type: 'invoice.approved',
  tenantId: `tenant-${i % 50}`,
  at: 1_790_000_000_000 + i,
  lines: Array.from({ length: 8 }, (_, line) => ({
    sku: `sku-${i % 97}-${line}`,
    text: 'A thing of steel and rubber, kept in stock, with a serial number',
    quantity: line + 1,
    amount: 1_000 + i,
  })),
})

/**
 * Ours and the peer. `open(port)` answers
 *
 * - `publish(channel, message)`
 * - `subscribe(channel, handler)`: each handler gets a message of its own, that no other can change under its hands
 * - `close()`
 *
 * Raw is what one writes with ioredis: a connection that is subscribed, whose messages go to the handlers of their channel, each parsed for each.
 */
export const fans = {
  async vextrus(port) {
    const { messages, close } = await openMessagesOn({ host: '127.0.0.1', port }, 'vextrus:')
    return {
      publish: (channel, message) => messages.publish(channel, message),
      subscribe: (channel, handler) => messages.subscribe(channel, handler),
      close,
    }
  },
  'raw ioredis': (port) => raw(port, {}),
  'raw ioredis, auto-pipelining': (port) => raw(port, { enableAutoPipelining: true }),
}

async function raw(port, options) {
  const publisher = new Redis({ host: '127.0.0.1', port, lazyConnect: true, ...options })
  const subscriber = new Redis({ host: '127.0.0.1', port, lazyConnect: true })
  await Promise.all([publisher.connect(), subscriber.connect()])
  const handlers = new Map()
  subscriber.on('message', (channel, text) => {
    for (const handler of handlers.get(channel) ?? []) handler(JSON.parse(text))
  })
  return {
    publish: (channel, message) => publisher.publish(channel, JSON.stringify(message)),
    async subscribe(channel, handler) {
      const there = handlers.get(channel)
      if (there !== undefined) return there.push(handler)
      handlers.set(channel, [handler])
      await subscriber.subscribe(channel)
    },
    async close() {
      publisher.disconnect()
      subscriber.disconnect()
    },
  }
}

/** Counts for `handlers` handlers of a channel, each of which must get every message once and in order. */
export async function countOn(fan, channel, handlers) {
  let due = 0
  let all = () => {}
  for (let i = 0; i < handlers; i++) {
    let last = -1
    await fan.subscribe(channel, ({ id }) => {
      // A run begins at 0.
      if (id !== 0 && id !== last + 1) throw new Error(`message ${id} came after ${last}`)
      last = id
      if (--due === 0) all()
    })
  }
  /** Resolves when each handler has had so many. */
  return (messages) =>
    new Promise((resolve, reject) => {
      due = messages * handlers
      const timer = setTimeout(() => reject(new Error(`${due} messages of ${channel} did not come`)), 60_000)
      all = () => {
        clearTimeout(timer)
        resolve()
      }
    })
}
