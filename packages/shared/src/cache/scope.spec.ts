import { describe, expect, it } from 'vitest'
import { rootScope, type Scope } from './scope.js'
import { runAsTenant, runGlobal, Tenancy, type TenancyOptions } from './tenancy.js'

const root = (options?: TenancyOptions): Scope => rootScope(new Tenancy(options))
const tenantKey = expect.objectContaining({ code: 'TENANT_KEY' })
const invalidKey = expect.objectContaining({ code: 'INVALID_KEY' })

describe('the names of a scope', () => {
  it.each([
    ['product:42', 'product:t:42', 'product::u:42', 'product:t::u:42'],
    ['settings', 'settings:t', 'settings::u', 'settings:t::u'],
    ['settings:', 'settings:t:', 'settings::u:', 'settings:t::u:'],
    [':x', ':t:x', '::u:x', ':t::u:x'],
    ['a:b:c', 'a:t:b:c', 'a::u:b:c', 'a:t::u:b:c'],
    ['ürün:ğ', 'ürün:t:ğ', 'ürün::u:ğ', 'ürün:t::u:ğ'],
    ['{a}:*', '{a}:t:*', '{a}::u:*', '{a}:t::u:*'],
  ])('of %j are %j for a tenant, %j for a user, %j for a user of a tenant', (key, tenant, user, both) => {
    const scopes = [root().tenant('t'), root().user('u'), root().tenant('t').user('u'), root().user('u').tenant('t')]
    expect(scopes.map((scope) => scope.key(key))).toEqual([tenant, user, both, both])
    expect(scopes.map((scope) => scope.tag(key))).toEqual([tenant, user, both, both])
    for (const scope of scopes) expect(scope.ownKey(scope.key(key))).toBe(key)
    expect([root().key(key), root().tag(key), root().ownKey(key)]).toEqual([key, key, key])
  })

  it.each([
    ['product:*', 'product:t:*'],
    ['settings', 'settings:t'],
    ['product:[ab]?', 'product:t:[ab]?'],
    ['product\\:*', 'product:t:*'],
    ['a\\*b:*', 'a\\*b:t:*'],
    ['a]b:*', 'a\\]b:t:*'],
    ['\\p\\r:*', 'pr:t:*'],
    ['a\\', 'a\\\\:t'],
    ['a\\\\:*', 'a\\\\:t:*'],
    [':*', ':t:*'],
    ['a:[', 'a:t:['],
    ['a:\\', 'a:t:\\'],
    ['a::*', 'a:t::*'],
  ])('of the glob %j are %j for a tenant', (glob, mapped) => {
    expect(root().tenant('t').glob(glob)).toBe(mapped)
  })

  it.each(['*', 'product*', 'pro?uct:*', 'product[:]*', '[p]roduct:1', 'a*:t:*', '\\**:x', '\\\\*'])(
    'refuse the glob %j, whose first segment has a wildcard',
    (glob) => {
      for (const scope of [root().tenant('t'), root().user('u')]) expect(() => scope.glob(glob)).toThrow(tenantKey)
    },
  )

  it('are refused when only with the ids they are too long', () => {
    const key = `k:${'é'.repeat(510)}`
    expect(root().tenant('t').key(key)).toHaveLength(514)
    expect(() => root().tenant('tt').key(key)).toThrow(invalidKey)
    expect(() => root().tenant('tt').tag(key)).toThrow(invalidKey)
    expect(() => root().tenant('tt').glob(key)).toThrow(invalidKey)
  })

  it('are checked as every key is', () => {
    for (const scope of [root(), root().tenant('t'), root().user('u')]) {
      for (const bad of ['', 'a\nb', '\u0001t', 'x'.repeat(1_025)]) {
        expect(() => scope.key(bad)).toThrow(invalidKey)
        expect(() => scope.tag(bad)).toThrow(invalidKey)
        expect(() => scope.glob(bad)).toThrow(invalidKey)
      }
    }
  })

  it("can't be those of a user when they are asked for through the tenant", () => {
    expect(() => root().tenant('t').key('product::u:42')).toThrow(invalidKey)
    expect(() => root().tenant('t').tag('product::u')).toThrow(invalidKey)
    expect(root().tenant('t').user('u').key('product::x')).toBe('product:t::u::x')
  })
})

