import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { globMatcher } from '../kernel/glob.js'
import { rootScope, type Scope } from './scope.js'
import { Tenancy } from './tenancy.js'

/** Who a scope belongs to. */
interface Owner {
  readonly tenant: string | null
  readonly user: string | null
}

// Few letters, and names that are made of ids, colons and what globs are made of: so most runs try to meet another scope's names.
const id = fc.oneof(
  fc.constantFrom('t', 'u', 'tu', 'a', '-', '#g', 'é'),
  fc.string({ minLength: 1, maxLength: 2 }).filter(isId),
)
const owner: fc.Arbitrary<Owner> = fc
  .record({ tenant: fc.option(id), user: fc.option(id) })
  .filter(({ tenant, user }) => tenant !== null || user !== null)
const piece = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(':', ':', ':', 't', 'u', 'tu', 'a', '-', 'é', '#g') },
  { weight: 2, arbitrary: fc.constantFrom('*', '?', '[', ']', '\\', '[:]', '\\:', '[^a]', '**', '{t}') },
  { weight: 1, arbitrary: fc.string({ minLength: 1, maxLength: 2 }) },
)
const name = fc.array(piece, { minLength: 1, maxLength: 8 }).map((pieces) => pieces.join(''))
const mark = fc
  .tuple(id, fc.option(id))
  .map(([first, second]) => `\u0001${first}${second === null ? '' : `:${second}`}`)
const tag = fc.oneof({ weight: 9, arbitrary: name }, { weight: 1, arbitrary: mark })

/** A glob and a name that it often matches, for it is made of the same pieces. */
const globAndKey = fc
  .array(fc.tuple(piece, fc.constantFrom('same', 'same', 'same', 'escaped', '*', '?', '[^x]', 'other'), piece), {
    minLength: 1,
    maxLength: 6,
  })
  .map((pieces): readonly [glob: string, key: string] => {
    const glob = pieces.map(([text, how, other]) =>
      how === 'same' ? text : how === 'escaped' ? `\\${text}` : how === 'other' ? other : how,
    )
    return [glob.join(''), pieces.map(([text]) => text).join('')]
  })

const runs = { numRuns: 5_000 }

