import { type Environment, readServiceConfig, readVariables, type ServiceConfig, variable } from '@vextrus/service-kit'
import { z } from 'zod'
import type { WhenUnknown } from './auth/revocations.js'
import type { TokenOptions } from './auth/tokens.js'
import { isPlan, type PlanName, planNames } from './limits/plans.js'
import type { ServiceName } from './proxy/service-names.js'

/** Under it the configuration is injected. */
export const GATEWAY_CONFIG = Symbol('gateway configuration')

/** What the gateway needs to know before it starts. */
export interface GatewayConfig extends ServiceConfig {
  /** Where the services are. */
  readonly services: Readonly<Record<ServiceName, URL>>
  readonly tokens: TokenOptions
  readonly revocations: {
    /** In the Redis that is shared with the auth service; without one the auth service is asked. */
    readonly where: 'redis' | 'auth-service'
    /** What becomes of a token while neither answers. */
    readonly whenUnknown: WhenUnknown
  }
  /** Plans of tenants; one that is not named here is on the smallest. */
  readonly plans: ReadonlyMap<string, PlanName>
  /** Proxies before the gateway whose `X-Forwarded-For` is believed. 0: the sender is who has opened the connection. */
  readonly trustedProxies: number
  /** For how long nothing may move between the gateway and a service, in milliseconds. */
  readonly upstreamPatienceMs: number
  /** A request's body is refused beyond this. */
  readonly maxBodyBytes: number
}

const address = (fallback: string) =>
  variable
    .transform((value) => value ?? fallback)
    .pipe(
      z
        .url({ protocol: /^https?$/, error: 'must be an http or https URL' })
        .transform((value) => new URL(value))
        .refine(
          ({ search, hash, username }) => search + hash + username === '',
          'must be without user, query and fragment',
        ),
    )

const count = (fallback: number, least: number, most: number) =>
  variable.transform((value) => value ?? String(fallback)).pipe(z.coerce.number<string>().int().min(least).max(most))

/** `tenant=plan,tenant=plan`. */
const plans = variable.transform((value, context) => {
  const named = new Map<string, PlanName>()
  for (const pair of (value ?? '').split(',').filter((each) => each.trim() !== '')) {
    const [tenant = '', plan = '', ...more] = pair.split('=').map((part) => part.trim())
    if (tenant === '' || !isPlan(plan) || more.length > 0)
      context.addIssue(`must be tenant=plan,tenant=plan with the plans ${planNames.join(', ')}`)
    else named.set(tenant, plan)
  }
  return named
})

const environment = z.object({
  JWT_ISSUER: variable,
  JWT_AUDIENCE: variable,
  MASTER_DATA_URL: address('http://localhost:3000'),
  RULES_ENGINE_URL: address('http://localhost:3001'),
  FINANCE_URL: address('http://localhost:3002'),
  AUTH_URL: address('http://localhost:3004'),
  WORKFLOW_URL: address('http://localhost:3005'),
  REVOCATIONS_UNKNOWN: variable.transform((value) => value ?? 'refuse').pipe(z.enum(['refuse', 'accept'])),
  TENANT_PLANS: plans,
  TRUSTED_PROXIES: count(0, 0, 10),
  UPSTREAM_PATIENCE_MS: count(10_000, 10, 600_000),
  MAX_BODY_BYTES: count(1_048_576, 1, 1_073_741_824),
})

/** Reads the environment. Throws an error that names the variable, never its value. */
export function readGatewayConfig(env: Environment, defaultPort: number): GatewayConfig {
  const variables = readVariables(environment, env)
  const { AUTH_URL } = variables
  const config = readServiceConfig(env, defaultPort)
  return {
    ...config,
    services: {
      'master-data': variables.MASTER_DATA_URL,
      'rules-engine': variables.RULES_ENGINE_URL,
      finance: variables.FINANCE_URL,
      auth: AUTH_URL,
      workflow: variables.WORKFLOW_URL,
    },
    tokens: {
      keys: new URL(`${AUTH_URL.href.replace(/\/$/, '')}/.well-known/jwks.json`),
      issuer: variables.JWT_ISSUER ?? 'vextrus',
      audience: variables.JWT_AUDIENCE ?? 'vextrus-api',
    },
    revocations: {
      where: config.redis === undefined ? 'auth-service' : 'redis',
      whenUnknown: variables.REVOCATIONS_UNKNOWN,
    },
    plans: variables.TENANT_PLANS,
    trustedProxies: variables.TRUSTED_PROXIES,
    upstreamPatienceMs: variables.UPSTREAM_PATIENCE_MS,
    maxBodyBytes: variables.MAX_BODY_BYTES,
  }
}
