import { createServer } from 'node:http'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { EventListener } from './event-listener.mjs'

let server, listener, streams
beforeEach(async () => {
  streams = []
  server = createServer((request, response) => {
    const { authorization, 'last-event-id': last } = request.headers
    streams.push({ authorization, last, response })
    // The second one is refused: whoever listens comes again.
    if (streams.length === 2) response.writeHead(503).end()
    else response.writeHead(200, { 'content-type': 'text/event-stream' }).write('retry: 2000\nid: 0\n\n')
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  listener = new EventListener(`http://127.0.0.1:${server.address().port}`, 'token-a', 10)
})
afterEach(async () => {
  await listener.stop()
  server.closeAllConnections()
  server.close()
})

it('takes events as they come, in whatever pieces, and no comment for one', async () => {
  listener.start()
  await vi.waitFor(() => expect(listener.lastId).toBe('0'))
  const [{ authorization, response }] = streams
  expect(authorization).toBe('Bearer token-a')
  response.write(':\n\nid: 1\nevent: task\nda')
  response.write('ta: {"taskId":7}\n\nid: 2\ndata: 8\n\n')
  await vi.waitFor(() => expect(listener.events.length).toBe(2))
  expect(listener.events).toEqual([
    { id: '1', type: 'task', data: { taskId: 7 } },
    { id: '2', type: 'message', data: 8 },
  ])
})

it('comes back with its last id, also after an answer that is no stream, and not once it was stopped', async () => {
  listener.start()
  await vi.waitFor(() => expect(listener.lastId).toBe('0'))
  streams[0].response.write('id: 5\ndata: 1\n\n')
  await vi.waitFor(() => expect(listener.lastId).toBe('5'))
  streams[0].response.destroy()
  await vi.waitFor(() => expect(listener.streams).toBe(2), 5_000)
  expect(streams.map(({ last }) => last)).toEqual([undefined, '5', '5'])
  await listener.stop()
  const closed = new Promise((resolve) => server.close(resolve))
  await closed
  expect(streams.length).toBe(3)
})
