import {
  type ArgumentsHost,
  Controller,
  Get,
  HttpException,
  type INestApplication,
  Logger,
  NotFoundException,
  Res,
  type Type,
} from '@nestjs/common'
import { APP_FILTER } from '@nestjs/core'
import { FastifyAdapter } from '@nestjs/platform-fastify'
import { Test } from '@nestjs/testing'
import { firstValueFrom, type Observable } from 'rxjs'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { InvalidKeyError } from '../kernel/errors.js'
import { RedisUnavailableError } from '../redis/errors.js'
import { CacheUnavailableError } from '../cache/errors.js'
import { LockTimeoutError, LockUnavailableError } from '../lock/errors.js'
import { JwtUnavailableError } from '../jwt/errors.js'
import { RateLimitUnavailableError } from '../rate-limit/errors.js'
import { SessionConflictError, SessionNotFoundError, SessionUnavailableError } from '../session/errors.js'
import { VextrusExceptionFilter } from './vextrus-exception.filter.js'

const ERRORS: Record<string, Error> = {
  cache: new CacheUnavailableError('redis-7.internal:6379 is away', { key: 'customer:secret' }),
  redis: new RedisUnavailableError('redis-7.internal:6379', 'not-connected'),
  held: new LockTimeoutError('order:42', 5_000),
  lock: new LockUnavailableError('redis-7.internal:6379 is away', { key: 'order:42' }),
  limit: new RateLimitUnavailableError('redis-7.internal:6379 is away (secret)'),
  jwt: new JwtUnavailableError('redis-7.internal:6379 is away (secret)'),
  session: new SessionUnavailableError('redis-7.internal:6379 is away (secret)'),
  changed: new SessionConflictError(50),
  ended: new SessionNotFoundError(),
  key: new InvalidKeyError('key is empty (secret)'),
  found: new NotFoundException('no such product'),
}

@Controller()
class FailingController {
  @Get('fail/:name')
  fail(): void {
    throw ERRORS[current]!
  }

  @Get('begun')
  begun(@Res() response: { raw?: NodeJS.WritableStream } & NodeJS.WritableStream): void {
    ;(response.raw ?? response).write('half')
    throw ERRORS['cache']!
  }
}

let current: string
let app: INestApplication | undefined
let logged: unknown[]

beforeEach(() => {
  logged = []
  vi.spyOn(Logger.prototype, 'error').mockImplementation((...line: unknown[]) => void logged.push(line))
})
afterEach(async () => {
  vi.restoreAllMocks()
  await app?.close()
  app = undefined
})

const platforms: [string, (controller: Type) => Promise<INestApplication>][] = [
  ['Express', async (controller) => (await moduleOf(controller)).createNestApplication()],
  ['Fastify', async (controller) => (await moduleOf(controller)).createNestApplication(new FastifyAdapter() as never)],
]

async function moduleOf(controller: Type) {
  const providers = [{ provide: APP_FILTER, useClass: VextrusExceptionFilter }]
  return Test.createTestingModule({ controllers: [controller], providers }).compile()
}

