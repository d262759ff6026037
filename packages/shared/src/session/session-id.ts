import { hash, randomBytes } from 'node:crypto'
import { sha256 } from '../kernel/key-part.js'
import type { SessionRef } from './session-store.js'

/**
 * Ids of sessions: 256 random bits, and behind them the home of the user, so that whoever has an id finds the session where its user's others are.
 * The home is 18 bits of a hash, and says nothing of the user.
 */
export function newSessionId(home: string, random: (bytes: number) => Buffer = randomBytes): string {
  return random(32).toString('base64url') + home
}

/** Where the session of an id is; undefined: no session has such an id. Only the hash of an id is ever stored. */
export function refOf(id: unknown): SessionRef | undefined {
  if (typeof id !== 'string' || !ID.test(id)) return undefined
  return { home: id.slice(-HOME_CHARS), hash: hash('sha256', id, 'base64url') }
}

/** The home of a user's sessions. */
export function homeOf(userId: string): string {
  return sha256(userId).slice(0, HOME_CHARS)
}

/** Where a session of any id is. An id of ours names its home; that of any other is made of its hash. */
export function placeOf(id: string): SessionRef {
  return refOf(id) ?? refOfHash(sha256(id))
}

function refOfHash(hashed: string): SessionRef {
  return { home: hashed.slice(0, HOME_CHARS), hash: hashed }
}

const HOME_CHARS = 3
const ID = /^[\w-]{46}$/
