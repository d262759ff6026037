import { once } from 'node:events'
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { connect } from 'node:net'
import { Readable } from 'node:stream'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { bearer, type Init, OTHER, startGateway, TENANT, type TestGateway, until } from './support/gateway.js'
import { json, TestUpstream } from './support/test-upstream.js'

let gateway: TestGateway
let upstream: TestUpstream

beforeAll(async () => {
  gateway = await startGateway()
  upstream = gateway.upstream
})
afterAll(() => gateway?.close())

beforeEach(() => {
  upstream.seen.length = 0
  upstream.answers(({ url }) => ({ url }))
})

const portOf = ({ url }: TestGateway) => Number(new URL(url).port)

/** Sends bytes, as no HTTP client would, and answers what comes until the end of the connection. */
async function raw(text: string, to = gateway): Promise<string> {
  const socket = connect(portOf(to), 'localhost')
  socket.on('error', () => undefined)
  let answer = ''
  socket.setEncoding('latin1').on('data', (chunk: string) => (answer += chunk))
  socket.write(text)
  await once(socket, 'close')
  return answer
}

const rawHead = async (line: string, headers: Record<string, string> = {}) =>
  [
    line,
    'Host: gateway.test',
    ...Object.entries({ connection: 'close', ...(await bearer()), ...headers }).map(
      ([name, value]) => `${name}: ${value}`,
    ),
    '\r\n',
  ].join('\r\n')

describe('a request', () => {
  it('reaches its service with method, path, query and body, and comes back with status, headers and body', async () => {
    upstream.answers(({ body }) => ({ got: body }), 201, {
      'x-thing': 'a thing',
      'set-cookie': ['a=1', 'b=2'],
      'x-cache': 'MISS',
    })
    const answer = await gateway.send('/finance/invoices?draft=1&q=a%20b', {
      method: 'POST',
      body: '{"customerId":1}',
      headers: { 'content-type': 'application/json', 'accept-language': 'bn', 'if-match': '"7"' },
    })
    expect(upstream.seen).toMatchObject([
      {
        method: 'POST',
        url: '/invoices?draft=1&q=a%20b',
        body: '{"customerId":1}',
        headers: {
          'content-type': 'application/json',
          'content-length': '16',
          'accept-language': 'bn',
          'if-match': '"7"',
        },
      },
    ])
    expect(answer).toMatchObject({ status: 201, body: { got: '{"customerId":1}' }, cache: 'MISS' })
    expect(answer.headers.get('x-thing')).toBe('a thing')
    expect(answer.headers.getSetCookie()).toEqual(['a=1', 'b=2'])
  })

  it.each(['GET', 'HEAD', 'OPTIONS', 'POST', 'PUT', 'PATCH', 'DELETE'])('may be %s', async (method) => {
    const { status, text } = await gateway.send('/finance/it', { method })
    expect([status, text]).toEqual([200, method === 'HEAD' ? '' : '{"url":"/it"}'])
    expect(upstream.seen).toMatchObject([{ method, body: '' }])
  })

  it('of another method is refused', async () => {
    const answer = await raw(await rawHead('PROPFIND /finance/it HTTP/1.1'))
    expect(answer).toMatch(/^HTTP\/1.1 405 .*allow: GET, HEAD, OPTIONS, POST, PUT, PATCH, DELETE/is)
    expect(upstream.seen).toEqual([])
  })

  it('is its caller’s, whatever else it says of itself', async () => {
    const forged = {
      'x-tenant-id': OTHER,
      'X-Tenant-Id': OTHER,
      'x-user-id': 'eve',
      'x-user-roles': 'admin',
      'x-forwarded-for': '203.0.113.7',
      'x-forwarded-host': 'evil.example',
      forwarded: 'for=203.0.113.7',
      'x-real-ip': '203.0.113.7',
    }
    await gateway.send('/finance/it', { headers: forged })
    const [{ headers } = { headers: {} }] = upstream.seen
    expect(headers).toMatchObject({
      'x-tenant-id': TENANT,
      'x-user-id': 'ada',
      'x-user-roles': 'clerk',
      'x-forwarded-for': expect.stringMatching(/^(::1|127\.0\.0\.1|::ffff:127\.0\.0\.1)$/),
      'x-forwarded-host': `localhost:${portOf(gateway)}`,
      'x-forwarded-proto': 'http',
    })
    expect(Object.keys(headers)).not.toEqual(expect.arrayContaining(['authorization']))
    for (const dropped of ['authorization', 'forwarded', 'x-real-ip']) expect(headers).not.toHaveProperty(dropped)
  })

  it('keeps what belongs to its connection to itself, and can’t take away what the gateway says', async () => {
    await raw(
      await rawHead('GET /finance/it HTTP/1.1', {
        connection: 'close, x-hop, x-tenant-id, content-length',
        'x-hop': '1',
        'keep-alive': 'timeout=5',
        te: 'trailers',
        'proxy-authorization': 'Basic eDp5',
        upgrade: 'h2c',
        'x-kept': '1',
      }),
    )
    const [{ headers } = { headers: {} }] = upstream.seen
    expect(headers).toMatchObject({ 'x-tenant-id': TENANT, 'x-kept': '1', connection: 'keep-alive' })
    for (const dropped of ['x-hop', 'keep-alive', 'te', 'proxy-authorization', 'upgrade'])
      expect(headers).not.toHaveProperty(dropped)
  })

  it('is answered without what belongs to the connection of its service', async () => {
    upstream.answers(() => ({}), 200, { connection: 'keep-alive, x-hop', 'x-hop': '1', 'proxy-authenticate': 'Basic' })
    const { headers } = await gateway.send('/finance/it')
    expect(headers.get('x-hop')).toBeNull()
    expect(headers.get('proxy-authenticate')).toBeNull()
  })

  it('has its body in a frame of its own, also where a method has none usually', async () => {
    const smuggled = 'GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n'
    const framed: Record<string, string>[] = [
      { 'content-length': String(smuggled.length) },
      { 'content-length': String(smuggled.length), connection: 'close, content-length' },
    ]
    for (const headers of framed) {
      await raw((await rawHead('GET /finance/it HTTP/1.1', headers)) + smuggled)
    }
    const chunked = await rawHead('DELETE /finance/it HTTP/1.1', { 'transfer-encoding': 'chunked' })
    await raw(`${chunked}${smuggled.length.toString(16)}\r\n${smuggled}\r\n0\r\n\r\n`)
    expect(upstream.seen.map(({ url, body }) => [url, body])).toEqual(Array(3).fill(['/it', smuggled]))
  })

  it('with a coding that nobody would undo is refused', async () => {
    const head = await rawHead('POST /finance/it HTTP/1.1', { 'transfer-encoding': 'gzip, chunked' })
    expect(await raw(`${head}0\r\n\r\n`)).toMatch(/^HTTP\/1.1 501 /)
    expect(upstream.seen).toEqual([])
  })
})

