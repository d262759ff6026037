import { describe, expect, it } from 'vitest'
import { readGatewayConfig } from './config.js'

const read = (env: Record<string, string>) => readGatewayConfig(env, 3003)

describe('the environment', () => {
  it('may be empty: the services of `npm start`', () => {
    const config = read({ NODE_ENV: '', TENANT_PLANS: '', AUTH_URL: '' })
    expect(config).toEqual({
      port: 3003,
      databasePool: 10,
      services: {
        'master-data': new URL('http://localhost:3000'),
        'rules-engine': new URL('http://localhost:3001'),
        finance: new URL('http://localhost:3002'),
        auth: new URL('http://localhost:3004'),
        workflow: new URL('http://localhost:3005'),
      },
      tokens: {
        keys: new URL('http://localhost:3004/.well-known/jwks.json'),
        issuer: 'vextrus',
        audience: 'vextrus-api',
      },
      revocations: { where: 'auth-service', whenUnknown: 'refuse' },
      plans: new Map(),
      trustedProxies: 0,
      upstreamPatienceMs: 10_000,
      maxBodyBytes: 1_048_576,
    })
  })

  it('says where the services are, who signs, and what tenants have booked', () => {
    const config = read({
      FINANCE_URL: 'https://finance.internal:8443/base/',
      AUTH_URL: 'https://auth.internal/base/',
      REDIS_URL: 'redis://redis.internal',
      REVOCATIONS_UNKNOWN: 'accept',
      JWT_ISSUER: 'auth',
      JWT_AUDIENCE: 'erp',
      TENANT_PLANS: 'a=standard, b=enterprise',
      TRUSTED_PROXIES: '1',
    })
    expect(config).toMatchObject({
      tokens: {
        keys: new URL('https://auth.internal/base/.well-known/jwks.json'),
        issuer: 'auth',
        audience: 'erp',
      },
      revocations: { where: 'redis', whenUnknown: 'accept' },
      trustedProxies: 1,
    })
    expect(config.services.finance.href).toBe('https://finance.internal:8443/base/')
    expect([...config.plans]).toEqual([
      ['a', 'standard'],
      ['b', 'enterprise'],
    ])
  })

  it.each<[string, string]>([
    ['AUTH_URL', 'secret'],
    ['REVOCATIONS_UNKNOWN', 'secret'],
    ['FINANCE_URL', 'finance:secret'],
    ['FINANCE_URL', 'file:///secret'],
    ['FINANCE_URL', 'http://secret:password@finance'],
    ['FINANCE_URL', 'http://finance/?secret=1'],
    ['TENANT_PLANS', 'secret=golden'],
    ['TENANT_PLANS', 'secret'],
    ['TENANT_PLANS', 'secret=constructor'],
    ['TRUSTED_PROXIES', '-1'],
    ['MAX_BODY_BYTES', '0'],
    ['UPSTREAM_PATIENCE_MS', '1.5'],
  ])('with a %s that can’t be used is refused by that name, and without the value', (name, value) => {
    expect(() => read({ [name]: value })).toThrowError(new RegExp(`^${name}: (?!.*secret)`))
  })
})
