import { describe, expect, it } from 'vitest'
import { announceProblem, type HttpReply } from './http-reply.js'

const PROBLEM = { type: 'about:blank', title: 'Unauthorized', status: 401, detail: 'Log in.' }

/** A response of Express, and what the adapter of Nest 11 does with it: it wants JSON to be `application/json`. */
function express() {
  const fields = new Map<string, string>()
  const warnings: string[] = []
  const response: HttpReply = {
    header: (name, value) => fields.set(name.toLowerCase(), value),
    json: (body) => {
      if (!fields.has('content-type')) fields.set('content-type', 'application/json; charset=utf-8')
      return body
    },
  }
  const answer = (body: object): unknown => {
    if (!(fields.get('content-type') ?? 'application/json').startsWith('application/json')) {
      warnings.push("Content-Type doesn't match Reply body")
      fields.set('content-type', 'application/json')
    }
    return response.json!(body)
  }
  return { response, answer, fields, warnings }
}

describe('a refusal over HTTP', () => {
  it('is problem+json on Express, also where the adapter wants application/json, and nothing is warned of', () => {
    const { response, answer, fields, warnings } = express()
    announceProblem(response, { 'Retry-After': '5' })
    expect(answer(PROBLEM)).toBe(PROBLEM)
    expect(warnings).toEqual([])
    expect(Object.fromEntries(fields)).toEqual({
      'retry-after': '5',
      'cache-control': 'no-store',
      'content-type': 'application/problem+json; charset=utf-8',
    })
  })

  it('keeps the type of what a filter of the application answers in its place', () => {
    const { response, answer, fields } = express()
    announceProblem(response, {})
    answer({ message: 'No.' })
    expect(fields.get('content-type')).toBe('application/json; charset=utf-8')
  })

  it('is problem+json from the start on Fastify, whose replies have no `json`', () => {
    const fields = new Map<string, string>()
    announceProblem({ header: (name, value) => fields.set(name, value) }, {})
    expect(fields.get('Content-Type')).toBe('application/problem+json; charset=utf-8')
  })
})
