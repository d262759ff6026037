import { RedisCacheService } from '@vextrus/shared/cache'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startServers } from '../../service-kit/test/support/servers.js'
import { compiledService } from '../../service-kit/test/support/service-process.js'
import type { Latency } from '../src/latency/latency.schemas.js'
import { newRule, startTestService, TENANT, type TestService, until } from './support/service.js'

/**
 * Two services on one Redis and one database, each with a memory of its own: what is edited through one is in force in the other at once. Requests
 * are sent one after the other, because an embedded database mixes up what two connections ask at the same time.
 */

const servers = startServers()
let one: TestService
let other: TestService

beforeAll(async () => {
  one = await startTestService(servers.database, { url: servers.redis.url })
  other = await startTestService(servers.database, { url: servers.redis.url })
})

afterAll(async () => {
  await one?.close()
  await other?.close()
})

const matches = async (service: TestService, subject: string) => {
  const { status, body } = await service.send('POST', '/evaluations', { subject, facts: { amount: 5 } })
  expect(status).toBe(200)
  return body.matches.map(({ name, version }) => `${name} v${version}`)
}

const l1Hits = (service: TestService) => service.app.get(RedisCacheService).getStatistics().l1.hits

/** Reads until the answer comes from the memory of the process. */
const untilInMemory = (service: TestService, read: () => Promise<unknown>) =>
  until('it is answered from the memory of the process', async () => {
    const before = l1Hits(service)
    await read()
    return l1Hits(service) > before
  })

/** By contract no read that begins so long after an edit was answered shows what was before it. */
const STALENESS_MS = 2_000

/** What an edit took to be in force in the other service, from its answer on, and what a read took then: the pace of this machine. */
const delays: number[] = []
const paces: number[] = []

/** Waits for an edit to be in force in the other service: within the staleness by contract, and usually as long as a push takes. */
const expectInForce = async (what: string, read: () => Promise<unknown>, expected: unknown) => {
  const answered = performance.now()
  let oldest = answered
  await until(what, async () => {
    const began = performance.now()
    const isInForce = JSON.stringify(await read()) === JSON.stringify(expected)
    if (isInForce) paces.push(performance.now() - began)
    else oldest = began
    return isInForce
  })
  expect(oldest - answered).toBeLessThan(STALENESS_MS)
  delays.push(performance.now() - answered)
}

const median = (times: readonly number[]): number => times.toSorted((a, b) => a - b)[Math.floor(times.length / 2)]!

describe('an edit through one service is in force in the other at once, though it answers from its memory:', () => {
  it('a rule', async () => {
    const subject = 'two.rules'
    const read = () => matches(other, subject)
    const { id } = (await one.send('POST', '/rules', newRule('first', subject))).body
    await expectInForce('the first rule is', read, ['first v1'])
    for (let version = 1; version <= 8; version++) {
      await untilInMemory(other, read)
      await one.send('PATCH', `/rules/${id}`, { version, priority: version })
      await expectInForce('the change is', read, [`first v${version + 1}`])
    }
    await untilInMemory(other, read)
    await one.send('POST', '/rules/switches', { enabled: false, subject })
    await expectInForce('the switch is', read, [])
  })

  it('all rules of the tenant, by their tag', async () => {
    const subject = 'two.tenant'
    const read = () => matches(other, subject)
    await one.send('POST', '/rules', newRule('kept', subject))
    await expectInForce('the rule is', read, ['kept v1'])
    await untilInMemory(other, read)
    await one.send('POST', '/rules/switches', { enabled: false })
    await expectInForce('the switch is', read, [])
    await untilInMemory(other, read)
    await one.send('POST', '/rules/switches', { enabled: true })
    await expectInForce('the switch is', read, ['kept v3'])
  })

  it('a value of the configuration', async () => {
    const path = '/configuration/two.value'
    const read = async () => (await other.get(path)).body['value']
    await one.send('PUT', path, { value: 0 })
    for (let version = 1; version <= 5; version++) {
      await untilInMemory(other, read)
      await one.send('PUT', path, { value: version, version })
      await expectInForce('the value is', read, version)
    }
    await untilInMemory(other, read)
    await one.send('DELETE', path)
    await expectInForce('the deletion is', async () => (await other.get(path)).status, 404)
  })

  it('a flag, and that there is one at all', async () => {
    const path = '/flags/two-flag/evaluation?subject=u'
    const read = async () => (await other.get(path)).body['reason']
    expect((await other.get(path)).status).toBe(404)
    await untilInMemory(other, read)
    await one.send('POST', '/flags', { key: 'two-flag', enabled: false })
    await expectInForce('the flag is', read, 'off')
    await untilInMemory(other, read)
    await one.send('PATCH', '/flags/two-flag', { version: 1, enabled: true })
    await expectInForce('the change is', read, 'rollout')
  })

  it('and “at once” is a matter of milliseconds', () => {
    expect(delays.length).toBeGreaterThan(15)
    // Where this machine is busy, a few reads take longer than that.
    expect(median(delays)).toBeLessThan(Math.max(250, 5 * median(paces)))
  })
})