describe('a path', () => {
  it.each([
    '/finance/../master-data/x',
    '/finance/%2e%2e/x',
    '/finance/..%2fx',
    '/finance/..\\x',
    '/finance//evil.example/x',
    '//evil.example/finance/x',
    'http://evil.example/finance/x',
    '/finance/x%00',
  ])('%s leads nowhere', async (path) => {
    const answer = await raw(await rawHead(`GET ${path} HTTP/1.1`))
    expect(answer).toMatch(/^HTTP\/1.1 400 .*application\/problem\+json/is)
    expect(upstream.seen).toEqual([])
  })

  it('of a service that does not exist is 404, also for nobody', async () => {
    for (const send of [gateway.send, gateway.sendAnonymously]) {
      for (const path of ['/warehouse/x', '/Finance/x', '/', '/constructor/x', '/__proto__/x', '/favicon.ico']) {
        const { status, headers, body } = await send(path)
        expect([path, status, body.title]).toEqual([path, 404, 'Not Found'])
        expect(headers.get('content-type')).toMatch('application/problem+json')
      }
    }
  })

  it.each([
    '/finance/health',
    '/finance/health/cache',
    '/finance/docs',
    '/master-data/tenants',
    '/rules-engine/latency',
  ])('%s is for those who run the service, in any spelling', async (path) => {
    const odd = path.replace('/health', '/%48ealth').replace('/docs', '/DOCS').replace('/latency', '/l%61tency')
    expect(await gateway.send(path)).toMatchObject({ status: 404 })
    expect(await gateway.send(odd)).toMatchObject({ status: 404 })
    expect(upstream.seen).toEqual([])
  })
})