describe('whatever the ids and names', () => {
  it('no two scopes share a stored name, and no two names of a scope', () => {
    fc.assert(
      fc.property(owner, owner, name, name, (one, other, first, second) => {
        for (const kind of ['key', 'tag'] as const) {
          const stored = accepted(() => scopeOf(one)[kind](first))
          const storedToo = accepted(() => scopeOf(other)[kind](second))
          if (stored === null || stored !== storedToo) continue
          expect([other, second]).toEqual([one, first])
        }
      }),
      runs,
    )
  })

  it('a stored name written as a key of another scope leads elsewhere', () => {
    fc.assert(
      fc.property(owner, owner, name, (one, other, key) => {
        const stored = accepted(() => scopeOf(one).key(key))
        fc.pre(stored !== null && !same(one, other))
        // All ways to cut the text that the other scope inserts out of the stored name: the only names that it could map to it.
        const inserted = accepted(() => scopeOf(other).key('x'))!.slice(1)
        for (let at = stored!.indexOf(inserted); at !== -1; at = stored!.indexOf(inserted, at + 1)) {
          const forged = stored!.slice(0, at) + stored!.slice(at + inserted.length)
          expect(accepted(() => scopeOf(other).key(forged))).not.toBe(stored)
        }
      }),
      runs,
    )
  })

  it('a name comes back as it was', () => {
    fc.assert(
      fc.property(owner, name, tag, (one, key, label) => {
        const scope = scopeOf(one)
        const stored = accepted(() => scope.key(key))
        if (stored !== null) expect(scope.ownKey(stored)).toBe(key)
        const storedTag = accepted(() => scope.tag(label))
        if (storedTag !== null) expect(scope.ownTags([...scope.marks, storedTag])).toEqual([label])
      }),
      runs,
    )
  })

  it('a glob means inside a scope what it means outside', () => {
    let matched = 0
    fc.assert(
      fc.property(owner, globAndKey, (one, [glob, key]) => {
        const mapped = accepted(() => scopeOf(one).glob(glob))
        const stored = accepted(() => scopeOf(one).key(key))
        fc.pre(mapped !== null && stored !== null)
        const matches = globMatcher(mapped!)(stored!)
        expect(matches).toBe(globMatcher(glob)(key))
        if (matches) matched++
      }),
      runs,
    )
    expect(matched).toBeGreaterThan(1_000)
  })

  it('nothing that is done through a scope takes entries of another, but of users of its tenant', () => {
    const some = fc.nat({ max: 5 })
    const operation = fc.record({
      kind: fc.constantFrom('set', 'set', 'set', 'tag', 'glob', 'delete', 'clear'),
      by: some,
      name: some,
      tags: fc.array(some, { minLength: 1, maxLength: 2 }),
    })
    const world = fc.record({
      owners: fc.array(owner, { minLength: 6, maxLength: 6 }),
      names: fc.array(globAndKey, { minLength: 6, maxLength: 6 }),
      tags: fc.array(tag, { minLength: 6, maxLength: 6 }),
      operations: fc.array(operation, { minLength: 20, maxLength: 60 }),
    })
    let taken = 0
    fc.assert(
      fc.property(world, ({ owners, names, tags, operations }) => {
        const entries = new Map<string, { readonly of: Owner; readonly tags: readonly string[] }>()
        for (const { kind, by: byIndex, name: nameIndex, tags: tagIndexes } of operations) {
          const by = owners[byIndex]!
          const [globText, keyText] = names[nameIndex]!
          const scope = scopeOf(by)
          const key = accepted(() => scope.key(keyText))
          const stored = tagIndexes.flatMap((index) => accepted(() => scope.tag(tags[index]!)) ?? [])
          if (kind === 'set') {
            if (key === null) continue
            const before = entries.get(key)
            if (before !== undefined) expect(before.of).toEqual(by)
            entries.set(key, { of: by, tags: [...stored, ...scope.marks] })
            continue
          }
          const glob = accepted(() => scope.glob(globText))
          const matches = glob === null ? () => false : globMatcher(glob)
          const bumped = kind === 'clear' ? scope.clears()! : kind === 'tag' ? stored : []
          for (const [at, entry] of entries) {
            const goes =
              kind === 'glob'
                ? matches(at)
                : kind === 'delete'
                  ? at === key
                  : entry.tags.some((label) => bumped.includes(label))
            if (goes) {
              taken++
              expect(reaches(by, entry.of)).toBe(true)
              entries.delete(at)
            } else if (kind === 'clear') {
              expect(reaches(by, entry.of)).toBe(false)
            }
          }
        }
      }),
      { numRuns: 500 },
    )
    // Else the test above looked at nothing.
    expect(taken).toBeGreaterThan(300)
  })
})

describe('whatever is required of handwritten names', () => {
  it('a glob that is let through matches only names that hold the tenant', () => {
    const tenancy = new Tenancy({ required: true, resolve: () => 't', global: ['a'] })
    const scope = rootScope(tenancy)
    let matched = 0
    fc.assert(
      fc.property(globAndKey, ([glob, key]) => {
        const mapped = accepted(() => scope.glob(glob))
        if (mapped === null) return
        expect(mapped).toBe(glob)
        if (!globMatcher(glob)(key)) return
        matched++
        expect(accepted(() => scope.key(key))).toBe(key)
      }),
      { numRuns: 10_000 },
    )
    expect(matched).toBeGreaterThan(100)
  })
})

function scopeOf({ tenant, user }: Owner): Scope {
  const root = rootScope(new Tenancy())
  const outer = tenant === null ? root : root.tenant(tenant)
  return user === null ? outer : outer.user(user)
}

function same(one: Owner, other: Owner): boolean {
  return one.tenant === other.tenant && one.user === other.user
}

/** A tenant's scope holds its users'. */
function reaches(by: Owner, of: Owner): boolean {
  return by.tenant === of.tenant && (by.user === of.user || (by.user === null && by.tenant !== null))
}

/** Null: the scope refused it. */
function accepted(map: () => string): string | null {
  try {
    return map()
  } catch (error) {
    expect(['TENANT_KEY', 'INVALID_KEY']).toContain((error as { code?: unknown }).code)
    return null
  }
}

function isId(text: string): boolean {
  return !/[:*?[\]\\{}\p{Cc}\p{Cs}]/u.test(text)
}
