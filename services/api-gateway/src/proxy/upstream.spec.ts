import { text } from 'node:stream/consumers'
import { BadGatewayException, GatewayTimeoutException, ServiceUnavailableException } from '@nestjs/common'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { until } from '../../../service-kit/test/support/test-service.js'
import { TestUpstream } from '../../test/support/test-upstream.js'
import { Upstream } from './upstream.js'

let service: TestUpstream
let upstream: Upstream
beforeEach(async () => {
  service = await TestUpstream.start()
})
afterEach(async () => {
  vi.restoreAllMocks()
  upstream?.close()
  await service.stop()
})

const get = (signal?: AbortSignal) =>
  upstream.open({ method: 'GET', target: '/it?a=1', headers: {}, ...(signal && { signal }) })

describe('a service', () => {
  it.each([
    ['', '/it?a=1'],
    ['/', '/it?a=1'],
    ['/base', '/base/it?a=1'],
    ['/base/', '/base/it?a=1'],
  ])('at an address that ends in "%s" is asked for %s', async (path, url) => {
    upstream = new Upstream('it', new URL(`http://127.0.0.1:${service.port}${path}`), 10_000)
    expect(await text(await get())).toBe(JSON.stringify({ url }))
    expect(service.seen).toMatchObject([{ url, headers: { host: `127.0.0.1:${service.port}` } }])
  })

  it('is asked over connections that are kept', async () => {
    upstream = new Upstream('it', service.url, 10_000)
    const ports = new Set<number | undefined>()
    for (let i = 0; i < 3; i++) {
      const answer = await get()
      ports.add(answer.socket.localPort)
      await text(answer)
    }
    expect(ports.size).toBe(1)
  })

  it('is not asked more at a time than it can be', async () => {
    upstream = new Upstream('it', service.url, 10_000, 2)
    const waiting: (() => void)[] = []
    service.handler = (_request, response) => void waiting.push(() => response.end('done'))
    const running = [get(), get()]
    await until('both are asked for', () => waiting.length === 2)
    await expect(get()).rejects.toThrowError(ServiceUnavailableException)
    for (const answer of waiting.splice(0)) answer()
    for (const each of running) expect(await text(await each)).toBe('done')
    const third = get()
    await until('there is room again', () => waiting.length === 1)
    waiting[0]!()
    expect(await text(await third)).toBe('done')
  })

  it('streams events to more than it is asked by at a time, and not to any number', async () => {
    upstream = new Upstream('it', service.url, 10_000, 1, 2)
    service.handler = (_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' })
      response.write('id: 1\n\n')
    }
    const streams = [await get(), await get()]
    await expect(get()).rejects.toThrowError(ServiceUnavailableException)
    streams[0]!.destroy()
    let third: Awaited<ReturnType<typeof get>> | undefined
    await until('there is room again', async () => (third = await get().catch(() => undefined)) !== undefined)
    service.answers(() => 'answered')
    expect(await text(await get())).toBe('"answered"')
    for (const stream of [...streams, third!]) stream.destroy()
  })

  it('has room again after requests that failed, were given up, or were cancelled', async () => {
    vi.spyOn(console, 'warn').mockImplementation(() => undefined)
    upstream = new Upstream('it', service.url, 300, 1)
    service.handler = (request) => void request.socket.destroy()
    await expect(get()).rejects.toThrowError(BadGatewayException)
    service.handler = () => undefined
    await expect(get()).rejects.toThrowError(GatewayTimeoutException)
    const stop = new AbortController()
    const left = get(stop.signal)
    stop.abort(new Error('the client has left'))
    await expect(left).rejects.toThrowError('the client has left')
    await expect(get(stop.signal)).rejects.toThrowError('the client has left')
    service.answers(() => 'answered')
    expect(await text(await get())).toBe('"answered"')
  })
})
