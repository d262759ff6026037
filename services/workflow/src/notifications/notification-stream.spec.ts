import type { ServerResponse } from 'node:http'
import { Writable } from 'node:stream'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { NotificationStream, type StreamEnd } from './notification-stream.js'

const MOST = 1_000

let ends: StreamEnd[]

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  ends = []
})

afterEach(() => {
  vi.useRealTimers()
})

/** To a client that reads when it is told to, as far as a response is the socket behind it. */
function streamTo() {
  let read: (() => void) | undefined
  let text = ''
  const response = new Writable({
    decodeStrings: false,
    write(chunk: string, _encoding, taken) {
      text += chunk
      read = taken
    },
  })
  const from = { user: '0-0', tenant: '0-0' }
  const stream = new NotificationStream(
    Object.assign(response, { writeHead: () => response }) as unknown as ServerResponse,
    from,
    MOST,
    (why) => ends.push(why),
  )
  return {
    response,
    stream,
    text: () => text,
    /** Reads all that waits. */
    async read() {
      for (let next = read; next !== undefined; next = read) {
        read = undefined
        next()
        await Promise.resolve()
      }
      await new Promise(setImmediate)
    },
  }
}

const large = 'x'.repeat(20_000)

it('the next message waits while more than the bound is unread, and comes when it is read', async () => {
  const { stream, read, text } = streamTo()
  expect(stream.send('user', '1-0', 'note', { text: 'small' })).toBeUndefined()
  const room = stream.send('user', '2-0', 'note', { text: large })
  expect(room).toBeInstanceOf(Promise)
  await read()
  await room
  expect(stream.send('tenant', '3-0', 'note', {})).toBeUndefined()
  await read()
  expect([...text().matchAll(/^id: (.*)$/gm)].map(([, id]) => id)).toEqual(['0-0.0-0', '1-0.0-0', '2-0.0-0', '2-0.3-0'])
})

it('who reads nothing for a whole beat is dropped; who reads is not', async () => {
  const [slow, fast] = [streamTo(), streamTo()]
  const rooms = [slow, fast].map(({ stream }) => stream.send('user', '1-0', 'note', { text: large }))
  for (const { stream } of [slow, fast]) stream.beat()
  await fast.read()
  for (const { stream } of [slow, fast]) stream.beat()
  expect([slow.response.destroyed, fast.response.destroyed, ends]).toEqual([true, false, ['slow']])
  // Nobody waits for it any more.
  for (const room of rooms) await room
})

it('who reads nothing when the stream is closed has a time for the rest, and is cut off then', () => {
  const { stream, response } = streamTo()
  void stream.send('user', '1-0', 'note', { text: large })
  stream.close()
  vi.advanceTimersByTime(4_999)
  expect(response.destroyed).toBe(false)
  vi.advanceTimersByTime(1)
  expect([response.destroyed, ends]).toEqual([true, ['closed']])
})

it('who has read all is let go at once when the stream is closed', async () => {
  const { stream, response, read } = streamTo()
  void stream.send('user', '1-0', 'note', {})
  stream.close()
  await read()
  expect(response.writableFinished).toBe(true)
  await new Promise(setImmediate)
  expect(vi.getTimerCount()).toBe(0)
  expect(ends).toEqual(['closed'])
})
