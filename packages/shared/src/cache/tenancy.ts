import { AsyncLocalStorage } from 'node:async_hooks'
import { ConfigurationError } from '../kernel/errors.js'
import { TenantKeyError } from './errors.js'

/** How a cache keeps tenants apart. */
export interface TenancyOptions {
  /** Refuses every key, glob and tag that does not hold the current tenant. @default false */
  readonly required?: boolean | undefined
  /** Who the current tenant is, outside `runAsTenant`: from the request's context, say. Undefined: there is none. */
  readonly resolve?: (() => string | undefined) | undefined
  /** First segments of keys, globs and tags that belong to no tenant, such as `currency`. @default [] */
  readonly global?: readonly string[] | undefined
}

/** Runs `fn`, and all that it awaits and starts, as this tenant. The innermost call wins, also over `tenancy.resolve`. @throws TenantKeyError */
export function runAsTenant<T>(tenantId: string, fn: () => T): T {
  assertTenantId(tenantId)
  return turns.run({ tenant: tenantId }, fn)
}

/** Runs `fn`, and all that it awaits and starts, above the tenants: no key needs one, and every one may be reached. The innermost call wins. */
export function runGlobal<T>(fn: () => T): T {
  return turns.run(GLOBAL, fn)
}

/** The tenant of the innermost `runAsTenant`; undefined outside of one and in `runGlobal`. */
export function currentTenant(): string | undefined {
  return turns.getStore()?.tenant
}

/**
 * Refuses what can't be a tenant: an empty id, more than 128 UTF-8 bytes, `: * ? [ ] \ { }`, control characters, half a surrogate pair.
 * The first would end the id's segment, the next five mean something in a glob, and braces choose a Cluster slot.
 * @throws TenantKeyError
 */
export function assertTenantId(tenantId: unknown): asserts tenantId is string {
  const fault = idFault(tenantId)
  if (fault !== null) throw new TenantKeyError(`a tenant id ${fault}`)
}

/** What keeps a text from being a segment of its own in a key; null: nothing does. */
export function idFault(id: unknown): string | null {
  if (typeof id !== 'string') return `must be a string, not ${id === null ? 'null' : typeof id}`
  if (id.length === 0) return 'is empty'
  if (id.length > MAX_ID_BYTES || Buffer.byteLength(id) > MAX_ID_BYTES) return `has at most ${MAX_ID_BYTES} bytes`
  if (FORBIDDEN.test(id)) return String.raw`may not hold : * ? [ ] \ { } or control characters`
  return null
}

/**
 * The rules of one cache about the current tenant. A check of a name that the caller wrote by hand is a guard against a forgotten tenant, not
 * a wall: it can't know which segment is meant as the tenant. The wall is `forTenant`.
 */
export class Tenancy {
  readonly required: boolean
  private readonly resolve: (() => string | undefined) | undefined
  private readonly global: ReadonlySet<string>

  /** @throws ConfigurationError */
  constructor(options: TenancyOptions = {}) {
    const { required = false, resolve, global = [] } = options
    if (typeof required !== 'boolean') throw new ConfigurationError('tenancy.required', 'must be true or false')
    if (resolve !== undefined && typeof resolve !== 'function')
      throw new ConfigurationError('tenancy.resolve', 'must be a function that answers the tenant id or undefined')
    if (!Array.isArray(global)) throw new ConfigurationError('tenancy.global', 'must be a list of first segments')
    for (const segment of global) {
      const fault = idFault(segment)
      if (fault !== null) throw new ConfigurationError('tenancy.global', `a first segment ${fault}`)
    }
    this.required = required
    this.resolve = resolve
    this.global = new Set(global)
  }

  /**
   * The tenant whose turn it is: of the innermost `runAsTenant`, else what `resolve` answers. Undefined: none, or in `runGlobal`.
   * @throws TenantKeyError `resolve` answered something that can't be a tenant
   */
  current(): string | undefined {
    const turn = turns.getStore()
    if (turn !== undefined) return turn.tenant
    const tenant: unknown = this.resolve?.()
    if (tenant === undefined) return undefined
    const fault = idFault(tenant)
    if (fault !== null) throw new TenantKeyError(`tenancy.resolve answered a tenant id that can't be one: it ${fault}`)
    return tenant as string
  }

  /** What stands before the hash in a key that a decorator makes from a method's arguments. */
  defaultKeyTenant(): string | undefined {
    return this.current()
  }

