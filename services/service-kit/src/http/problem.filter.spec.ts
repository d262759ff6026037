import { type ArgumentsHost, BadRequestException, ServiceUnavailableException } from '@nestjs/common'
import { HttpAdapterHost } from '@nestjs/core'
import { expect, it } from 'vitest'
import { ProblemFilter } from './problem.filter.js'

/** What a filter answers to an error. */
function answerTo(error: unknown): unknown {
  const host = new HttpAdapterHost()
  let answer: unknown
  host.httpAdapter = {
    isHeadersSent: () => false,
    setHeader: () => undefined,
    reply: (_response: unknown, body: unknown) => (answer = body),
  } as never
  const filter = new ProblemFilter(host)
  // oxlint-disable-next-line promise/no-promise-in-callback -- no promise: the method of a filter has this name
  filter.catch(error, { switchToHttp: () => ({ getResponse: () => ({}) }) } as ArgumentsHost)
  return answer
}

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