describe('an id', () => {
  it.each(['t', 'tenant-1', 'müşteri', '0', 'a b', 'a.b@c', '商', 'é'.repeat(64), '#g', '~', '%01'])(
    'may be %j',
    (id) => {
      expect(root().tenant(id).user(id).key('a:b')).toBe(`a:${id}::${id}:b`)
    },
  )

  it.each([
    '',
    'a:b',
    ':',
    '*',
    'a?',
    '[',
    ']',
    '\\',
    '{',
    '}',
    'a\n',
    '\u0001',
    '\x7f',
    '\u0085',
    'é'.repeat(65),
    'x'.repeat(129),
    'cut\ud83d',
    undefined,
    null,
    42,
    ['t'],
    { toString: () => 't' },
  ])('may not be %j', (id) => {
    expect(() => root().tenant(id as string)).toThrow(tenantKey)
    expect(() => runAsTenant(id as string, () => 1)).toThrow(tenantKey)
    expect(() => root().user(id as string)).toThrow(invalidKey)
  })
})

describe('a scope in a scope', () => {
  it('is the same one for the same id, and refused for another', () => {
    expect(root().tenant('t').tenant('t').key('a')).toBe('a:t')
    expect(root().user('u').user('u').key('a')).toBe('a::u')
    expect(() => root().tenant('t').tenant('x')).toThrow(tenantKey)
    expect(() => root().tenant('t').user('u').tenant('x')).toThrow(tenantKey)
    expect(() => root().tenant('t').user('u').user('x')).toThrow(invalidKey)
  })

  it('has its own mark and that of the tenant around it', () => {
    const tenant = root().tenant('t')
    const user = tenant.user('u')
    expect(root().marks).toEqual([])
    expect(root().clears()).toBeNull()
    expect(tenant.clears()).toEqual(tenant.marks)
    expect(user.marks).toEqual([...tenant.marks, ...user.clears()!])
    expect(user.marks).toHaveLength(2)
    const alone = root().user('u')
    const all = [tenant, user, alone, root().tenant('u'), root().tenant('u').user('t')].map(
      (scope) => scope.clears()![0],
    )
    expect(new Set(all)).toHaveProperty('size', 5)
  })

  it("has marks that are nobody's tags, and hides them", () => {
    const user = root().tenant('t').user('u')
    for (const mark of user.marks) {
      for (const scope of [root(), root().tenant('t'), user]) expect(() => scope.tag(mark)).toThrow(invalidKey)
    }
    const stored = [user.tag('list'), 'handwritten', 'x:other:y', 'x:t:y', 'x:t::other:y', ...user.marks]
    expect(user.ownTags(stored)).toEqual(['list'])
    expect(root().tenant('t').ownTags(stored)).toEqual(['x:y'])
    expect(root().ownTags(stored)).toEqual(stored.slice(0, 5))
  })
})

