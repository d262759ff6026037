import { setImmediate as nextTurn } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { currentTenant, runAsTenant, runGlobal, Tenancy, type TenancyOptions } from './tenancy.js'

const tenantKey = expect.objectContaining({ code: 'TENANT_KEY' })

describe('whose turn it is', () => {
  it('is told by the innermost call, and over when its function ends', () => {
    expect(currentTenant()).toBeUndefined()
    const seen = runAsTenant('a', () => [
      currentTenant(),
      runAsTenant('b', currentTenant),
      runGlobal(currentTenant),
      runGlobal(() => runAsTenant('c', currentTenant)),
      currentTenant(),
    ])
    expect(seen).toEqual(['a', 'b', undefined, 'c', 'a'])
    expect(currentTenant()).toBeUndefined()
  })

  it('goes with what is awaited and started, side by side', async () => {
    const work = async (): Promise<string | undefined> => {
      await nextTurn()
      await Promise.resolve()
      return currentTenant()
    }
    expect(await Promise.all([runAsTenant('a', work), runAsTenant('b', work), runGlobal(work), work()])).toEqual([
      'a',
      'b',
      undefined,
      undefined,
    ])
  })

  it('hands back what the function answers or throws', async () => {
    expect(runAsTenant('a', () => 7)).toBe(7)
    await expect(runGlobal(async () => 8)).resolves.toBe(8)
    expect(() => runAsTenant('a', () => expect.fail('thrown inside'))).toThrow('thrown inside')
  })
})

describe('the tenant of a cache', () => {
  it('is that of runAsTenant, else what resolve answers, and none in runGlobal', () => {
    const tenancy = new Tenancy({ resolve: () => 'resolved' })
    expect(tenancy.current()).toBe('resolved')
    expect(tenancy.defaultKeyTenant()).toBe('resolved')
    expect(runAsTenant('a', () => tenancy.current())).toBe('a')
    expect(runGlobal(() => tenancy.current())).toBeUndefined()
    expect(runGlobal(() => tenancy.defaultKeyTenant())).toBeUndefined()
    expect(new Tenancy().current()).toBeUndefined()
    expect(new Tenancy({ resolve: () => undefined }).current()).toBeUndefined()
  })

  it.each(['', 'a:b', '*', '\n', 42, null, {}])('is never %j, even when resolve says so', (answer) => {
    const tenancy = new Tenancy({ required: true, resolve: () => answer as string })
    expect(() => tenancy.current()).toThrow(tenantKey)
    expect(() => tenancy.assertHeld('a:b:*', 'key')).toThrow(tenantKey)
  })

  it('is not asked for when nothing is required', () => {
    const resolve = (): string => expect.fail('asked')
    const tenancy = new Tenancy({ resolve })
    tenancy.assertHeld('a', 'key')
    tenancy.assertGlobHeld('*')
    tenancy.assertTurn('x')
    tenancy.assertMayReachAll('clear()')
  })

  it.each([
    [{ required: 'yes' }, 'tenancy.required'],
    [{ resolve: 't1' }, 'tenancy.resolve'],
    [{ global: 'currency' }, 'tenancy.global'],
    [{ global: ['currency:USD'] }, 'tenancy.global'],
    [{ global: [''] }, 'tenancy.global'],
    [{ global: ['curr*'] }, 'tenancy.global'],
    [{ global: [1] }, 'tenancy.global'],
  ])('is not configured by %j', (options, option) => {
    expect(() => new Tenancy(options as TenancyOptions)).toThrow(
      expect.objectContaining({ code: 'CONFIGURATION', option }),
    )
  })
})