  /** Refuses a key or tag, written by hand, that does not hold the current tenant. @param what names the argument. @throws TenantKeyError */
  assertHeld(name: string, what: string): void {
    if (!this.guards || this.isGlobal(firstSegment(name))) return
    if (!holds(name, this.demand(what, name))) throw lacking(what, name)
  }

  /**
   * The same for a glob. Only what stands before its first wildcard counts, and of that whole segments: `product:*:t1` also matches
   * `product:t2:t1`, and `product:t1*` also matches `product:t10`.
   * @throws TenantKeyError
   */
  assertGlobHeld(glob: string): void {
    if (!this.guards) return
    const { text, open } = literalHead(glob)
    const end = open ? text.lastIndexOf(':') : text.length
    const whole = end === -1 ? '' : text.slice(0, end)
    if (end !== -1 && this.isGlobal(firstSegment(whole))) return
    const tenant = this.demand('pattern', glob)
    if (end === -1 || !holds(whole, tenant)) {
      throw new TenantKeyError(
        'the pattern must hold the current tenant as a whole segment before its first wildcard; use forTenant(), or runGlobal() for all tenants',
        { key: glob },
      )
    }
  }

  /** Refuses work inside a tenant's scope while it is another tenant's turn. Nobody's turn is fine: the scope names its tenant. @throws TenantKeyError */
  assertTurn(tenant: string): void {
    if (!this.guards) return
    const current = this.current()
    if (current !== undefined && current !== tenant)
      throw new TenantKeyError(
        "forTenant() while it is another tenant's turn; what serves several tenants runs in runGlobal()",
      )
  }

  /** Refuses what reaches all tenants. @param what names the call. @throws TenantKeyError */
  assertMayReachAll(what: string): void {
    if (this.guards)
      throw new TenantKeyError(`${what} reaches every tenant; call it inside runGlobal(), or use forTenant() for one`)
  }

  private get guards(): boolean {
    return this.required && turns.getStore() !== GLOBAL
  }

  private isGlobal(segment: string): boolean {
    return this.global.size > 0 && this.global.has(segment)
  }

  private demand(what: string, name: string): string {
    const tenant = this.current()
    if (tenant !== undefined) return tenant
    throw new TenantKeyError(
      `the ${what} needs a tenant and none is current; use forTenant(), runAsTenant() or tenancy.resolve, list its first segment in tenancy.global, or call inside runGlobal()`,
      { key: name },
    )
  }
}

/**
 * The text that a glob begins with, whatever it matches, without its escapes. `open`: a wildcard follows, so the last segment may go on.
 * As in Redis, `\` makes the next character plain, and one at the very end stands for itself.
 */
function literalHead(glob: string): { readonly text: string; readonly open: boolean } {
  let text = ''
  for (let i = 0; i < glob.length; i++) {
    const char = glob[i]!
    if (char === '*' || char === '?' || char === '[') return { text, open: true }
    text += char === '\\' && i + 1 < glob.length ? glob[++i]! : char
  }
  return { text, open: false }
}

/** Whose turn it is. */
interface Turn {
  readonly tenant: string | undefined
}

const MAX_ID_BYTES = 128
const FORBIDDEN = /[:*?[\]\\{}\p{Cc}\p{Cs}]/u
const GLOBAL: Turn = Object.freeze({ tenant: undefined })

/** One for all caches of the process, and idle until `runAsTenant` or `runGlobal` is first called: on Node 20 and 22 one in use costs each promise a step. */
const turns = new AsyncLocalStorage<Turn>()

function firstSegment(name: string): string {
  const end = name.indexOf(':')
  return end === -1 ? name : name.slice(0, end)
}

/** Whether `tenant` is one of the segments of `name`. */
function holds(name: string, tenant: string): boolean {
  for (let at = name.indexOf(tenant); at !== -1; at = name.indexOf(tenant, at + 1)) {
    const end = at + tenant.length
    if ((at === 0 || name[at - 1] === ':') && (end === name.length || name[end] === ':')) return true
  }
  return false
}

function lacking(what: string, name: string): TenantKeyError {
  return new TenantKeyError(
    `the ${what} must hold the current tenant as a whole segment; use forTenant(), list its first segment in tenancy.global, or call inside runGlobal()`,
    { key: name },
  )
}
