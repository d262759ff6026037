import { AsyncLocalStorage } from 'node:async_hooks'
import { beforeEach, describe, expect, it } from 'vitest'
import { ManualClock, settled } from '../../test/support/manual-clock.js'
import { ConfigurationError, InvalidKeyError, SerializationError } from '../kernel/errors.js'
import { MemoryHub } from '../kernel/memory-hub.js'
import { PubSubUnavailableError } from './errors.js'
import { handlerFailed, messagesDropped, messagesMissed } from './events.js'
import type { PubSubListener } from './pubsub-store.js'
import { RedisPubSubService } from './pubsub.js'
import { MemoryPubSubStore } from './stores/memory.js'

let clock: ManualClock
let store: MemoryPubSubStore
let service: RedisPubSubService
let warnings: string[]

beforeEach(() => {
  clock = new ManualClock()
  warnings = []
  store = new MemoryPubSubStore(new MemoryHub({ clock }), 'vextrus:')
  service = serviceOn(store)
})

function serviceOn(on: MemoryPubSubStore): RedisPubSubService {
  return new RedisPubSubService(() => on, { maxQueued: 3 }, { clock, warn: (message) => warnings.push(message) })
}

/** The store, with a way to play its connection. */
class Wired extends MemoryPubSubStore {
  readonly listeners = new Set<PubSubListener>()
  refuses = false
  opened: Promise<void> = Promise.resolve()

  override async listen(...[target, listener]: Parameters<MemoryPubSubStore['listen']>): Promise<() => void> {
    await this.opened
    if (this.refuses) throw new PubSubUnavailableError('away')
    const stop = await super.listen(target, listener)
    this.listeners.add(listener)
    return () => {
      this.listeners.delete(listener)
      stop()
    }
  }
}

const wired = (): Wired => new Wired(new MemoryHub({ clock }), 'vextrus:')

describe('a handler', () => {
  it('that fails is reported at each message, warned of once, and disturbs neither itself nor another', async () => {
    const [good, failures]: [unknown[], unknown[]] = [[], []]
    const stop = handlerFailed.subscribe(({ target, error }) => failures.push([target, (error as Error).message]))
    await service.subscribe('c', (message) => {
      throw new Error(`no ${String(message)}`)
    })
    await service.subscribe('c', async (message) => {
      throw new Error(`later ${String(message)}`)
    })
    await service.subscribe('c', (message) => void good.push(message))
    await service.publish('c', 1)
    await service.publish('c', 2)
    await settled()
    stop()
    expect(good).toEqual([1, 2])
    expect(failures).toEqual(
      expect.arrayContaining([
        ['c', 'no 1'],
        ['c', 'no 2'],
        ['c', 'later 1'],
        ['c', 'later 2'],
      ]),
    )
    expect(warnings).toHaveLength(2)
  })

  it('that is too slow misses the oldest of those that wait, is told so, and others miss nothing', async () => {
    const events: unknown[] = []
    const stops = [
      messagesDropped.subscribe(({ count }) => events.push(count)),
      messagesMissed.subscribe(({ reason }) => events.push(reason)),
    ]
    const release: (() => void)[] = []
    const [slow, quick]: [unknown[], unknown[]] = [[], []]
    await service.subscribe(
      'c',
      (message) => {
        slow.push(message)
        return new Promise<void>((resolve) => release.push(resolve))
      },
      { onMissed: (reason) => void slow.push(reason) },
    )
    await service.subscribe('c', (message) => void quick.push(message))
    await service.publish('c', 0)
    await settled()
    for (let i = 1; i <= 500; i++) await service.publish('c', i)
    await settled()
    for (let i = 0; i < 4; i++) {
      release[i]!()
      await settled()
    }
    for (const stop of stops) stop()
    expect(slow).toEqual([0, 'slow', 498, 499, 500])
    expect(quick).toEqual(Array.from({ length: 501 }, (_, i) => i))
    expect(events.filter((event) => event === 1)).toHaveLength(497)
    expect(events.at(-1)).toBe('slow')
  })

  it('runs in the context of the call that subscribed, not of the one that publishes', async () => {
    const tenant = new AsyncLocalStorage<string>()
    const seen: unknown[] = []
    const note = (): void => void seen.push(tenant.getStore())
    await tenant.run('subscriber', () => service.subscribe('c', note))
    await tenant.run('other', () => service.subscribe('c', note, { from: 'start' }))
    await tenant.run('group', () => service.subscribe('c', note, { group: 'g' }))
    await tenant.run('publisher', () => service.publish('c', 1, { durable: true }))
    await settled()
    expect(new Set(seen)).toEqual(new Set(['subscriber', 'other', 'group']))
  })

  it.each([{}, { from: 'start' }, { group: 'g' }])(
    'may end its own subscription and wait for it: %j',
    async (options) => {
      const seen: unknown[] = []
      const subscription = await service.subscribe(
        'c',
        async (message) => {
          await subscription.unsubscribe()
          seen.push(message)
        },
        options,
      )
      await service.publish('c', 1, { durable: true })
      await service.publish('c', 2, { durable: true })
      await settled()
      expect(seen).toEqual([1])
    },
  )

  it('is not given what is no message of this toolkit', async () => {
    const seen: unknown[] = []
    await service.subscribe('c', (message) => void seen.push(message))
    await store.publish('c', 'hello')
    await service.publish('c', 'mine')
    await settled()
    expect(seen).toEqual(['mine'])
    expect(warnings).toEqual([expect.stringContaining('no message of this toolkit')])
  })
})

