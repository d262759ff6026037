import { describe, expect, it } from 'vitest'
import { ConfigurationError, VextrusError } from '../kernel/errors.js'
import { JwtGuardSettings } from './nest/guard-options.js'
import { checkJwtOptions, type JwtOptions } from './nest/jwt-options.js'
import { resolveJwtOptions } from './options.js'

describe('the options of jwt', () => {
  it('have defaults', () => {
    expect(resolveJwtOptions()).toEqual({
      onUnavailable: 'throw',
      skewMs: 60_000,
      maxAgeMs: 30 * 86_400_000,
      refreshGraceMs: 10_000,
      tenantClaim: 'tenantId',
      familyClaim: 'fam',
      nearEntries: 100_000,
    })
    expect(Object.isFrozen(resolveJwtOptions())).toBe(true)
  })

  it('are read in their units, and nothing may be nothing', () => {
    const options: JwtOptions = { skew: 0, maxAge: 60, refreshGrace: 0, claims: { family: 'f' }, near: false }
    expect(resolveJwtOptions(options)).toMatchObject({ skewMs: 0, maxAgeMs: 60_000, refreshGraceMs: 0 })
    expect(resolveJwtOptions(options)).toMatchObject({ familyClaim: 'f', tenantClaim: 'tenantId', nearEntries: 0 })
    expect(resolveJwtOptions({ near: { maxEntries: 0 } }).nearEntries).toBe(0)
    expect(resolveJwtOptions({ near: {}, claims: undefined, skew: undefined })).toEqual(resolveJwtOptions())
  })

  it.each([
    [{ onUnavailable: 'yes' }, 'jwt.onUnavailable'],
    [{ skew: -1 }, 'jwt.skew'],
    [{ maxAge: 0 }, 'jwt.maxAge'],
    [{ refreshGrace: 'soon' }, 'jwt.refreshGrace'],
    [{ claims: { tenant: '' } }, 'jwt.claims.tenant'],
    [{ claims: { family: 5 } }, 'jwt.claims.family'],
    [{ near: { maxEntries: 1.5 } }, 'jwt.near.maxEntries'],
    [{ near: { maxEntries: -1 } }, 'jwt.near.maxEntries'],
    [{ claimsOf: 'user' }, 'jwt.claimsOf'],
    [{ tokenOf: {} }, 'jwt.tokenOf'],
    [{ isPublic: '' }, 'jwt.isPublic'],
    [{ isPublic: true }, 'jwt.isPublic'],
    [{ onUnavailabel: 'deny' }, 'jwt.onUnavailabel'],
  ])('that can’t be used are refused by name: %j', (options, name) => {
    expect(() => checkJwtOptions(options as JwtOptions)).toThrow(VextrusError)
    expect(() => checkJwtOptions(options as JwtOptions)).toThrow(name)
  })

  it('are an object', () => {
    for (const options of [null, 'x', 5]) {
      expect(() => checkJwtOptions(options as unknown as JwtOptions)).toThrow(ConfigurationError)
    }
  })

  it('may hold those of the guard, which the blacklist does not look at', () => {
    const options: JwtOptions = { isPublic: 'isPublic', claimsOf: () => null, tokenOf: () => undefined, skew: '5s' }
    expect(() => checkJwtOptions(options)).not.toThrow()
    expect(resolveJwtOptions(options).skewMs).toBe(5_000)
    expect(new JwtGuardSettings(options).options).toEqual({
      ...{ isPublic: 'isPublic', claimsOf: options.claimsOf, tokenOf: options.tokenOf },
    })
    expect(() => new JwtGuardSettings({ isPublic: Symbol('public') })).not.toThrow()
  })
})
