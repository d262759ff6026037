import { describe, expect, it } from 'vitest'
import { redisSessionStore } from '../support/session-backends.js'
import { Keyspace } from '../../src/redis/keyspace.js'
import type { UnitReplies } from '../../src/redis/topology.js'
import { startRedis } from '../support/redis-server.js'

describe('a store of sessions whose payloads are text', () => {
  it('reads what a store of bytes wrote, with and without a script', async () => {
    const server = await startRedis()
    const options = { url: server.url }
    const stores = [
      await redisSessionStore(options, 'app:'),
      await redisSessionStore(options, 'app:', { text: true }),
    ] as const
    try {
      const [bytes, text] = stores.map(({ store }) => store)
      const ref = { home: 'abc', hash: 'h'.repeat(43) }
      const data = { codec: 'j', payload: '{"name":"Žofie 🌍"}' }
      const life = { idleMs: 60_000, absoluteMs: 600_000 }
      await bytes!.create({ ...ref, userId: 'u1', tenantId: null, meta: '', data, ...life })
      const [asBytes, asText] = [await bytes!.read(ref), await text!.read(ref)]
      expect(asText).toEqual({ ...asBytes, data, freshMs: expect.any(Number) })
      expect(asBytes!.data.payload).toEqual(Buffer.from(data.payload))
      expect(asText!.expiresAt).toBe(asText!.seenAt + life.idleMs)
      // A twentieth of its idle time is over: the script begins it anew.
      const key = `${new Keyspace('app:').sessions(ref.home)}s:${ref.hash}`
      const run = async (name: string, ...args: (string | number)[]) => {
        const unit = { key, commands: [{ name, args }] }
        const [outcome] = await stores[0].connection.exec([unit])
        return (outcome as UnitReplies).replies[0]
      }
      expect(await run('PEXPIRE', key, 50_000)).toBe(1)
      expect((await text!.read(ref))!.data).toEqual(data)
      expect(await run('PTTL', key)).toBeGreaterThan(50_000)
      expect(await text!.destroy(ref, 0)).toBe(true)
      expect(await text!.read(ref)).toBeNull()
    } finally {
      for (const { connection } of stores) await connection.close()
      await server.stop()
    }
  })
})