describe('names of a request', () => {
  const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'

  it('are the client’s, where it has some', async () => {
    const named = { 'x-request-id': 'order-4711', traceparent, tracestate: 'a=1' }
    const { headers } = await gateway.send('/finance/it', { headers: named })
    expect(upstream.seen[0]?.headers).toMatchObject(named)
    expect(headers.get('x-request-id')).toBe('order-4711')
  })

  it('are new ones else, another for each request, also on errors', async () => {
    const answers = [
      await gateway.send('/finance/it'),
      await gateway.send('/finance/it', { headers: { 'x-request-id': 'two words', traceparent: 'nonsense' } }),
      await gateway.sendAnonymously('/finance/it'),
    ]
    const ids = answers.map(({ headers }) => headers.get('x-request-id'))
    expect(new Set(ids).size).toBe(3)
    for (const id of ids) expect(id).toMatch(/^[\da-f-]{36}$/)
    expect(upstream.seen.map(({ headers }) => headers['x-request-id'])).toEqual(ids.slice(0, 2))
    for (const { headers } of upstream.seen) expect(headers['traceparent']).toMatch(/^00-[\da-f]{32}-[\da-f]{16}-01$/)
  })
})

describe('a body', () => {
  it('is passed on while it comes, and so is the answer', async () => {
    upstream.handler = (request, response) => {
      response.writeHead(200, { 'content-type': 'text/plain' })
      request.on('data', (chunk: Buffer) => response.write(`got ${chunk.toString()}`))
      request.on('end', () => response.end('.'))
    }
    const sent = httpRequest(`${gateway.url}/finance/echo`, { method: 'POST', headers: await bearer() })
    sent.write('one')
    const [answer] = (await once(sent, 'response')) as [IncomingMessage]
    const next = async () => ((await once(answer, 'data')) as [Buffer])[0].toString()
    expect(await next()).toBe('got one')
    sent.write('two')
    expect(await next()).toBe('got two')
    sent.end()
    expect(await next()).toBe('.')
  })

  it('of events comes event by event, and ends at the service when the client leaves', async () => {
    const events: ((text: string) => void)[] = []
    let [isGone, last] = [false, undefined as string | string[] | undefined]
    upstream.handler = (request, response) => {
      last = request.headers['last-event-id']
      response.writeHead(200, {
        'content-type': 'text/event-stream; charset=utf-8',
        'cache-control': 'no-store, no-transform',
        'x-accel-buffering': 'no',
      })
      response.flushHeaders()
      response.on('close', () => (isGone = true))
      events.push((text) => void response.write(text))
    }
    const sent = httpRequest(`${gateway.url}/workflow/notifications`, {
      headers: { ...(await bearer()), 'last-event-id': '1-1.2-2', 'accept-encoding': 'gzip' },
    })
    sent.on('error', () => undefined)
    sent.end()
    const [answer] = (await once(sent, 'response')) as [IncomingMessage]
    expect(answer.headers).toMatchObject({
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store, no-transform',
      'x-accel-buffering': 'no',
    })
    expect(answer.headers['content-encoding']).toBeUndefined()
    expect(last).toBe('1-1.2-2')
    for (const text of ['id: 1-1.2-3\ndata: {}\n\n', ':\n\n']) {
      const next = once(answer, 'data') as Promise<[Buffer]>
      events[0]!(text)
      expect((await next)[0].toString()).toBe(text)
    }
    sent.destroy()
    await until('the service sees that nobody listens', () => isGone)
  })

  it('that is too long is refused, by its header or when it turns out', async () => {
    const long = 'x'.repeat(70_000)
    const known = await gateway.send('/finance/it', { method: 'POST', body: long })
    const unknown = await gateway.send('/finance/it', {
      method: 'POST',
      body: Readable.toWeb(Readable.from([Buffer.from(long.slice(0, 40_000)), Buffer.from(long.slice(40_000))])) as any,
      duplex: 'half',
    } as Init)
    for (const { status, body } of [known, unknown])
      expect({ status, body }).toMatchObject({ status: 413, body: { title: 'Content Too Large' } })
    const fits = await gateway.send('/finance/it', { method: 'POST', body: long.slice(0, 65_536) })
    expect(fits.status).toBe(200)
    expect(upstream.seen.map(({ body }) => body.length)).toEqual([65_536])
  })

  it('may be answered before its end, and its connection goes on with the next request', async () => {
    const upstreamAnswers = upstream.handler
    upstream.handler = (request, response) => {
      if (request.method === 'POST') {
        response.writeHead(200, { connection: 'close', 'content-length': '5' })
        response.end('early')
      } else upstreamAnswers(request, response)
    }
    const first = await rawHead('POST /finance/it HTTP/1.1', {
      'transfer-encoding': 'chunked',
      connection: 'keep-alive',
    })
    const socket = connect(portOf(gateway), 'localhost')
    let answer = ''
    socket.setEncoding('latin1').on('data', (chunk: string) => (answer += chunk))
    socket.write(`${first}5\r\nearly\r\n`)
    await until('it is answered', () => answer.includes('early'))
    const closed = once(socket, 'close')
    socket.write(`4\r\nlate\r\n0\r\n\r\n${await rawHead('GET /finance/next HTTP/1.1')}`)
    await closed
    expect(answer).toMatch(/"url":"\/next"/)
  })

  it('that goes on for ever after its answer is cut off', async () => {
    gateway.upstream.handler = (_request, response) => {
      response.writeHead(200, { connection: 'close', 'content-length': '5' })
      response.end('early')
    }
    const socket = connect(portOf(gateway), 'localhost')
    socket.on('error', () => undefined)
    const head = await rawHead('POST /finance/it HTTP/1.1', {
      'transfer-encoding': 'chunked',
      connection: 'keep-alive',
    })
    const chunk = `1000\r\n${'x'.repeat(4_096)}\r\n`
    socket.write(head + chunk)
    await once(socket, 'data')
    let isCut = false
    socket.on('close', () => (isCut = true)).resume()
    await until('it is cut off', () => {
      socket.write(chunk)
      return isCut
    })
    expect(isCut).toBe(true)
  })

  it('of an answer that breaks off breaks off', async () => {
    upstream.handler = (_request, response) => {
      response.writeHead(200, { 'content-length': '100' })
      response.write('half')
      setImmediate(() => response.destroy())
    }
    await expect(gateway.send('/finance/it')).rejects.toThrowError()
  })
})

