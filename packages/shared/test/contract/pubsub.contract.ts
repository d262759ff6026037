import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type MessageMeta, type PubSubOptions, putAsideChannel, RedisPubSubService } from '../../src/pubsub/index.js'
import type { PubSubBackend } from '../support/pubsub-backends.js'

let suites = 0

/** What users of messages are promised, as one suite. Each service is a process of its own. */
export function pubSubContract(name: string, makeBackend: () => Promise<PubSubBackend>): void {
  // Two suites may share a server.
  const PREFIX = `vextrus-service${++suites}:`

  describe(`messages on ${name}`, () => {
    let backend: PubSubBackend
    let one: RedisPubSubService
    let other: RedisPubSubService
    let channel: string
    let tests = 0
    const services: RedisPubSubService[] = []

    beforeAll(async () => {
      backend = await makeBackend()
    })
    beforeEach(async () => {
      channel = `orders:${++tests}`
      ;[one, other] = [await process(), await process()]
    })
    afterEach(async () => {
      await Promise.all(services.splice(0).map((service) => service.close()))
    })
    afterAll(() => backend.close())

    async function process(options: PubSubOptions = {}): Promise<RedisPubSubService> {
      const store = await backend.store(PREFIX)
      const service = new RedisPubSubService(() => store, options, { clock: backend.clock })
      services.push(service)
      return service
    }
    const until = (what: string, condition: () => boolean): Promise<void> => backend.until(what, condition)
    const numbers = (count: number): number[] => Array.from({ length: count }, (_, i) => i)

    it('go to every process as they were, and say where they come from', async () => {
      const heard: [unknown, MessageMeta][] = []
      const order = { id: 7n, at: new Date(5), lines: new Map([['a', new Set([1])]]) }
      for (const service of [one, other]) {
        await service.subscribe(channel, (message, meta) => void heard.push([message, meta]))
      }
      expect(await one.publish(channel, order)).toEqual({ fresh: true })
      const { id } = await other.publish(channel, order, { durable: true, messageId: 'm-7' })
      await until('all', () => heard.length === 4)
      const plain = { channel, pattern: undefined, id: undefined, messageId: undefined, deliveries: undefined }
      expect(heard.filter(([, meta]) => meta.id === undefined)).toEqual([
        [order, plain],
        [order, plain],
      ])
      expect(heard.filter(([, meta]) => meta.id !== undefined)).toEqual([
        [order, { ...plain, id, messageId: 'm-7' }],
        [order, { ...plain, id, messageId: 'm-7' }],
      ])
    })

    it('of one messageId are told once, however often they are published', async () => {
      const heard: unknown[] = []
      await other.subscribe(channel, (message) => void heard.push(message), { from: 'start' })
      const options = { durable: true, messageId: 'once' }
      const first = await one.publish(channel, 1, options)
      expect(await other.publish(channel, 1, options)).toEqual({ id: first.id, fresh: false })
      await one.publish(channel, 2, { durable: true })
      await until('both', () => heard.length === 2)
      expect(heard).toEqual([1, 2])
    })

    it('who asks where a log stands hears later all that has come since', async () => {
      expect(await one.lastId(channel)).toBe('0-0')
      await one.publish(channel, 'live')
      expect(await one.lastId(channel)).toBe('0-0')
      const { id } = await one.publish(channel, 'before', { durable: true })
      const place = await other.lastId(channel)
      expect(place).toBe(id)
      await one.publish(channel, 'after', { durable: true })
      const heard: unknown[] = []
      await other.subscribe(channel, (message) => void heard.push(message), { from: place })
      await until('what came since', () => heard.length > 0)
      expect(heard).toEqual(['after'])
    })

    it('that are durable come once and in order to who begins while they are published', async () => {
      const heard: Record<string, number[]> = {}
      const listen = async (from: string, service: RedisPubSubService): Promise<void> => {
        const mine: number[] = (heard[from] = [])
        await service.subscribe<number>(channel, (message) => void mine.push(message), { from, maxQueued: 10 })
      }
      const ids: string[] = []
      const publish = async (message: number): Promise<void> => {
        ids.push((await one.publish(channel, message, { durable: true })).id!)
      }
      for (const message of numbers(150)) await publish(message)
      await Promise.all([
        ...numbers(150).map((i) => publish(150 + i)),
        listen('start', other),
        listen(ids[39]!, other),
        listen(ids[149]!, one),
      ])
      await until('all', () => Object.values(heard).every((mine) => mine.at(-1) === 299))
      await listen('now', other)
      await publish(300)
      await until('the last', () => Object.values(heard).every((mine) => mine.at(-1) === 300))
      expect(heard).toEqual({
        start: numbers(301),
        [ids[39]!]: numbers(301).slice(40),
        [ids[149]!]: numbers(301).slice(150),
        now: [300],
      })
    })

    it('of all channels of a pattern come with it, where there are patterns', async () => {
      const heard: [unknown, MessageMeta][] = []
      const pattern = `${channel}:*`
      if (backend.allow !== null) await backend.allow(PREFIX, pattern)
      const subscribed = other.subscribe(pattern, (message, meta) => void heard.push([message, meta]))
      if (backend.sharded) return expect(subscribed).rejects.toThrow(/pubsub\.sharded/)
      await subscribed
      await one.publish(`${channel}:a`, 'plain')
      await until('it', () => heard.length === 1)
      expect(heard).toMatchObject([['plain', { channel: `${channel}:a`, pattern }]])
    })

    it('go to one consumer of a group each, also when they come the moment it has begun', async () => {
      const handled: [string, number][] = []
      for (const [who, service] of [
        ['one', one],
        ['other', other],
      ] as const) {
        await service.subscribe<number>(channel, (message) => void handled.push([who, message]), {
          group: 'billing',
          concurrency: 3,
        })
        const before = handled.length
        for (const i of numbers(20)) await one.publish(channel, before + i, { durable: true })
        await until('all of them', () => handled.length === (who === 'one' ? 20 : 40))
      }
      // What the order of consumers is depends on who is quicker; that each came once does not.
      expect(handled.map(([, message]) => message).sort((a, b) => a - b)).toEqual(numbers(40))
    })

    it('that a group can’t handle come again, and are put aside in the end, where they can be read', async () => {
      const options: PubSubOptions = { idle: 60, maxDeliveries: 2 }
      const consumers = [await process(options), await process(options)]
      const tries: [unknown, number | undefined][] = []
      for (const service of consumers) {
        await service.subscribe(
          channel,
          (message, { deliveries }) => {
            tries.push([message, deliveries])
            if (message === 'poison') throw new Error('no')
          },
          { group: 'billing' },
        )
      }
      const aside: [unknown, MessageMeta][] = []
      await other.subscribe(putAsideChannel(channel, 'billing'), (message, meta) => void aside.push([message, meta]), {
        from: 'start',
      })
      await one.publish(channel, 'poison', { durable: true, messageId: 'p' })
      await one.publish(channel, 'good', { durable: true })
      await until('it is aside', () => aside.length > 0)
      await until('the good one', () => tries.some(([message]) => message === 'good'))
      expect(tries.filter(([message]) => message === 'poison')).toEqual([
        ['poison', 1],
        ['poison', 2],
      ])
      expect(aside).toMatchObject([['poison', { messageId: 'p', channel: putAsideChannel(channel, 'billing') }]])
    })

    it('do not come any more once the subscription has ended', async () => {
      const [heard, still]: [unknown[], unknown[]] = [[], []]
      const subscriptions = [
        await other.subscribe(channel, (message) => void heard.push(message)),
        await other.subscribe(channel, (message) => void heard.push(message), { from: 'start' }),
        await other.subscribe(channel, (message) => void heard.push(message), { group: 'g' }),
      ]
      await other.subscribe(channel, (message) => void still.push(message))
      for (const subscription of subscriptions) await subscription.unsubscribe()
      await one.publish(channel, 1, { durable: true })
      await until('the other hears', () => still.length === 1)
      expect(heard).toEqual([])
    })

    it('as an Observable come until it is unsubscribed from, or the service is closed', async () => {
      const heard: Record<string, unknown[]> = { left: [], stayed: [] }
      const stream = other.stream<number>(channel, { from: 'start' })
      const note = (who: string) => ({
        next: ({ message }: { message: number }) => void heard[who]!.push(message),
        complete: () => void heard[who]!.push('complete'),
      })
      const left = stream.subscribe(note('left'))
      stream.subscribe(note('stayed'))
      await one.publish(channel, 1, { durable: true })
      await until('both hear', () => heard['left']!.length === 1 && heard['stayed']!.length === 1)
      left.unsubscribe()
      await one.publish(channel, 2, { durable: true })
      await until('one hears', () => heard['stayed']!.length === 2)
      await other.close()
      expect(heard).toEqual({ left: [1], stayed: [1, 2, 'complete'] })
    })
  })
}
