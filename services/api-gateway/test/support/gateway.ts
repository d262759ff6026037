import { type RedisConfig, startService } from '@vextrus/service-kit'
import type { RateLimitOptions } from '@vextrus/shared/rate-limit'
import type { GatewayConfig } from '../../src/config.js'
import { apiGateway } from '../../src/service.js'
import { issuer, tokenOptions } from './signing.js'
import { TestUpstream } from './test-upstream.js'

export { until } from '../../../service-kit/test/support/test-service.js'

export const TENANT = 'aurora-hardware'
export const OTHER = 'elbe-elektronik'

/** The header of a caller. */
export async function bearer(id = 'ada', tenantId = TENANT): Promise<Record<string, string>> {
  const name = JSON.stringify([id, tenantId])
  let token = known.get(name)
  if (token === undefined) known.set(name, (token = issuer.tokenOf({ id, tenantId, roles: ['clerk'] })))
  return { authorization: `Bearer ${await token}` }
}
const known = new Map<string, Promise<string>>()

/** What `fetch` takes, with headers that can be added to. */
export type Init = Omit<RequestInit, 'headers'> & { readonly headers?: Record<string, string> }

/** A gateway on the memory driver, or on Redis, before one server that stands for all services. */
export async function startGateway(
  change: Partial<GatewayConfig> = {},
  redis?: RedisConfig,
  limits: RateLimitOptions = {},
) {
  const upstream = await TestUpstream.start()
  const config: GatewayConfig = {
    port: 0,
    databasePool: 1,
    services: {
      'master-data': upstream.url,
      'rules-engine': upstream.url,
      finance: upstream.url,
      auth: upstream.url,
      workflow: upstream.url,
    },
    tokens: tokenOptions,
    revocations: { where: 'redis', whenUnknown: 'refuse' },
    // Enough for all that a test sends.
    plans: new Map([TENANT, OTHER, 'a', 'a-b', 'b'].map((tenant) => [tenant, 'enterprise'])),
    trustedProxies: 0,
    upstreamPatienceMs: 10_000,
    maxBodyBytes: 65_536,
    ...(redis && { redis }),
    ...change,
  }
  const definition = apiGateway.definitionOf(config)
  const rateLimit = { ...definition.cache?.rateLimit, ...limits }
  const service = await startService({ ...definition, cache: { ...definition.cache, rateLimit } }, config)
  /** As a caller with a token, unless headers say otherwise. */
  const send = async (path: string, init: Init = {}) => {
    const response = await fetch(`${service.url}${path}`, {
      redirect: 'manual',
      ...init,
      headers: { ...(await bearer()), ...init.headers },
    })
    return answerOf(response)
  }
  return {
    upstream,
    url: service.url,
    app: service.app,
    send,
    /** Without a token. */
    sendAnonymously: async (path: string, init: RequestInit = {}) =>
      answerOf(await fetch(`${service.url}${path}`, { redirect: 'manual', ...init })),
    async close() {
      await service.close()
      await upstream.stop()
    },
  }
}

export type TestGateway = Awaited<ReturnType<typeof startGateway>>

async function answerOf(response: Response) {
  const text = await response.text()
  const isJson = /json/.test(response.headers.get('content-type') ?? '')
  return {
    status: response.status,
    headers: response.headers,
    cache: response.headers.get('x-cache'),
    text,
    body: (isJson && text !== '' ? JSON.parse(text) : undefined) as any,
  }
}
