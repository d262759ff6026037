import { EventEmitter } from 'node:events'
import type { OutgoingHttpHeader } from 'node:http'
import { describe, expect, it } from 'vitest'
import { HttpExchange, type HttpResponse } from './http-exchange.js'

/** As a response of Express. */
class FakeResponse extends EventEmitter {
  statusCode = 200
  headersSent = false
  destroyed = false
  sent: unknown[] = []
  constructor(readonly headers: Record<string, OutgoingHttpHeader> = {}) {
    super()
  }
  getHeaders(): Record<string, OutgoingHttpHeader> {
    return this.headers
  }
  header(name: string, value: OutgoingHttpHeader): void {
    this.headers[name.toLowerCase()] = value
  }
  json(body: unknown): string {
    this.sent.push(body)
    return 'sent'
  }
}

const exchangeOf = (response: FakeResponse) =>
  new HttpExchange({ method: 'GET', url: '/', headers: { a: ['1', '2'] } }, response as unknown as HttpResponse)

describe('an exchange', () => {
  it('reads a header of several lines as one text', () => {
    expect(exchangeOf(new FakeResponse()).requestHeader('a')).toBe('1, 2')
  })

  it('adds to Vary what is missing there, and says nothing when there is nothing to say', () => {
    const response = new FakeResponse({ vary: 'Origin, Accept' })
    const exchange = exchangeOf(response)
    exchange.vary(['accept', 'x-region'])
    expect(response.headers['vary']).toBe('origin, accept, x-region')
    const silent = new FakeResponse()
    exchangeOf(silent).vary([])
    expect(silent.headers).toEqual({})
  })

  it('knows the headers of the handler from those that were there before, and from those of the transfer', () => {
    const response = new FakeResponse({ 'x-request-id': '1', 'x-changed': 'a' })
    const exchange = exchangeOf(response)
    Object.assign(response.headers, { 'x-changed': 'b', etag: '"e"', 'content-length': 3, 'x-list': ['a', 'b'] })
    expect(exchange.handlerHeaders()).toEqual({ 'x-changed': 'b', etag: '"e"', 'x-list': ['a', 'b'] })
  })

  it('brings stored headers back, in lists that the framework may add to', () => {
    const stored = Object.freeze({ etag: '"e"', link: Object.freeze(['</a>']) as string[] })
    const response = new FakeResponse()
    exchangeOf(response).replay(stored)
    expect(response.headers).toEqual(stored)
    const link = response.headers['link'] as string[]
    link.push('</b>')
    expect(stored.link).toEqual(['</a>'])
  })

  it.each<[string, (response: FakeResponse) => void]>([
    ['another status', (response) => (response.statusCode = 206)],
    ['an answer that is under way', (response) => (response.headersSent = true)],
    ['a cookie', (response) => response.header('Set-Cookie', ['a=b'])],
    ['a cookie that @fastify/cookie has not written yet', (response) => park(response, new Map([['a', {}]]))],
    ['no-store', (response) => response.header('Cache-Control', 'no-store')],
    ['private', (response) => response.header('Cache-Control', 'max-age=1,private')],
    ['a private field', (response) => response.header('Cache-Control', 'private="x-user"')],
    ['Vary: *', (response) => response.header('Vary', '*')],
  ])('does not share %s', (_, change) => {
    const response = new FakeResponse()
    const exchange = exchangeOf(response)
    expect(exchange.isShareable([])).toBe(true)
    change(response)
    expect(exchange.isShareable([])).toBe(false)
  })

  it('shares what is no obstacle', () => {
    const response = new FakeResponse({ vary: 'Origin' })
    const exchange = exchangeOf(response)
    response.header('Vary', 'Origin, Accept')
    response.header('Cache-Control', 'public, max-age=60, x-private-ish=1')
    park(response, new Map())
    expect(exchange.isShareable(['accept'])).toBe(true)
  })

  it('hears whether a body is what is sent, and sends it all the same', async () => {
    const [body, response] = [{}, new FakeResponse()]
    const same = exchangeOf(response).sends(body)
    expect(response.json(body)).toBe('sent')
    expect(await same).toBe(true)
    const other = exchangeOf(response).sends(body)
    response.json({})
    expect(await other).toBe(false)
    expect([response.sent, Object.hasOwn(response, 'json')]).toEqual([[{}, {}], false])
  })

  it('hears of a client that has gone', async () => {
    const response = new FakeResponse()
    const gone = exchangeOf(response).sends({})
    response.emit('close')
    expect(await gone).toBe(false)
    response.destroyed = true
    expect(await exchangeOf(response).sends({})).toBe(false)
  })
})

function park(response: FakeResponse, cookies: Map<string, object>): void {
  Object.assign(response, { [Symbol('fastify.reply.setCookies')]: cookies })
}
