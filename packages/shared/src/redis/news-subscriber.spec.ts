import { beforeEach, describe, expect, it } from 'vitest'
import { FakePort } from '../../test/support/fake-dedicated.js'
import { FakeClock } from '../testing/fake-clock.js'
import { RedisReplyError } from './errors.js'
import { NewsSubscriber } from './news-subscriber.js'

let clock: FakeClock
let port: FakePort
let news: NewsSubscriber
let warnings: string[]
let heard: string[]

const handler = {
  message: (payload: Buffer) => void heard.push(payload.toString()),
  gap: () => void heard.push('gap'),
}

beforeEach(() => {
  clock = new FakeClock()
  port = new FakePort()
  warnings = []
  heard = []
  news = new NewsSubscriber({
    door: port,
    clock,
    random: { float: () => 0.999, int: () => 0, token: () => '' },
    name: 'test',
    unheard: 'nothing is heard',
    warn: (message) => warnings.push(message),
  })
})

/** The connection is lost, and on the next ones the channel is refused for long enough to be tried several times. */
async function outage(): Promise<void> {
  const refusal = new RedisReplyError('BUSY Redis is busy running a script')
  port.answer = (command) => (command.startsWith('SUBSCRIBE') ? Promise.reject(refusal) : undefined)
  const { length } = port.opened
  port.last.lose()
  await clock.advance(5_000)
  expect(port.opened.length).toBeGreaterThan(length)
  expect(port.last.sent.filter((sent) => sent.startsWith('SUBSCRIBE')).length).toBeGreaterThan(1)
}

async function end(): Promise<void> {
  port.answer = () => undefined
  await clock.advance(10_000)
}

describe('news', () => {
  it('are heard until the subscription ends', async () => {
    const stop = await news.subscribe('news', handler)
    port.last.publish('news', 'one')
    stop()
    port.last.publish('news', 'two')
    expect(heard).toEqual(['one'])
  })

  it('that can’t be heard are warned of once an outage, and its end is told as a gap', async () => {
    await news.subscribe('news', handler)
    await outage()
    expect(warnings).toEqual(['nothing is heard: BUSY Redis is busy running a script'])
    await end()
    expect(heard).toEqual(['gap'])
    await outage()
    expect(warnings).toHaveLength(2)
  })

  it('that are heard by whoever subscribes anew end the outage too', async () => {
    const stop = await news.subscribe('news', handler)
    await outage()
    stop()
    port.answer = () => undefined
    await news.subscribe('news', handler)
    await outage()
    expect(warnings).toHaveLength(2)
    expect(heard).toEqual([])
  })

  it('end with what they are heard on', async () => {
    await news.subscribe('news', handler)
    news.close()
    expect(port.last.closed).toBe(true)
    await expect(news.subscribe('news', handler)).rejects.toThrow(/closed/)
  })
})
