import { createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { calculateJwkThumbprint, createLocalJWKSet, exportJWK, type JSONWebKeySet, type JWTVerifyGetKey } from 'jose'
import type { KeyConfig } from '../config.js'

/** The one algorithm: Ed25519 (RFC 8037). */
export const ALGORITHM = 'EdDSA'

/** The key that signs, and the public ones that tokens are believed by. Each is named by its thumbprint (RFC 7638), so a new key has a new name. */
export class SigningKeys {
  private constructor(
    readonly signing: KeyObject,
    /** The name of the one that signs: `kid` of tokens. */
    readonly kid: string,
    /** Public halves: for `GET /.well-known/jwks.json`. */
    readonly published: JSONWebKeySet,
  ) {
    this.verifying = createLocalJWKSet(published)
  }

  /** For jose: the key that a token names. */
  readonly verifying: JWTVerifyGetKey

  static async from({ signing = newKey(), earlier }: KeyConfig): Promise<SigningKeys> {
    const keys = await Promise.all([signing, ...earlier].map(published))
    const [own] = keys
    const byName = new Map(keys.map((key) => [key.kid, key]))
    return new SigningKeys(signing, own!.kid, { keys: [...byName.values()] })
  }
}

function newKey(): KeyObject {
  return generateKeyPairSync('ed25519').privateKey
}

/** Of a private key its public half. */
async function published(key: KeyObject) {
  const jwk = await exportJWK(key.type === 'private' ? createPublicKey(key) : key)
  return { ...jwk, kid: await calculateJwkThumbprint(jwk), alg: ALGORITHM, use: 'sig' }
}
