import { generateKeyPairSync } from 'node:crypto'
import { type DatabaseConfig, type RedisConfig, startService } from '@vextrus/service-kit'
import { MemoryHub } from '@vextrus/shared/cache'
import type { JwtOptions } from '@vextrus/shared/jwt'
import { DataSource } from 'typeorm'
import type { GatewayConfig } from '../../../api-gateway/src/config.js'
import { serviceNames } from '../../../api-gateway/src/proxy/service-names.js'
import { apiGateway } from '../../../api-gateway/src/service.js'
import { TestUpstream } from '../../../api-gateway/test/support/test-upstream.js'
import type { AuthConfig } from '../../src/config.js'
import { auth as authService } from '../../src/service.js'

export { until } from '../../../service-kit/test/support/test-service.js'

/** The same for all replicas, as in production. */
const signing = generateKeyPairSync('ed25519').privateKey

/** On a busy machine Redis may be late; what is counted without it is not what these tests are about. */
const PATIENT = { timeout: 5_000 }

/** Where the services of a test keep their data: a Redis, or a memory that they share. */
export interface Place {
  readonly database: DatabaseConfig
  readonly redis?: RedisConfig
  readonly hub?: MemoryHub
}

/** What a test wants otherwise. */
interface Changes extends Partial<AuthConfig> {
  readonly jwt?: JwtOptions
}

/** One replica of the auth service. Passwords are cheap: what is looked at is not how long they take. */
export async function startAuth({ database, redis, hub }: Place, { jwt, ...change }: Changes = {}) {
  const config: AuthConfig = {
    ...{ port: 0, databaseUrl: database.url, databasePool: database.poolSize },
    tokens: { issuer: 'vextrus', audience: 'vextrus-api' },
    keys: { signing, earlier: [] },
    isDevelopment: true,
    passwordCost: { ln: 4, r: 8, p: 1 },
    attempts: { ofUser: 5, fromAddress: 12 },
    trustedProxies: 1,
    ...(redis && { redis }),
    ...change,
  }
  const definition = authService.definitionOf(config)
  const cache = {
    ...{ ...definition.cache, jwt: { ...definition.cache?.jwt, ...jwt } },
    rateLimit: { ...definition.cache?.rateLimit, ...PATIENT },
    ...(hub && { memory: hub }),
  }
  const service = await startService({ ...definition, cache }, config)
  return {
    ...clientOf(service.url),
    url: service.url,
    query: <Row>(sql: string, ...parameters: unknown[]): Promise<Row[]> =>
      service.app.get(DataSource).query(sql, parameters),
    close: () => service.close(),
  }
}

export type TestAuth = Awaited<ReturnType<typeof startAuth>>

/** A gateway before it, and before one server that stands for all other services. */
export async function startGateway({ url }: TestAuth, { redis, hub }: Place) {
  const upstream = await TestUpstream.start()
  const elsewhere = Object.fromEntries(serviceNames.map((name) => [name, upstream.url])) as GatewayConfig['services']
  const config: GatewayConfig = {
    ...{ port: 0, databasePool: 1, trustedProxies: 1, upstreamPatienceMs: 30_000, maxBodyBytes: 65_536 },
    services: { ...elsewhere, auth: new URL(url) },
    tokens: { keys: new URL(`${url}/.well-known/jwks.json`), issuer: 'vextrus', audience: 'vextrus-api' },
    revocations: { where: 'redis', whenUnknown: 'refuse' },
    plans: new Map(['aurora-hardware', 'elbe-elektronik'].map((tenant) => [tenant, 'enterprise'])),
    ...(redis && { redis }),
  }
  const definition = apiGateway.definitionOf(config)
  const cache = {
    ...definition.cache,
    rateLimit: { ...definition.cache?.rateLimit, ...PATIENT },
    ...(hub && { memory: hub }),
  }
  const service = await startService({ ...definition, cache }, config)
  return {
    ...clientOf(service.url),
    upstream,
    async close() {
      await service.close()
      await upstream.stop()
    },
  }
}

export type TestGateway = Awaited<ReturnType<typeof startGateway>>

/** What a request carries. */
export interface Request {
  readonly token?: string
  readonly body?: object
  readonly userAgent?: string
  /** The address that the request is from, as the proxy before says. */
  readonly from?: string
}

function clientOf(url: string) {
  const send = async (method: string, path: string, { token, body, userAgent, from }: Request = {}) => {
    const response = await fetch(`${url}${path}`, {
      method,
      headers: {
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(userAgent === undefined ? {} : { 'user-agent': userAgent }),
        ...(from === undefined ? {} : { 'x-forwarded-for': from }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const text = await response.text()
    return {
      status: response.status,
      headers: response.headers,
      body: (text === '' ? undefined : JSON.parse(text)) as any,
    }
  }
  return {
    get: (path: string, request?: Request) => send('GET', path, request),
    post: (path: string, request?: Request) => send('POST', path, request),
    delete: (path: string, request?: Request) => send('DELETE', path, request),
  }
}

/** What a token says, whoever signed it. */
export const claimsOf = (token: string) =>
  JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as Record<string, any>
