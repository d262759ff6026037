import type { RateLimitOptions } from '@vextrus/shared/rate-limit'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type RedisServer, startRedis } from '../../../packages/shared/test/support/redis-server.js'
import { patient } from '../../service-kit/test/support/servers.js'
import { bearer, type Init, startGateway, type TestGateway } from './support/gateway.js'

/**
 * A minute's worth of requests passes at once, and what is spent comes back evenly: on the smallest plan a user has 60 and gets one a second back,
 * and a tenant 120 and two. So counts are as exact as the test is fast.
 */

let gateway: TestGateway
beforeEach(async () => {
  gateway = await startGateway({ plans: new Map([['big', 'standard']]) })
})
afterEach(() => gateway?.close())

/** Requests sent at once: how many of each status, and one of those that were refused. */
async function flood(count: number, send: () => ReturnType<TestGateway['send']>) {
  const start = performance.now()
  const answers = await Promise.all(Array.from({ length: count }, send))
  const counts: Record<number, number> = {}
  for (const { status } of answers) counts[status] = (counts[status] ?? 0) + 1
  return {
    counts,
    seconds: (performance.now() - start) / 1_000,
    refused: answers.find(({ status }) => status === 429),
    passed: answers.find(({ status }) => status !== 429),
  }
}

const sendAs =
  (id: string, tenant: string, path = '/finance/it', to = () => gateway) =>
  async (init: Init = {}) =>
    to().send(path, { ...init, headers: { ...(await bearer(id, tenant)), ...init.headers } })

/** So many, and those that came back meanwhile. */
function expectAbout(passed: number | undefined, limit: number, cameBack: number): void {
  expect(passed).toBeGreaterThanOrEqual(limit)
  expect(passed).toBeLessThanOrEqual(limit + Math.ceil(cameBack))
}

describe('a caller', () => {
  it('is refused beyond what a user of its tenant’s plan may do, and told when to come again', async () => {
    const { counts, seconds, refused, passed } = await flood(90, sendAs('ada', 'small'))
    expectAbout(counts[200], 60, seconds)
    expect(passed?.headers.get('ratelimit-policy')).toBe('"user";q=60;w=60, "tenant";q=120;w=60')
    expect(passed?.headers.get('ratelimit')).toMatch(/^"user";r=\d+;t=\d+, "tenant";r=\d+;t=\d+$/)
    expect(refused?.headers.get('retry-after')).toMatch(/^[1-9]$/)
    expect(refused?.headers.get('ratelimit')).toMatch(/^"user";r=0;t=[1-9]$/)
    expect(refused?.headers.get('content-type')).toMatch('application/problem+json')
    expect(refused?.headers.get('x-request-id')).toMatch(/^[\da-f-]{36}$/)
    expect(refused?.body).toMatchObject({ status: 429, 'violated-policies': ['user'], detail: expect.any(String) })
    // What is refused does not reach the service.
    expect(gateway.upstream.seen).toHaveLength(counts[200]!)
  })

  it('is refused beyond what all users of its tenant may do together', async () => {
    const refusals = []
    // None of them more than one user may.
    for (const id of ['ada', 'bob', 'cy', 'dee']) refusals.push((await flood(60, sendAs(id, 'small'))).refused)
    expect(refusals[0]).toBeUndefined()
    expect(refusals.at(-1)?.body).toMatchObject({ 'violated-policies': ['tenant'] })
    // And another tenant's are not.
    expect(await sendAs('ada', 'other')()).toMatchObject({ status: 200 })
  })

  it('may do more on a larger plan', async () => {
    const { counts, passed } = await flood(100, sendAs('ada', 'big'))
    expect(counts).toEqual({ 200: 100 })
    expect(passed?.headers.get('ratelimit-policy')).toBe('"user";q=300;w=60, "tenant";q=3000;w=60')
  })

  it('pays for what comes from the cache too, over all routes together', async () => {
    for (const path of ['/master-data/products/1', '/me', '/finance/it', '/nowhere'])
      await flood(15, sendAs('ada', 'small', path))
    const { refused } = await flood(60, sendAs('ada', 'small', '/master-data/products/1'))
    expect(refused).toBeDefined()
  })
})

describe('nobody', () => {
  const nobody =
    (headers: Record<string, string> = {}, to = () => gateway) =>
    () =>
      to().sendAnonymously('/master-data/countries', { headers })

  it('is counted by its address, and a token that is not believed does not change that', async () => {
    await flood(40, nobody())
    const { counts, refused } = await flood(80, nobody({ authorization: 'Bearer nonsense' }))
    expect(refused?.body).toMatchObject({ 'violated-policies': ['user'] })
    // The lookups are everybody's, with any token or none.
    expect(Object.keys(counts)).toEqual(['200', '429'])
    // Whoever is believed is not counted by it.
    expect(await sendAs('ada', 'small')()).toMatchObject({ status: 200 })
  })

  it('is who has opened the connection, whatever headers say', async () => {
    let address = 0
    const { refused } = await flood(90, () => nobody({ 'x-forwarded-for': `203.0.113.${++address}` })())
    expect(refused).toBeDefined()
  })

  it('is who a proxy says, where proxies are trusted; of IPv6 the network', async () => {
    const behind = await startGateway({ trustedProxies: 1 })
    try {
      const from = (address: string) => nobody({ 'x-forwarded-for': `198.51.100.1, ${address}` }, () => behind)
      expect((await flood(110, from('203.0.113.7'))).refused).toBeDefined()
      expect((await flood(5, from('203.0.113.8'))).counts).toEqual({ 200: 5 })
      let host = 0
      expect((await flood(110, () => from(`2001:db8::${(++host).toString(16)}`)())).refused).toBeDefined()
      expect((await flood(5, from('2001:db8:0:1::1'))).counts).toEqual({ 200: 5 })
    } finally {
      await behind.close()
    }
  })

  it('may always ask for the gateway’s health', async () => {
    const { counts } = await flood(80, () => gateway.sendAnonymously('/health'))
    expect(counts).toEqual({ 200: 80 })
  })
})

describe('on Redis', () => {
  let redis: RedisServer
  const replicas: TestGateway[] = []
  beforeEach(async () => {
    redis = await startRedis()
  })
  afterEach(async () => {
    for (const replica of replicas.splice(0)) await replica.close()
    await redis?.stop()
  })

  /** A token of which nobody knows whether it was revoked passes: what is looked at here is what comes after it. */
  const config = { plans: new Map(), revocations: { where: 'redis', whenUnknown: 'accept' } } as const
  const startReplicas = async (limits: RateLimitOptions = {}) => {
    for (let i = 0; i < 2; i++) replicas.push(await startGateway(config, patient(redis), limits))
  }
  let sent = 0
  const either = (id: string) => sendAs(id, 'small', '/finance/it', () => replicas[++sent % 2]!)

  it('replicas count together', async () => {
    await startReplicas({ timeout: '10s' })
    const { counts, seconds } = await flood(100, either('ada'))
    expectAbout(counts[200], 60, seconds)
    expect(counts[200]! + (counts[429] ?? 0)).toBe(100)
  })

  it('replicas decide by themselves while it is away, and fail nobody', async () => {
    await startReplicas()
    await flood(2, either('ada'))
    await redis.stop()
    const { counts } = await flood(200, either('bob'))
    expect(Object.keys(counts)).toEqual(['200', '429'])
    // Each its share of what a user may do, at least.
    expect(counts[200]).toBeGreaterThanOrEqual(60)
  })
})