describe('a lost connection', () => {
  it('is told between the messages of before and those of after', async () => {
    const on = wired()
    service = serviceOn(on)
    const seen: unknown[] = []
    await service.subscribe('c', (message) => void seen.push(message), {
      onMissed: (reason) => {
        seen.push(reason)
        throw new Error('told badly')
      },
    })
    await service.publish('c', 1)
    for (const listener of on.listeners) listener.lost()
    for (const listener of on.listeners) listener.heard()
    await service.publish('c', 2)
    await settled()
    expect(seen).toEqual([1, 'connection', 2])
    expect(warnings).toEqual([expect.stringContaining('told badly')])
  })
})

describe('a subscription', () => {
  it('that can’t begin leaves nothing behind', async () => {
    const on = wired()
    service = serviceOn(on)
    on.refuses = true
    await expect(service.subscribe('c', () => undefined)).rejects.toThrow(PubSubUnavailableError)
    on.refuses = false
    on.claim = () => Promise.reject(new PubSubUnavailableError('away'))
    await expect(service.subscribe('c', () => undefined, { group: 'g' })).rejects.toThrow(PubSubUnavailableError)
    expect([on.listeners.size, clock.timers]).toEqual([0, 0])
  })

  it('waits at its end for the call under way, and twice is once', async () => {
    let release = (): void => undefined
    const subscription = await service.subscribe('c', () => new Promise<void>((resolve) => (release = resolve)))
    await service.publish('c', 1)
    await settled()
    let ended = 0
    void subscription.unsubscribe().then(() => ended++)
    void subscription[Symbol.asyncDispose]().then(() => ended++)
    await settled()
    expect(ended).toBe(0)
    release()
    await settled()
    expect(ended).toBe(2)
  })

  it('does not outlive its service, nor begin after its end', async () => {
    const on = wired()
    service = serviceOn(on)
    let opened = (): void => undefined
    on.opened = new Promise((resolve) => (opened = resolve))
    const late = service.subscribe('c', () => undefined)
    const closed = service.close()
    opened()
    await expect(late).rejects.toMatchObject({ code: 'PUBSUB_UNAVAILABLE', unsent: true })
    await closed
    await expect(service.subscribe('c', () => undefined)).rejects.toThrow(PubSubUnavailableError)
    expect(on.listeners.size).toBe(0)
  })

  it.each<[string, Parameters<RedisPubSubService['subscribe']>, unknown]>([
    ['a channel that is none', ['', () => undefined], InvalidKeyError],
    ['a handler that is none', ['c', undefined as unknown as () => void], ConfigurationError],
    ['a log of a pattern', ['c*', () => undefined, { from: 'start' }], ConfigurationError],
    ['a group of a pattern', ['c*', () => undefined, { group: 'g' }], ConfigurationError],
    ['an id that is none', ['c', () => undefined, { from: 'yesterday' }], ConfigurationError],
    ['a group that is none', ['c', () => undefined, { group: '' }], InvalidKeyError],
    ['a group too long', ['c'.repeat(600), () => undefined, { group: 'g'.repeat(600) }], InvalidKeyError],
    ['no room at all', ['c', () => undefined, { maxQueued: 0 }], ConfigurationError],
    ['nobody at work', ['c', () => undefined, { group: 'g', concurrency: 0 }], ConfigurationError],
  ])('is refused with %s', async (_, args, failure) => {
    await expect(service.subscribe(...args)).rejects.toThrow(failure as ErrorConstructor)
  })
})

describe('a message', () => {
  it('is refused when it, its channel or its id can’t be one', async () => {
    await expect(service.publish('', 1)).rejects.toThrow(InvalidKeyError)
    await expect(service.publish('c', undefined)).rejects.toThrow(SerializationError)
    await expect(service.publish('c', 1, { messageId: 'a' })).rejects.toThrow(/durable: true/)
    await expect(service.publish('c', 1, { durable: true, messageId: '' })).rejects.toThrow(InvalidKeyError)
    const long = { durable: true, messageId: 'a'.repeat(257) }
    await expect(service.publish('c', 1, long)).rejects.toThrow(/256/)
    await expect(service.publish('c', 'x'.repeat(2_000_000))).rejects.toMatchObject({ code: 'MESSAGE_TOO_LARGE' })
  })
})

describe('a stream', () => {
  it('errors when it can’t subscribe, and is silent when nobody waits for it any more', async () => {
    const on = wired()
    on.refuses = true
    service = serviceOn(on)
    const errors: unknown[] = []
    const observer = { error: (error: Error) => void errors.push(error.message) }
    service.stream('c').subscribe(observer)
    service.stream('c').subscribe(observer).unsubscribe()
    await settled()
    expect(errors).toEqual(['away'])
    await service.close()
  })

  it('that is left before it has begun ends its subscription, and each subscriber has its own', async () => {
    const on = wired()
    service = serviceOn(on)
    let opened = (): void => undefined
    on.opened = new Promise((resolve) => (opened = resolve))
    const seen: unknown[] = []
    const stream = service.stream<number>('c')
    stream.subscribe(({ message }) => seen.push(message)).unsubscribe()
    stream.subscribe(({ message }) => seen.push(message))
    opened()
    await settled()
    expect(on.listeners.size).toBe(1)
    await service.publish('c', 1)
    await settled()
    expect(seen).toEqual([1])
    await service.close()
    expect(on.listeners.size).toBe(0)
  })
})
