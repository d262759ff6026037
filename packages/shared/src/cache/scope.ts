import { InvalidKeyError } from '../kernel/errors.js'
import { assertKey, escapeGlob, MAX_KEY_BYTES } from '../kernel/key.js'
import { TenantKeyError } from './errors.js'
import { assertTenantId, idFault, type Tenancy } from './tenancy.js'

/**
 * What stands between the names that a caller gives and the names that are stored.
 *
 * A scope puts its segments behind the first one of a name:
 *
 *     tenant t           product:42 → product:t:42        settings → settings:t
 *     user u             product:42 → product::u:42       settings → settings::u
 *     user u of tenant t product:42 → product:t::u:42     settings → settings:t::u
 *
 * Why no two scopes share a stored name: an id is never empty and holds no `:`, so it is exactly one segment, and an empty segment is never an
 * id. A stored name whose second segment is not empty is that tenant's; the empty segment, second or behind the tenant, says that a user
 * follows. A tenant's scope refuses names of its own that begin with `first::`, for they would be its users'. The map back removes the same
 * text at the first `:`, so two names of one scope don't meet either.
 *
 * A glob keeps this because the inserted text is literal and stands before every wildcard: a first segment with a wildcard is refused.
 *
 * The root is above the scopes: it maps nothing, so handwritten `product:t:42` is the tenant's `product:42`, as the ERP writes it.
 */
export interface Scope {
  /** True: every key is stored under its own name, and none is refused for its tenant. */
  readonly isPlain: boolean
  /** The stored key. @throws InvalidKeyError, TenantKeyError */
  key(key: string): string
  /** The stored tag. @throws InvalidKeyError, TenantKeyError */
  tag(tag: string): string
  /** The stored glob. @throws InvalidKeyError, TenantKeyError */
  glob(glob: string): string
  /** The caller's key, of a key that this scope answered. */
  ownKey(stored: string): string
  /** The caller's tags: without hidden ones, and without those that the scope could not have written. */
  ownTags(stored: readonly string[]): string[]
  /** Hidden tags that every entry written through the scope carries beside the caller's: at most two. */
  readonly marks: readonly string[]
  /** The tags whose invalidation clears the scope; null: it is the whole prefix. @throws TenantKeyError the clear would reach other tenants */
  clears(): readonly string[] | null
  /** The tenant's scope; of a user's scope, that user's within the tenant. @throws TenantKeyError */
  tenant(tenantId: string): Scope
  /** The user's scope; of a tenant's scope, within it. The order of both makes no difference. @throws InvalidKeyError, TenantKeyError */
  user(userId: string): Scope
}

/** The scope of a cache itself. */
export function rootScope(tenancy: Tenancy): Scope {
  return new RootScope(tenancy)
}

/** Whether a stored tag is a scope's mark: it begins with a control character, which no caller's tag may hold. */
export function isMark(tag: string): boolean {
  return tag.startsWith(MARK)
}

const MARK = '\u0001'
const NONE: readonly string[] = Object.freeze([])

class RootScope implements Scope {
  readonly marks = NONE
  readonly isPlain: boolean

  constructor(private readonly tenancy: Tenancy) {
    this.isPlain = !tenancy.required
  }

  key(key: string): string {
    assertKey(key)
    if (this.tenancy.required) this.tenancy.assertHeld(key, 'key')
    return key
  }

  tag(tag: string): string {
    assertKey(tag, 'tag')
    if (this.tenancy.required) this.tenancy.assertHeld(tag, 'tag')
    return tag
  }

  glob(glob: string): string {
    assertKey(glob, 'pattern')
    if (this.tenancy.required) this.tenancy.assertGlobHeld(glob)
    return glob
  }

  ownKey(stored: string): string {
    return stored
  }

  ownTags(stored: readonly string[]): string[] {
    return stored.filter((tag) => !isMark(tag))
  }

  clears(): null {
    this.tenancy.assertMayReachAll('clear()')
    return null
  }

  tenant(tenantId: string): Scope {
    return new InnerScope(this.tenancy, checkedTenant(this.tenancy, tenantId), null)
  }

  user(userId: string): Scope {
    return new InnerScope(this.tenancy, null, checkedUser(userId))
  }
}

class InnerScope implements Scope {
  readonly isPlain = false
  readonly marks: readonly string[]
  private readonly inserted: string

  constructor(
    private readonly tenancy: Tenancy,
    private readonly tenantId: string | null,
    private readonly userId: string | null,
  ) {
    this.inserted = (tenantId === null ? '' : `:${tenantId}`) + (userId === null ? '' : `::${userId}`)
    const marks: string[] = []
    // Neither id holds a colon, so no two scopes have the same mark.
    if (tenantId !== null) marks.push(MARK + tenantId)
    if (userId !== null) marks.push(`${MARK}${tenantId ?? ''}:${userId}`)
    this.marks = Object.freeze(marks)
  }