describe('a gateway whose patience is at its end', () => {
  let hasty: TestGateway
  beforeAll(async () => {
    hasty = await startGateway({ upstreamPatienceMs: 1_000 })
  })
  afterAll(() => hasty?.close())

  it('answers 504 for a service that says nothing', async () => {
    hasty.upstream.handler = (request) => void request.resume()
    const answers = await Promise.all([
      hasty.send('/finance/it'),
      hasty.send('/master-data/products/77'),
      hasty.send('/finance/it', { method: 'POST', body: 'it' }),
    ])
    for (const { status, headers, body } of answers) {
      expect([status, body.title]).toEqual([504, 'Gateway Timeout'])
      expect(headers.get('content-type')).toMatch('application/problem+json')
    }
  })

  it('answers 408 to a client that does not send the rest of its body', async () => {
    hasty.upstream.handler = (request) => void request.resume()
    const head = await rawHead('POST /finance/it HTTP/1.1', { 'content-length': '10' })
    expect(await raw(`${head}half`, hasty)).toMatch(/^HTTP\/1.1 408 /)
  })

  it('cuts off an answer that stops coming', async () => {
    hasty.upstream.handler = (_request, response) => {
      response.writeHead(200, { 'content-length': '100' })
      response.write('half')
    }
    await expect(hasty.send('/finance/it')).rejects.toThrowError()
  })

  it('gives a slow one its time for as long as something moves', async () => {
    hasty.upstream.handler = (_request, response) => {
      response.writeHead(200, { 'content-type': 'text/plain' })
      let count = 0
      const timer = setInterval(() => {
        response.write('.')
        if (++count < 8) return
        clearInterval(timer)
        response.end()
      }, 150)
    }
    expect(await hasty.send('/finance/it')).toMatchObject({ status: 200, text: '........' })
  })
})