describe('when Redis is killed', () => {
  it('both evaluate from the database, edits included, and use the cache again when it is back', async () => {
    const subject = 'two.outage'
    const { id } = (await one.send('POST', '/rules', newRule('lasting', subject))).body
    await untilInMemory(one, () => matches(one, subject))
    await untilInMemory(other, () => matches(other, subject))
    await servers.redis.kill()
    // Nothing is believed of the memory for longer than `staleness` (2 s) once the pushes have stopped.
    await one.send('PATCH', `/rules/${id}`, { version: 1, priority: 7 })
    expect(await matches(one, subject)).toEqual(['lasting v2'])
    await until('the other has noticed', async () => (await matches(other, subject))[0] === 'lasting v2', 5_000)
    const { queries } = await other.send('POST', '/evaluations', { subject, facts: {} })
    expect(queries).toBe(1)
    expect((await other.get('/configuration/invoice.payment-days')).body['value']).toBe(30)
    expect((await other.get('/flags/bulk-import/evaluation?subject=u')).body['enabled']).toBe(true)
    const { rows } = (await other.client.send('GET', '/latency')).body as Latency
    expect(rows.map(({ source, reads, p50Ms }) => ({ source, none: reads === 0 && p50Ms === null }))).toEqual([
      { source: 'L1 hit', none: true },
      { source: 'L2 hit', none: true },
      { source: 'database', none: false },
    ])
    await servers.redis.restart()
    for (const service of [one, other]) {
      await untilInMemory(service, () => matches(service, subject))
      expect(await matches(service, subject)).toEqual(['lasting v2'])
    }
    await one.send('PATCH', `/rules/${id}`, { version: 2, priority: 8 })
    await expectInForce('an edit is', () => matches(other, subject), ['lasting v3'])
  })
})

describe('the service as it is started, a process of its own on the same Redis and database,', () => {
  let compiled: ReturnType<typeof compiledService>

  beforeAll(() => {
    compiled = compiledService('services/rules-engine')
  })

  afterAll(() => {
    compiled?.killAll()
  })

  const environment = () => ({
    PORT: '0',
    DATABASE_URL: servers.database.url,
    DATABASE_POOL: '1',
    REDIS_URL: servers.redis.url,
  })

  it('evaluates an edit of another process at once, measures itself, and leaves with 0 within 5 s of SIGTERM', async () => {
    const { child, ended, lines, errors, ready } = compiled.start(environment())
    const url = await ready()
    expect(errors()).toBe('')
    expect(lines().filter((line) => line.startsWith('ready '))).toEqual([`ready ${url}`])
    const subject = 'two.processes'
    const read = async () => {
      const response = await fetch(`${url}/evaluations`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'x-tenant-id': TENANT },
        body: JSON.stringify({ subject, facts: {} }),
      })
      return ((await response.json()) as { matches: { name: string; version: number }[] }).matches.map((m) => m.version)
    }
    const l1HitsOfProcess = async () => {
      const statistics = (await (await fetch(`${url}/health/cache`)).json()) as { l1: { hits: number } }
      return statistics.l1.hits
    }
    const { id } = (await one.send('POST', '/rules', newRule('edited elsewhere', subject))).body
    for (let version = 1; version <= 5; version++) {
      const before = await l1HitsOfProcess()
      await until('it is in the memory of the process', async () => (await read(), (await l1HitsOfProcess()) > before))
      await one.send('PATCH', `/rules/${id}`, { version, priority: version })
      await expectInForce('the edit is', read, [version + 1])
    }

    const { cache, rows } = (await (await fetch(`${url}/latency`)).json()) as Latency
    expect(cache).toBe(`Redis at ${servers.redis.host}:${servers.redis.port}`)
    // A read that a busy machine keeps waiting too long is not one of its level, and not counted.
    for (const { source, reads, asked } of rows) expect(reads / asked, source).toBeGreaterThan(0.9)

    const started = performance.now()
    // In the middle of a measurement.
    const cut = fetch(`${url}/latency`).catch(() => undefined)
    child.kill('SIGTERM')
    expect(await ended).toBe(0)
    expect(performance.now() - started).toBeLessThan(5_000)
    await cut
  })

  it('names a variable that it can’t use, and leaves with 1', async () => {
    const { ended, errors } = compiled.start({ PORT: 'http' })
    expect(await ended).toBe(1)
    expect(errors()).toMatch(/^rules-engine could not start: PORT/)
  })
})

it('no key without a TTL is left but the tag clock', async () => {
  expect(await servers.redis.scanKeysWithoutTtl(['vextrus@tags'])).toEqual([])
})