  key(key: string): string {
    return this.map(key, 'key')
  }

  tag(tag: string): string {
    return this.map(tag, 'tag')
  }

  glob(glob: string): string {
    assertKey(glob, 'pattern')
    const { first, rest } = splitGlob(glob)
    if (this.tenantId !== null) this.tenancy.assertTurn(this.tenantId)
    else if (this.tenancy.required) this.tenancy.assertGlobHeld(glob)
    return fitting(escapeGlob(first) + this.inserted + rest, 'pattern')
  }

  ownKey(stored: string): string {
    return this.unmap(stored) ?? stored
  }

  ownTags(stored: readonly string[]): string[] {
    const own: string[] = []
    for (const tag of stored) {
      const name = isMark(tag) ? null : this.unmap(tag)
      if (name !== null) own.push(name)
    }
    return own
  }

  clears(): readonly string[] {
    if (this.tenantId !== null) this.tenancy.assertTurn(this.tenantId)
    else this.tenancy.assertMayReachAll("clear() of a user's scope outside of a tenant's")
    return this.marks.slice(-1)
  }

  tenant(tenantId: string): Scope {
    const checked = checkedTenant(this.tenancy, tenantId)
    if (this.tenantId !== null && this.tenantId !== checked)
      throw new TenantKeyError("forTenant() inside another tenant's scope; call it on the cache itself")
    return new InnerScope(this.tenancy, checked, this.userId)
  }

  user(userId: string): Scope {
    const checked = checkedUser(userId)
    if (this.userId !== null && this.userId !== checked)
      throw new InvalidKeyError("forUser() inside another user's scope; call it on the cache or on forTenant()")
    return new InnerScope(this.tenancy, this.tenantId, checked)
  }

  private map(name: string, what: string): string {
    assertKey(name, what)
    const end = name.indexOf(':')
    if (this.tenantId === null) {
      if (this.tenancy.required) this.tenancy.assertHeld(name, what)
    } else {
      this.tenancy.assertTurn(this.tenantId)
      if (this.userId === null && end !== -1 && name.startsWith('::', end))
        throw new InvalidKeyError(
          `the second segment of the ${what} is empty; inside forTenant() that is kept for forUser()`,
        )
    }
    const mapped = end === -1 ? name + this.inserted : name.slice(0, end) + this.inserted + name.slice(end)
    return fitting(mapped, what)
  }

  /** Null: not a name that {@link map} answers. */
  private unmap(stored: string): string | null {
    const at = stored.indexOf(':')
    if (at === -1 || !stored.startsWith(this.inserted, at)) return null
    const end = at + this.inserted.length
    if (end < stored.length && stored[end] !== ':') return null
    if (this.userId === null && this.tenantId !== null && stored.startsWith('::', end)) return null
    const name = stored.slice(0, at) + stored.slice(end)
    return name === '' ? null : name
  }
}

/**
 * The text of a glob's first segment, without escapes, and the glob from its `:` on. An escaped colon is a colon: it ends the segment too.
 * @throws TenantKeyError the segment has a wildcard
 */
function splitGlob(glob: string): { readonly first: string; readonly rest: string } {
  let first = ''
  for (let i = 0; i < glob.length; i++) {
    let char = glob[i]!
    if (char === '*' || char === '?' || char === '[')
      throw new TenantKeyError(
        'the first segment of the pattern has a wildcard, so it would reach past the scope; write that segment out, or use runGlobal() and the cache itself',
        { key: glob },
      )
    if (char === '\\' && i + 1 < glob.length) char = glob[++i]!
    if (char === ':') return { first, rest: glob.slice(i) }
    first += char
  }
  return { first, rest: '' }
}

function checkedTenant(tenancy: Tenancy, tenantId: string): string {
  assertTenantId(tenantId)
  tenancy.assertTurn(tenantId)
  return tenantId
}

function checkedUser(userId: string): string {
  const fault = idFault(userId)
  if (fault !== null) throw new InvalidKeyError(`a user id ${fault}`)
  return userId
}

/** Caller's name and ids are checked, so together only their length can be too much. */
function fitting(mapped: string, what: string): string {
  // A character has at most three bytes for each of its UTF-16 units.
  if (mapped.length * 3 > MAX_KEY_BYTES && Buffer.byteLength(mapped) > MAX_KEY_BYTES)
    throw new InvalidKeyError(
      `${what} and the ids of its scope have more than ${MAX_KEY_BYTES} bytes; shorten it or use a hash of its long part`,
    )
  return mapped
}