describe('with tenancy required', () => {
  const required = (options?: TenancyOptions): Scope => root({ required: true, ...options })

  it.each(['product:t1:42', 't1', 't1:x', 'report:revenue:t1', 'a:xt1:t1', 'tenant:t1', ':t1'])(
    'the name %j holds the tenant t1',
    (name) => {
      runAsTenant('t1', () => {
        expect([required().key(name), required().tag(name), required().glob(name)]).toEqual([name, name, name])
      })
    },
  )

  it.each([
    'product:42',
    'product:t10:42',
    'xt1:a',
    't1x',
    'product:t2:42',
    'product:T1:42',
    'product:t1 :1',
    'products',
  ])('the name %j does not hold the tenant t1', (name) => {
    runAsTenant('t1', () => {
      expect(() => required().key(name)).toThrow(expect.objectContaining({ code: 'TENANT_KEY', key: name }))
      expect(() => required().tag(name)).toThrow(tenantKey)
      expect(() => required().glob(name)).toThrow(tenantKey)
    })
  })

  it.each(['product:t1:*', 'product:t1', 't1:*', 'product:t1:[ab]*', 'product\\:t1:*', 'p\\*:t1:?'])(
    'the glob %j reaches the tenant t1 only',
    (glob) => {
      runAsTenant('t1', () => expect(required().glob(glob)).toBe(glob))
    },
  )

  it.each([
    '*',
    'product:*',
    'product:*:t1',
    'product:*:t1:*',
    '*:t1:*',
    'product:t1*',
    'product:t?:*',
    'product:[t]1:*',
    't1*',
    'product:t1\\*:*',
  ])('the glob %j may reach other tenants than t1', (glob) => {
    runAsTenant('t1', () => expect(() => required().glob(glob)).toThrow(tenantKey))
  })

  it('names of global segments need no tenant', () => {
    const scope = required({ global: ['currency'] })
    for (const name of ['currency', 'currency:USD', 'currency:*', 'currency::']) {
      expect([scope.key(name), scope.tag(name), scope.glob(name)]).toEqual([name, name, name])
    }
    for (const glob of ['currency*', 'currenc?:x', 'currencyx:1', '*:currency']) {
      expect(() => scope.glob(glob)).toThrow(tenantKey)
      expect(() => scope.key(glob)).toThrow(tenantKey)
    }
  })

  it('nothing goes without a tenant, but for runGlobal', () => {
    const scope = required()
    const works: (() => unknown)[] = [
      () => scope.key('a:t1'),
      () => scope.tag('a:t1'),
      () => scope.glob('a:t1'),
      () => scope.clears(),
    ]
    for (const work of works) {
      expect(work).toThrow(tenantKey)
      expect(() => runGlobal(work)).not.toThrow()
    }
    expect(() => runAsTenant('t1', () => scope.clears())).toThrow(tenantKey)
  })

  it("a tenant's scope serves when it is its turn, or nobody's", () => {
    const kept = required().tenant('t1')
    const works = [
      () => required().tenant('t1'),
      () => kept.key('a'),
      () => kept.tag('a'),
      () => kept.glob('a'),
      () => kept.clears(),
      () => kept.user('u').key('a'),
      () => kept.user('u').clears(),
    ]
    for (const work of works) {
      expect(work).not.toThrow()
      runAsTenant('t1', () => expect(work).not.toThrow())
      runAsTenant('t2', () => expect(work).toThrow(tenantKey))
      runAsTenant('t2', () => runGlobal(() => expect(work).not.toThrow()))
    }
  })

  it("a user's scope outside of a tenant's is held to the same, and not cleared", () => {
    const scope = required({ global: ['currency'] }).user('t1')
    runAsTenant('t1', () => {
      expect(() => scope.key('a:b')).toThrow(tenantKey)
      expect(() => scope.glob('a:*')).toThrow(tenantKey)
      expect(scope.key('a:t1')).toBe('a::t1:t1')
      expect(scope.key('currency')).toBe('currency::t1')
      expect(() => scope.clears()).toThrow(tenantKey)
      expect(runGlobal(() => scope.clears())).toEqual(scope.marks)
    })
  })

  it('an error names no value', () => {
    const error = runAsTenant('hush', () => {
      try {
        return required().key('quiet:1')
      } catch (thrown) {
        return (thrown as Error).message
      }
    })
    expect(error).toMatch(/must hold the current tenant.*forTenant/)
    expect(error).not.toMatch(/hush|quiet/)
  })
})
