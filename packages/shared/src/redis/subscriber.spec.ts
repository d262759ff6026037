import { beforeEach, describe, expect, it } from 'vitest'
import { FakePort } from '../../test/support/fake-dedicated.js'
import { FakeClock } from '../testing/fake-clock.js'
import { RedisReplyError, RedisUnavailableError } from './errors.js'
import { Subscriber } from './subscriber.js'
import type { SubscriptionHandler, SubscriptionTarget } from './subscription.js'

let clock: FakeClock
let port: FakePort
let subscriber: Subscriber
let errors: [unknown, SubscriptionTarget][]
let heard: string[]

beforeEach(() => {
  clock = new FakeClock()
  port = new FakePort()
  errors = []
  heard = []
  subscriber = new Subscriber({
    port,
    clock,
    random: { float: () => 0.999, int: () => 0, token: () => '' },
    name: 'test',
    connectTimeoutMs: 3_000,
    timeoutMs: 1_000,
    heartbeat: { everyMs: 1_000, timeoutMs: 2_000 },
    onError: (error, target) => errors.push([error, target]),
  })
})

function handler(name = ''): SubscriptionHandler {
  return {
    message: (payload, channel) => void heard.push(`${name}${channel}=${payload.toString()}`),
    gap: (since) => void heard.push(`${name}gap since ${since}`),
  }
}

function failureOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => undefined,
    (failure: unknown) => failure,
  )
}

describe('a subscription', () => {
  it('opens no connection before the first one', async () => {
    await clock.advance(10_000)
    expect(port.opened).toHaveLength(0)
  })

  it('of a channel gets its messages as they were sent', async () => {
    await subscriber.subscribe({ channel: 'news' }, handler())
    port.last.publish('news', 'hello')
    port.last.publish('other', 'not mine')
    expect(heard).toEqual(['news=hello'])
    expect(port.last.sent).toContain('SUBSCRIBE news')
  })

  it('takes a handler that answers what is no promise, as an arrow function on `push` does', async () => {
    const lengths: SubscriptionHandler = {
      message: ((payload) => heard.push(payload.toString())) as (payload: Buffer) => void,
    }
    await subscriber.subscribe({ channel: 'news' }, lengths)
    port.last.publish('news', 'hello')
    expect(heard).toEqual(['hello'])
    expect(errors).toEqual([])
  })

  it('of a pattern is told the channel', async () => {
    await subscriber.subscribe({ pattern: 'news.*' }, handler())
    port.last.publish('news.local', 'hello', 'news.*')
    expect(heard).toEqual(['news.local=hello'])
    expect(port.last.sent).toContain('PSUBSCRIBE news.*')
  })

  it('of a channel that is spelled like a pattern is another one', async () => {
    await subscriber.subscribe({ channel: 'a*' }, handler('channel '))
    await subscriber.subscribe({ pattern: 'a*' }, handler('pattern '))
    port.last.publish('a*', '1')
    port.last.publish('ab', '2', 'a*')
    expect(heard).toEqual(['channel a*=1', 'pattern ab=2'])
  })

  it('is confirmed by the server before its promise resolves', async () => {
    let confirm = (): void => undefined
    port.answer = (command) =>
      command.startsWith('SUBSCRIBE') ? new Promise((resolve) => (confirm = () => resolve(1))) : undefined
    let done = false
    const subscribed = subscriber.subscribe({ channel: 'news' }, handler()).then(() => (done = true))
    await clock.settle()
    expect(done).toBe(false)
    confirm()
    await subscribed
    expect(done).toBe(true)
  })

  it('misses no message that arrives between the confirmation and the promise', async () => {
    port.answer = (command, connection) => {
      if (!command.startsWith('SUBSCRIBE')) return undefined
      connection.publish('news', 'early')
      return 1
    }
    await subscriber.subscribe({ channel: 'news' }, handler())
    expect(heard).toEqual(['news=early'])
  })
})

