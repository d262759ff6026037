import { type ArgumentsHost, BadRequestException, Logger, ServiceUnavailableException } from '@nestjs/common'
import { HttpAdapterHost } from '@nestjs/core'
import { QueryFailedError } from 'typeorm'
import { afterEach, expect, it, vi } from 'vitest'
import { ProblemFilter } from './problem.filter.js'

/** What a filter answers to errors, one after the other. @param given headers that the response has already */
function answersTo(errors: readonly unknown[], given: Readonly<Record<string, string>> = {}) {
  const host = new HttpAdapterHost()
  const answers: { readonly body: unknown; readonly status: number; readonly headers: Record<string, string> }[] = []
  type Response = Record<string, string>
  host.httpAdapter = {
    isHeadersSent: () => false,
    getHeader: (response: Response, name: string) => response[name],
    setHeader: (response: Response, name: string, value: string) => (response[name] = value),
    reply: (headers: Response, body: unknown, status: number) => answers.push({ body, status, headers }),
  } as never
  const filter = new ProblemFilter(host)
  for (const error of errors) {
    const response = { ...given }
    // oxlint-disable-next-line promise/no-promise-in-callback -- no promise: the method of a filter has this name
    filter.catch(error, { switchToHttp: () => ({ getResponse: () => response }) } as unknown as ArgumentsHost)
  }
  return answers
}

const answerTo = (error: unknown): unknown => answersTo([error])[0]?.body

afterEach(() => vi.restoreAllMocks())

it('names the problem of a service that is away', () => {
  expect(answerTo(new ServiceUnavailableException('later'))).toEqual({
    ...{ type: 'about:blank', title: 'Service Unavailable', status: 503, detail: 'later' },
  })
})

it('does not quote a body that could not be read: it may hold a password', () => {
  let cause: unknown
  try {
    JSON.parse('{"password": hunter2}')
  } catch (error) {
    cause = error
  }
  const { message } = cause as SyntaxError
  expect(message).toContain('hunter2')
  // As Nest hands on what Express's body parser throws.
  expect(answerTo(new BadRequestException(message, { cause }))).toEqual({
    ...{ type: 'about:blank', title: 'Bad Request', status: 400, detail: 'The body is not valid JSON' },
  })
})

it('says with each 503 when to come again, where nobody has said it', () => {
  const later = new ServiceUnavailableException('later')
  expect(answersTo([later])[0]?.headers).toMatchObject({ 'Retry-After': '5' })
  expect(answersTo([later], { 'Retry-After': '1' })[0]?.headers).toMatchObject({ 'Retry-After': '1' })
  expect(answersTo([new BadRequestException('never')])[0]?.headers).not.toHaveProperty('Retry-After')
})

it('answers a database that is away with 503 and no address of it, and logs it once for many requests', () => {
  const logged = [vi.spyOn(Logger.prototype, 'warn'), vi.spyOn(Logger.prototype, 'error')]
  for (const log of logged) log.mockReturnValue(undefined)
  const away = Object.assign(new Error('connect ECONNREFUSED 10.1.2.3:5432'), { code: 'ECONNREFUSED' })
  const answers = answersTo([away, new QueryFailedError('SELECT secret', [], away), away])
  expect(answers).toHaveLength(3)
  for (const { body, status, headers } of answers) {
    expect([status, headers['Retry-After']]).toEqual([503, '5'])
    expect(body).toMatchObject({
      title: 'Service Unavailable',
      detail: 'The database is away at the moment: try again later',
    })
  }
  expect(logged.map(({ mock }) => mock.calls.length)).toEqual([1, 0])
})

it('does not look into what a handler has thrown for its client', () => {
  expect(answerTo(new BadRequestException('Connection terminated by the customer'))).toMatchObject({
    ...{ status: 400, detail: 'Connection terminated by the customer' },
  })
})
