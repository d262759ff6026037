import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto'
import { type Environment, readServiceConfig, readVariables, type ServiceConfig, variable } from '@vextrus/service-kit'
import { z } from 'zod'
import { SCRYPT_COST, type ScryptCost } from './users/passwords.js'

/** Under it the configuration is injected. */
export const AUTH_CONFIG = Symbol('auth configuration')

/** What the service needs to know before it starts. */
export interface AuthConfig extends ServiceConfig {
  readonly tokens: TokenOptions
  readonly keys: KeyConfig
  /** People whom everybody knows are among those of a new database, and a key is made where none is given. */
  readonly isDevelopment: boolean
  /** What passwords cost that are stored from now on. */
  readonly passwordCost: ScryptCost
  readonly attempts: AttemptLimits
  /** Proxies before the service whose `X-Forwarded-For` is believed. 1: the gateway. */
  readonly trustedProxies: number
}

/** Who signs the tokens, and for whom. */
export interface TokenOptions {
  readonly issuer: string
  /** Of access tokens: whoever else is behind the gateway. */
  readonly audience: string
}

/** Ed25519. */
export interface KeyConfig {
  /** Signs. Undefined: one is made, and is gone with the process. */
  readonly signing?: KeyObject
  /** Public keys that signed before: what they have signed is still believed. */
  readonly earlier: readonly KeyObject[]
}

/** Log-ins that may fail in a quarter of an hour; right ones are not counted. */
export interface AttemptLimits {
  /** Of one user name of a tenant, wherever from. */
  readonly ofUser: number
  /** From one address, for all users of all tenants. */
  readonly fromAddress: number
}

export const ATTEMPT_LIMITS: AttemptLimits = { ofUser: 10, fromAddress: 50 }

const KEY_FORM = 'must be an Ed25519 private key in PEM: openssl genpkey -algorithm ed25519'

const signingKey = variable.transform((pem, context) => {
  if (pem === undefined) return undefined
  const key = keyOf(() => createPrivateKey(pem))
  if (key === undefined) context.addIssue(KEY_FORM)
  return key
})

/** One after the other; private ones are taken for their public halves. */
const earlierKeys = variable.transform((text = '', context) => {
  const pems = text.match(/-----BEGIN [^-]+-----[^-]+-----END [^-]+-----/g) ?? []
  const keys = pems.flatMap((pem) => keyOf(() => createPublicKey(pem)) ?? [])
  if (keys.length < pems.length || (pems.length === 0 && text !== '')) {
    context.addIssue('must be Ed25519 public keys in PEM, one after the other')
  }
  return keys
})

const environment = z.object({
  NODE_ENV: variable,
  JWT_SIGNING_KEY: signingKey,
  JWT_EARLIER_KEYS: earlierKeys,
  JWT_ISSUER: variable,
  JWT_AUDIENCE: variable,
  TRUSTED_PROXIES: variable.transform((value) => value ?? '1').pipe(z.coerce.number<string>().int().min(0).max(10)),
})

/** Reads the environment. Throws an error that names the variable, never its value. */
export function readAuthConfig(env: Environment, defaultPort: number): AuthConfig {
  const variables = readVariables(environment, env)
  const { JWT_SIGNING_KEY: signing } = variables
  const isDevelopment = variables.NODE_ENV !== 'production'
  if (signing === undefined && !isDevelopment)
    throw new Error(`JWT_SIGNING_KEY: ${KEY_FORM}; production has no default`)
  return {
    ...readServiceConfig(env, defaultPort),
    tokens: { issuer: variables.JWT_ISSUER ?? 'vextrus', audience: variables.JWT_AUDIENCE ?? 'vextrus-api' },
    keys: { ...(signing === undefined ? {} : { signing }), earlier: variables.JWT_EARLIER_KEYS },
    isDevelopment,
    passwordCost: SCRYPT_COST,
    attempts: ATTEMPT_LIMITS,
    trustedProxies: variables.TRUSTED_PROXIES,
  }
}

function keyOf(read: () => KeyObject): KeyObject | undefined {
  try {
    const key = read()
    return key.asymmetricKeyType === 'ed25519' ? key : undefined
  } catch {
    // What Node says of it may hold a part of it.
    return undefined
  }
}