describe('counting', () => {
  it('subscribes a channel once for all its handlers, and ends it with the last of them', async () => {
    const first = await subscriber.subscribe({ channel: 'news' }, handler('1 '))
    const second = await subscriber.subscribe({ channel: 'news' }, handler('2 '))
    await subscriber.subscribe({ channel: 'other' }, handler())
    const { sent } = port.last
    expect(sent.filter((command) => command === 'SUBSCRIBE news')).toHaveLength(1)
    await first.unsubscribe()
    await first.unsubscribe()
    expect(sent).not.toContain('UNSUBSCRIBE news')
    port.last.publish('news', 'x')
    expect(heard).toEqual(['2 news=x'])
    await second.unsubscribe()
    expect(sent).toContain('UNSUBSCRIBE news')
  })

  it('lets one handler stand twice, as two subscriptions', async () => {
    const same = handler()
    const first = await subscriber.subscribe({ channel: 'news' }, same)
    await subscriber.subscribe({ channel: 'news' }, same)
    await first.unsubscribe()
    port.last.publish('news', 'x')
    expect(heard).toEqual(['news=x'])
  })

  it('closes the connection with the last subscription, and opens another for the next', async () => {
    const only = await subscriber.subscribe({ channel: 'news' }, handler())
    await only[Symbol.asyncDispose]()
    expect(port.last.closed).toBe(true)
    expect(clock.pendingTimers).toBe(0)
    await subscriber.subscribe({ channel: 'news' }, handler())
    port.last.publish('news', 'x')
    expect([port.opened.length, heard]).toEqual([2, ['news=x']])
  })

  it('subscribes anew what was just given up, on the same connection and in order', async () => {
    await subscriber.subscribe({ channel: 'other' }, handler())
    const first = await subscriber.subscribe({ channel: 'news' }, handler())
    void first.unsubscribe()
    await subscriber.subscribe({ channel: 'news' }, handler())
    expect(port.last.sent.filter((command) => command.endsWith('SUBSCRIBE news'))).toEqual([
      'SUBSCRIBE news',
      'UNSUBSCRIBE news',
      'SUBSCRIBE news',
    ])
    port.last.publish('news', 'x')
    expect(heard).toEqual(['news=x'])
  })

  it('calls nobody who has left while a message is being delivered', async () => {
    const second = { end: async (): Promise<void> => undefined }
    await subscriber.subscribe({ channel: 'news' }, { message: () => void second.end() })
    const subscription = await subscriber.subscribe({ channel: 'news' }, handler())
    second.end = () => subscription.unsubscribe()
    port.last.publish('news', 'x')
    expect(heard).toEqual([])
  })
})

describe('a handler that fails', () => {
  it.each([
    [
      'throws',
      () => {
        throw new Error('mine')
      },
    ],
    [
      'rejects',
      async () => {
        throw new Error('mine')
      },
    ],
  ])('when it %s is reported and disturbs nobody', async (_, message: () => void | Promise<void>) => {
    await subscriber.subscribe({ channel: 'news' }, { message })
    await subscriber.subscribe({ channel: 'news' }, handler())
    port.last.publish('news', '1')
    port.last.publish('news', '2')
    await clock.settle()
    expect(heard).toEqual(['news=1', 'news=2'])
    expect(errors).toEqual([
      [new Error('mine'), { channel: 'news' }],
      [new Error('mine'), { channel: 'news' }],
    ])
  })

  it('at a gap is reported too', async () => {
    const failing: SubscriptionHandler = {
      message: () => undefined,
      gap: () => {
        throw new Error('mine')
      },
    }
    await subscriber.subscribe({ channel: 'news' }, failing)
    await subscriber.subscribe({ channel: 'news' }, handler())
    port.last.lose()
    await clock.advance(50)
    expect(heard).toHaveLength(1)
    expect(errors).toEqual([[new Error('mine'), { channel: 'news' }]])
  })
})

describe('a lost connection', () => {
  it('is replaced, everything is subscribed again, and each handler is told since when it heard nothing', async () => {
    await subscriber.subscribe({ channel: 'news' }, handler())
    await subscriber.subscribe({ pattern: 'p*' }, handler())
    await clock.advance(3_400)
    port.last.lose()
    await clock.advance(49)
    expect(heard).toEqual([])
    await clock.advance(1)
    expect(heard).toEqual(['gap since 3000', 'gap since 3000'])
    expect(port.last.sent.slice(0, 2)).toEqual(['SUBSCRIBE news', 'PSUBSCRIBE p*'])
    port.last.publish('news', 'x')
    expect(heard.at(-1)).toBe('news=x')
  })

  it('before the first heartbeat counts from the moment the subscription was asked for', async () => {
    await clock.advance(70)
    port.autoPong = false
    await subscriber.subscribe({ channel: 'news' }, handler())
    await clock.advance(300)
    port.last.lose()
    await clock.advance(50)
    expect(heard).toEqual(['gap since 70'])
  })

  it('that is lost again before it was confirmed is still one gap, from its beginning', async () => {
    await subscriber.subscribe({ channel: 'news' }, handler())
    await clock.advance(1_500)
    port.answer = (command) => (command.startsWith('SUBSCRIBE') ? new Promise(() => undefined) : undefined)
    port.last.lose()
    await clock.advance(1_100)
    port.last.lose()
    port.answer = () => undefined
    await clock.advance(200)
    expect(heard).toEqual(['gap since 1000'])
  })

  it('confirms nothing any more, however late its answer comes', async () => {
    const answers: (() => void)[] = []
    await subscriber.subscribe({ channel: 'other' }, handler())
    port.answer = (command) =>
      command === 'SUBSCRIBE news' ? new Promise((resolve) => answers.push(() => resolve(1))) : undefined
    let confirmed = false
    void subscriber.subscribe({ channel: 'news' }, handler()).then(() => (confirmed = true))
    await clock.settle()
    port.last.lose()
    await clock.advance(50)
    expect(answers).toHaveLength(2)
    answers[0]?.()
    await clock.settle()
    expect(confirmed).toBe(false)
    answers[1]?.()
    await clock.settle()
    expect(confirmed).toBe(true)
  })

  it('is found by the heartbeat when it is only half open', async () => {
    await subscriber.subscribe({ channel: 'news' }, handler())
    await clock.advance(1_500)
    const silent = port.last
    silent.autoPong = false
    await clock.advance(500 + 2_000 + 1)
    expect(silent.closed).toBe(true)
    await clock.advance(50)
    expect(heard).toEqual(['gap since 1000'])
  })

  it('is no gap for who subscribed after it was lost', async () => {
    await subscriber.subscribe({ channel: 'news' }, handler('old '))
    port.last.lose()
    const late = subscriber.subscribe({ channel: 'news' }, handler('new '))
    await clock.advance(50)
    await late
    expect(heard).toEqual(['old gap since 0'])
  })

  it('is not replaced when nobody is left', async () => {
    const only = await subscriber.subscribe({ channel: 'news' }, handler())
    port.last.lose()
    await only.unsubscribe()
    await clock.advance(10_000)
    expect([port.opened.length, clock.pendingTimers]).toEqual([1, 0])
  })
})

