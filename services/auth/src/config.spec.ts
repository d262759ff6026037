import { generateKeyPairSync } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { ATTEMPT_LIMITS, readAuthConfig } from './config.js'
import { SCRYPT_COST } from './users/passwords.js'

const { privateKey, publicKey } = generateKeyPairSync('ed25519')
const PRIVATE = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
const PUBLIC = publicKey.export({ type: 'spki', format: 'pem' }).toString()
const read = (env: Record<string, string>) => readAuthConfig(env, 3004)

describe('the environment', () => {
  it('may be empty in development: a key is made, and people of the demonstration are there', () => {
    expect(read({ NODE_ENV: '', JWT_SIGNING_KEY: '', JWT_EARLIER_KEYS: '' })).toEqual({
      ...{ port: 3004, databasePool: 10, trustedProxies: 1 },
      tokens: { issuer: 'vextrus', audience: 'vextrus-api' },
      keys: { earlier: [] },
      isDevelopment: true,
      passwordCost: SCRYPT_COST,
      attempts: ATTEMPT_LIMITS,
    })
  })

  it('says who signs, by which key and which before, and for whom', () => {
    const { keys, tokens, isDevelopment } = read({
      NODE_ENV: 'production',
      JWT_SIGNING_KEY: PRIVATE,
      JWT_EARLIER_KEYS: `${PUBLIC}\n${PRIVATE}`,
      JWT_ISSUER: 'https://auth.example',
      JWT_AUDIENCE: 'erp',
    })
    expect(keys.signing?.equals(privateKey)).toBe(true)
    // Of one that is private the public half, so that none is published.
    expect(keys.earlier.map((key) => [key.type, key.equals(publicKey)])).toEqual([
      ['public', true],
      ['public', true],
    ])
    expect({ tokens, isDevelopment }).toEqual({
      tokens: { issuer: 'https://auth.example', audience: 'erp' },
      isDevelopment: false,
    })
  })

  it('of production has a key of its own', () => {
    expect(() => read({ NODE_ENV: 'production' })).toThrowError(/^JWT_SIGNING_KEY: .*production has no default$/)
  })

  it.each<[string, string]>([
    ['JWT_SIGNING_KEY', 'secret'],
    ['JWT_SIGNING_KEY', PUBLIC],
    [
      'JWT_SIGNING_KEY',
      generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    ],
    ['JWT_EARLIER_KEYS', 'secret'],
    ['JWT_EARLIER_KEYS', PUBLIC.replace(/^MC/m, 'secret')],
    ['TRUSTED_PROXIES', '-1'],
  ])('with a %s that can’t be used is refused by that name, and without the value', (name, value) => {
    expect(() => read({ [name]: value })).toThrowError(new RegExp(`^${name}: (?!.*(secret|MC))`))
  })
})