describe('a service', () => {
  let own: TestGateway | undefined
  afterEach(async () => {
    await own?.close()
    own = undefined
  })

  it('that is away is 502, and back when it is back', async () => {
    own = await startGateway()
    const { port } = own.upstream
    await own.send('/finance/it')
    await own.upstream.stop()
    for (const path of ['/finance/it', '/master-data/products/1', '/master-data/countries']) {
      const { status, headers, body, cache } = await own.send(path)
      expect([status, body.title]).toEqual([502, 'Bad Gateway'])
      expect(headers.get('content-type')).toMatch('application/problem+json')
      expect(cache).not.toBe('HIT')
    }
    const again = await TestUpstream.start(port)
    try {
      for (const path of ['/finance/it', '/master-data/products/1']) expect((await own.send(path)).status).toBe(200)
    } finally {
      await again.stop()
    }
  })

  it('that was restarted is asked over a new connection, and writes are not sent twice', async () => {
    own = await startGateway()
    let connections = 0
    let requests = 0
    own.upstream.handler = (request, response) => {
      requests++
      request.resume()
      // Answers one, and closes when it is asked for another.
      if (request.socket.bytesWritten > 0) return void request.socket.resetAndDestroy()
      connections++
      json(response, {})
    }
    expect((await own.send('/finance/it')).status).toBe(200)
    expect((await own.send('/finance/it')).status).toBe(200)
    expect([connections, requests]).toEqual([2, 3])
    expect((await own.send('/finance/it', { method: 'POST' })).status).toBe(502)
    expect([connections, requests]).toEqual([2, 4])
  })

  it.each([
    'nonsense\r\n\r\n',
    'HTTP/1.1 000 Low\r\n\r\n{}',
    'HTTP/1.1 099 Low\r\n\r\n{}',
    'HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: it\r\n\r\n',
    'HTTP/1.1 600 High\r\n\r\n{}',
    'HTTP/1.1 200 OK\r\nx-thing: \x01\r\n\r\n{}',
  ])('that answers nonsense is 502: %j', async (nonsense) => {
    upstream.handler = (request) => void request.socket.end(nonsense)
    for (const path of ['/finance/it', '/master-data/suppliers']) {
      expect(await gateway.send(path)).toMatchObject({ status: 502, body: { status: 502 } })
    }
  })

  it('has no words of its own for a status', async () => {
    upstream.handler = (request) => void request.socket.end('HTTP/1.1 202 \x01\xff\r\ncontent-length: 2\r\n\r\n{}')
    expect(await raw(await rawHead('GET /finance/it HTTP/1.1'))).toMatch(/^HTTP\/1\.1 202 Accepted\r\n/)
  })
})

it('a client that leaves cancels the work of the service', async () => {
  let cancelled = 0
  let working = 0
  upstream.handler = (request, response) => {
    working++
    request.resume()
    response.once('close', () => void (response.writableFinished || cancelled++))
  }
  const impatient = new AbortController()
  const headers = await bearer()
  const sent = ['GET', 'POST'].map((method) =>
    fetch(`${gateway.url}/finance/it`, { method, headers, signal: impatient.signal }),
  )
  await until('both are at work', () => working === 2)
  impatient.abort()
  for (const each of sent) await expect(each).rejects.toThrowError()
  await until('both are cancelled', () => cancelled === 2)
})

it('a client that leaves in the middle of its body, or of the answer, cancels it too', async () => {
  let cancelled = 0
  upstream.handler = (request, response) => {
    response.once('close', () => void (response.writableFinished || cancelled++))
    if (request.method === 'GET') response.write('half')
    request.resume()
  }
  const headers = await bearer()
  const upload = httpRequest(`${gateway.url}/finance/it`, { method: 'POST', headers })
  upload.on('error', () => undefined)
  await new Promise((resolve) => upload.write('half', resolve))
  const download = httpRequest(`${gateway.url}/finance/it`, { headers }).end()
  download.on('error', () => undefined)
  const [answer] = (await once(download, 'response')) as [IncomingMessage]
  await once(answer, 'data')
  answer.on('error', () => undefined)
  upload.destroy()
  download.destroy()
  await until('both are cancelled', () => cancelled === 2)
  expect(gateway.upstream.seen).toEqual([])
})
