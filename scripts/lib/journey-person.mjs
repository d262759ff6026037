// Whoever goes the journey through the gateway: a client with a token, and what is expected of the answers.
import { setTimeout as pause } from 'node:timers/promises'
import { Stop } from './run.mjs'

export { pause }

/** Longer than any answer takes on a machine that has much else to do, an outage included. */
const LONGEST_ANSWER_MS = 20_000
/** Until something is so that becomes so by itself: an event that is told, a connection that comes back. */
const LONGEST_WAIT_MS = 30_000
const LOOK_MS = 400

/** Requests without a token that is believed are counted by their address, so each has one of their own, of those that nobody has (RFC 5737). */
let addresses = 0

/** One of the people of the demonstration, or, without `who`, a client that shows no token. */
export class Person {
  constructor(gateway, who) {
    this.gateway = gateway
    this.who = who
    this.address = `192.0.2.${++addresses}`
  }

  get name() {
    return this.who === undefined ? 'nobody' : `${this.who.name} of ${this.who.tenantId}`
  }

  get credentials() {
    const { tenantId, name, password } = this.who
    return { tenantId, name, password }
  }

  async logIn() {
    this.take(await this.expect(200, 'POST', '/auth/login', this.credentials))
  }

  async refresh() {
    this.take(await this.expect(200, 'POST', '/auth/refresh', { refreshToken: this.refreshToken }))
  }

  take({ accessToken, refreshToken, user }) {
    Object.assign(this, { token: accessToken, refreshToken, user })
  }

  /** Answers `{ status, headers, cache, body }`, whatever the status; the body is read as JSON where it is. */
  async ask(method, path, body, more = {}) {
    const headers = {
      'x-forwarded-for': this.address,
      ...(this.token === undefined ? {} : { authorization: `Bearer ${this.token}` }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...more,
    }
    const request = { method, headers, signal: AbortSignal.timeout(LONGEST_ANSWER_MS) }
    if (body !== undefined) request.body = JSON.stringify(body)
    let response, text
    try {
      response = await fetch(`${this.gateway}${path}`, request)
      text = await response.text()
    } catch (error) {
      throw new Stop(
        `The journey: ${method} ${path} of ${this.name} had no answer: ${error.cause?.message ?? error.message}`,
      )
    }
    const isJson = /\bjson\b/.test(response.headers.get('content-type') ?? '')
    return {
      status: response.status,
      headers: response.headers,
      cache: response.headers.get('x-cache') ?? 'without X-Cache',
      body: isJson && text !== '' ? JSON.parse(text) : text,
    }
  }

  /** Answers the body. @throws Stop it has another status */
  async expect(status, method, path, body, headers) {
    const answer = await this.ask(method, path, body, headers)
    const said = JSON.stringify(answer.body).slice(0, 300)
    check(
      answer.status === status,
      `${method} ${path} of ${this.name} was answered with ${answer.status}, not ${status}: ${said}`,
    )
    return answer.body
  }

  /** Whether it is answered with this status. 503 – come again – is no fault; anything else is. */
  async is(status, method, path, body) {
    const answer = await this.ask(method, path, body)
    check([status, 503].includes(answer.status), `${method} ${path} of ${this.name} was answered with ${answer.status}`)
    return answer.status === status
  }

  /** @throws Stop there is none, or one of another tenant */
  expectOwn(what, items) {
    check(items.length > 0, `${this.name} sees no ${what}`)
    const others = items.filter(({ tenantId }) => tenantId !== this.who.tenantId)
    check(others.length === 0, `${this.name} sees ${what} of ${others[0]?.tenantId}`)
  }

  async draftInvoice() {
    const { items } = await this.expect(200, 'GET', '/finance/customers')
    const lines = [{ description: 'Claw hammer', quantity: 48, unitPrice: 1_250 }]
    const invoice = await this.expect(201, 'POST', '/finance/invoices', { customerId: items[0].id, lines })
    check(invoice.number === null && invoice.total === 60_000, `a draft is ${JSON.stringify(invoice)}`)
    return invoice
  }

  issue({ id }) {
    return this.expect(200, 'PATCH', `/finance/invoices/${id}/status`, { status: 'ISSUED' })
  }

  /** What the person was told of a task; undefined: nothing. */
  heard(taskId, status) {
    return this.listener.events.find(({ data }) => data.taskId === taskId && data.status === status)
  }

  /** What all of the tenant were told. */
  texts() {
    return this.listener.events.map(({ data }) => data.text)
  }
}

/** @throws Stop with the sentence */
export function check(condition, sentence) {
  if (!condition) throw new Stop(`The journey: ${sentence}`)
}

/** Answers what `look` does, once it is something. @throws Stop it takes too long */
export async function until(sentence, look) {
  const giveUpAt = performance.now() + LONGEST_WAIT_MS
  for (;;) {
    const seen = await look()
    if (seen) return seen
    check(performance.now() < giveUpAt, `for ${LONGEST_WAIT_MS} ms it was not so that ${sentence}`)
    await pause(LOOK_MS)
  }
}

/** Whether both are the same as text. */
export const sameJson = (one, other) => JSON.stringify(one) === JSON.stringify(other)