describe('a subscription that fails', () => {
  it('rejects within its deadline when there is no connection, naming the cause, and leaves nothing behind', async () => {
    port.connect = async () => {
      throw new Error('connect ECONNREFUSED')
    }
    const failure = failureOf(subscriber.subscribe({ channel: 'news' }, handler()))
    await clock.advance(1_000)
    expect(String(await failure)).toContain('ECONNREFUSED')
    await clock.advance(10_000)
    expect([port.opened.length, clock.pendingTimers]).toEqual([0, 0])
  })

  it('succeeds when the connection comes up before the deadline', async () => {
    port.connect = async () => {
      throw new Error('connect ECONNREFUSED')
    }
    const subscribed = subscriber.subscribe({ channel: 'news' }, handler())
    await clock.advance(200)
    port.connect = async () => undefined
    await clock.advance(700)
    await subscribed
    port.last.publish('news', 'x')
    expect(heard).toEqual(['news=x'])
  })

  it('rejects when the server does not confirm in time', async () => {
    port.answer = (command) => (command.startsWith('SUBSCRIBE') ? new Promise(() => undefined) : undefined)
    const failure = failureOf(subscriber.subscribe({ channel: 'news' }, handler()))
    await clock.advance(1_000)
    expect(await failure).toMatchObject({ code: 'REDIS_UNAVAILABLE', reason: 'deadline' })
    expect(clock.pendingTimers).toBe(0)
  })

  it('rejects with the answer of a server that refuses it, and disturbs no other', async () => {
    await subscriber.subscribe({ channel: 'news' }, handler())
    port.answer = (command) =>
      command === 'SUBSCRIBE secret'
        ? Promise.reject(new RedisReplyError('NOPERM no access to the channel'))
        : undefined
    await expect(subscriber.subscribe({ channel: 'secret' }, handler())).rejects.toThrow(/NOPERM/)
    port.last.publish('news', 'x')
    expect(heard).toEqual(['news=x'])
    expect([port.opened.length, errors]).toEqual([1, []])
  })

  it('after a reconnect is reported and tried again until it succeeds, with the gap from the beginning', async () => {
    await subscriber.subscribe({ channel: 'news' }, handler())
    await clock.advance(1_500)
    const busy = new RedisReplyError('BUSY Redis is busy running a script')
    port.answer = (command) => (command.startsWith('SUBSCRIBE') ? Promise.reject(busy) : undefined)
    port.last.lose()
    await clock.advance(200)
    expect(errors[0]).toEqual([busy, { channel: 'news' }])
    expect(heard).toEqual([])
    port.answer = () => undefined
    await clock.advance(1_000)
    expect(heard).toEqual(['gap since 1000'])
    expect(port.opened).toHaveLength(2)
  })
})

describe('a subscription that is being tried again', () => {
  it('is not, once nobody wants it', async () => {
    await subscriber.subscribe({ channel: 'other' }, handler())
    const news = await subscriber.subscribe({ channel: 'news' }, handler())
    port.answer = (command) =>
      command === 'SUBSCRIBE news' ? Promise.reject(new RedisReplyError('BUSY Redis is busy')) : undefined
    port.last.lose()
    await clock.advance(60)
    expect(errors).toHaveLength(1)
    await news.unsubscribe()
    const tries = port.last.sent.filter((command) => command === 'SUBSCRIBE news').length
    await clock.advance(10_000)
    expect(port.last.sent.filter((command) => command === 'SUBSCRIBE news')).toHaveLength(tries)
  })
})

describe('close', () => {
  it('ends everything: nobody is called, those who wait reject, and nothing opens again', async () => {
    await subscriber.subscribe({ channel: 'news' }, handler())
    port.answer = (command) => (command.startsWith('SUBSCRIBE') ? new Promise(() => undefined) : undefined)
    const failure = failureOf(subscriber.subscribe({ channel: 'late' }, handler()))
    await clock.settle()
    subscriber.close()
    expect(await failure).toBeInstanceOf(RedisUnavailableError)
    expect(port.last.closed).toBe(true)
    await expect(subscriber.subscribe({ channel: 'news' }, handler())).rejects.toThrow(RedisUnavailableError)
    await clock.advance(10_000)
    expect([heard, port.opened.length, clock.pendingTimers]).toEqual([[], 1, 0])
  })
})