describe.each(platforms)('VextrusExceptionFilter on %s', (_, create) => {
  const failWith = async (name: string): Promise<Response> => {
    app ??= await create(FailingController)
    await app.listen(0, '127.0.0.1')
    current = name
    return fetch(`${await app.getUrl()}/fail/${name}`)
  }

  it.each([
    ['cache', 'CACHE_UNAVAILABLE', '5'],
    ['redis', 'REDIS_UNAVAILABLE', '5'],
    ['held', 'LOCK_TIMEOUT', '1'],
    ['lock', 'LOCK_UNAVAILABLE', '5'],
    ['limit', 'RATE_LIMIT_UNAVAILABLE', '5'],
    ['jwt', 'JWT_UNAVAILABLE', '5'],
    ['session', 'SESSION_UNAVAILABLE', '5'],
    ['changed', 'SESSION_CONFLICT', '1'],
  ])('answers 503 and Retry-After when %s is not available, and logs nothing', async (name, code, retryAfter) => {
    const answer = await failWith(name)
    expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, retryAfter])
    expect(answer.headers.get('content-type')).toMatch(/^application\/problem\+json/)
    expect(await answer.json()).toEqual({
      type: 'about:blank',
      title: 'Service Unavailable',
      status: 503,
      detail: expect.any(String),
      code,
    })
    expect(logged).toEqual([])
  })

  it('answers 401 when a session has ended while a request worked with it, and logs nothing', async () => {
    const answer = await failWith('ended')
    expect([answer.status, answer.headers.get('retry-after')]).toEqual([401, null])
    expect(answer.headers.get('content-type')).toMatch(/^application\/problem\+json/)
    expect(await answer.json()).toMatchObject({ title: 'Unauthorized', status: 401, code: 'SESSION_NOT_FOUND' })
    expect(logged).toEqual([])
  })

  it('answers 500 for any other, and logs it with its stack', async () => {
    const answer = await failWith('key')
    expect([answer.status, answer.headers.get('retry-after')]).toEqual([500, null])
    expect(await answer.json()).toMatchObject({ title: 'Internal Server Error', status: 500, code: 'INVALID_KEY' })
    expect(logged).toEqual([[expect.stringMatching(/INVALID_KEY.*empty/), expect.stringContaining('at ')]])
  })

  it.each(['cache', 'redis', 'held', 'lock', 'limit', 'jwt', 'session', 'key'])(
    'tells nobody what the error %s says',
    async (name) => {
      const text = await (await failWith(name)).text()
      expect(text).not.toMatch(/secret|internal:|order|empty/)
    },
  )

  it('leaves the exceptions of Nest alone', async () => {
    const answer = await failWith('found')
    expect(answer.status).toBe(404)
    expect(await answer.json()).toMatchObject({ message: 'no such product' })
  })
})

describe('VextrusExceptionFilter', () => {
  it('ends an answer that has begun', async () => {
    app = await platforms[0]![1](FailingController)
    await app.listen(0, '127.0.0.1')
    expect(await (await fetch(`${await app.getUrl()}/begun`)).text()).toBe('half')
  })

  it('works without injection', async () => {
    const module = await Test.createTestingModule({ controllers: [FailingController] }).compile()
    app = module.createNestApplication()
    app.useGlobalFilters(new VextrusExceptionFilter())
    await app.listen(0, '127.0.0.1')
    current = 'cache'
    expect((await fetch(`${await app.getUrl()}/fail/x`)).status).toBe(503)
  })

  const hostOf = (type: string, client?: object) =>
    ({ getType: () => type, switchToWs: () => ({ getClient: () => client }) }) as unknown as ArgumentsHost
  const filter = new VextrusExceptionFilter()
  const error = ERRORS['cache'] as CacheUnavailableError
  const message = { status: 'error', code: 'CACHE_UNAVAILABLE', message: expect.stringMatching(/not available/) }

  it('becomes an HttpException of the status for a GraphQL resolver, with the error as its cause', () => {
    let thrown: unknown
    try {
      filter.catch(error, hostOf('graphql'))
    } catch (caught) {
      thrown = caught
    }
    expect(thrown).toBeInstanceOf(HttpException)
    const exception = thrown as HttpException
    expect([exception.getStatus(), exception.cause]).toEqual([503, error])
    expect(exception.getResponse()).toMatchObject({ code: 'CACHE_UNAVAILABLE' })
    expect(exception.message).not.toContain('internal:')
  })

  it('answers a microservice’s message with an error', async () => {
    const answer = filter.catch(error, hostOf('rpc')) as Observable<never>
    await expect(firstValueFrom(answer)).rejects.toEqual(message)
  })

  it('emits an exception to the client of a web socket', () => {
    const emit = vi.fn()
    filter.catch(error, hostOf('ws', { emit }))
    expect(emit).toHaveBeenCalledWith('exception', message)
  })
})
