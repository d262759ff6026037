import { describe, expect, it } from 'vitest'
import { HttpExchange, type HttpRequest } from './http-exchange.js'
import { responseKey, type ResponseSubject } from './response-key.js'

const SUBJECT: ResponseSubject = {
  route: 'Products.list',
  version: undefined,
  turn: undefined,
  tenant: undefined,
  user: 'ann',
}
const REQUEST: HttpRequest = {
  method: 'GET',
  url: '/products?b=2&a=1',
  headers: { host: 'shop.example', accept: 'text/html' },
  query: { a: '1', b: '2' },
  protocol: 'https',
  hostname: 'shop.example',
}

function keyOf(
  request: Partial<HttpRequest> = {},
  subject: Partial<ResponseSubject> = {},
  vary: string[] = ['user', 'accept'],
): string {
  const exchange = new HttpExchange({ ...REQUEST, ...request }, { getHeaders: () => ({}) } as never)
  return responseKey({ ...SUBJECT, ...subject }, vary, exchange)
}

describe('the key of a response', () => {
  it('begins with what a pattern can be made of', () => {
    expect(keyOf()).toMatch(/^response:Products\.list:[\w-]{43}$/)
    expect(keyOf({}, { tenant: 't1' })).toMatch(/^response:t1:Products\.list:[\w-]{43}$/)
    expect(keyOf({}, { tenant: 't1', turn: 't2' })).toMatch(/^response:t2:Products\.list:[\w-]{43}$/)
    expect(keyOf({}, { tenant: 'a:*' })).toMatch(/^response:Products\.list:[\w-]{43}$/)
  })

  it('is the same for what makes no difference', () => {
    expect(keyOf({ url: '/products?a=1&b=2' })).toBe(keyOf())
    expect(keyOf({ originalUrl: '/products?b=2&a=1', url: '/?b=2&a=1' })).toBe(keyOf())
    expect(keyOf({ headers: { ...REQUEST.headers, 'user-agent': 'other' } })).toBe(keyOf())
    expect(keyOf({}, { user: 'bob' }, [])).toBe(keyOf({}, {}, []))
  })

  it.each<[string, Partial<HttpRequest>, Partial<ResponseSubject>]>([
    ['path', { url: '/products/?b=2&a=1' }, {}],
    ['query', { url: '/products?b=2&a=2' }, {}],
    ['query as the framework has parsed it', { query: { a: ['1'], b: '2' } }, {}],
    ['host that it was sent to', { headers: { ...REQUEST.headers, host: 'other.example' } }, {}],
    ['host that a trusted proxy names', { hostname: 'other.example' }, {}],
    ['protocol', { protocol: 'http' }, {}],
    ['header that the route varies by', { headers: { ...REQUEST.headers, accept: 'text/csv' } }, {}],
    ['absence of that header', { headers: { host: 'shop.example' } }, {}],
    ['route', {}, { route: 'Products.all' }],
    ['version of the route', {}, { version: '2' }],
    ['tenant that the request names', {}, { tenant: 't1' }],
    ['tenant whose turn it is', {}, { turn: 't1' }],
    ['user', {}, { user: 'bob' }],
  ])('is another for another %s', (_, request, subject) => {
    expect(keyOf(request, subject)).not.toBe(keyOf())
  })

  it('tells the tenant of the turn from the one that the request names', () => {
    const keys = [keyOf({}, { turn: 't1' }), keyOf({}, { tenant: 't1' }), keyOf({}, { turn: 't1', tenant: 't2' })]
    expect(new Set(keys).size).toBe(3)
  })
})
