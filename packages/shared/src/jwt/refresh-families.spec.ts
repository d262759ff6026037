import { beforeEach, describe, expect, it } from 'vitest'
import { type HandStore, JwtWorld } from '../../test/support/jwt-world.js'
import { JwtClaimsError, JwtUnavailableError } from './errors.js'
import { jwtRevoked, refreshTokenReused } from './events.js'
import type { JwtBlacklistService } from './jwt-blacklist.js'
import { RefreshTokenFamilies } from './refresh-families.js'

let world: JwtWorld
let blacklist: JwtBlacklistService
let store: HandStore
let families: RefreshTokenFamilies
const options = { maxAge: '1h', skew: '1m', refreshGrace: '10s' } as const
beforeEach(() => {
  world = new JwtWorld()
  ;({ blacklist, store } = world.process(options))
  families = new RefreshTokenFamilies(() => store, options)
})

describe('a family of refresh tokens', () => {
  it('uses each token once, and repeats its answer within the grace', async () => {
    await families.begin('f', 'a')
    expect(await families.rotate('f', 'a', 'b')).toEqual({ outcome: 'rotated', token: 'b' })
    await world.clock.advance('10s')
    expect(await families.rotate('f', 'a', 'c')).toEqual({ outcome: 'repeated', token: 'b' })
    expect(await families.rotate('f', 'b', 'c')).toEqual({ outcome: 'rotated', token: 'c' })
  })

  it('ends when a token that was replaced is presented, with the access tokens that name it, and says so', async () => {
    const told: unknown[] = []
    const stop = refreshTokenReused.subscribe((each) => told.push(each))
    const access = { jti: 'x', sub: 'ann', iat: world.now, fam: 'f' }
    await families.begin('f', 'a')
    await families.rotate('f', 'a', 'b')
    expect(await blacklist.isRevoked(access)).toBe(false)
    await world.clock.advance(10_001)
    expect(await families.rotate('f', 'a', 'c')).toEqual({ outcome: 'reused' })
    expect(await families.rotate('f', 'b', 'c')).toEqual({ outcome: 'revoked' })
    expect(await blacklist.isRevoked(access)).toBe(true)
    expect(await blacklist.isRevoked({ ...access, fam: 'g' })).toBe(false)
    stop()
    expect(told).toEqual([{ family: 'f' }])
  })

  it('without a grace ends at the first repetition that is a moment later', async () => {
    families = new RefreshTokenFamilies(() => store, { ...options, refreshGrace: 0 })
    await families.begin('f', 'a')
    await families.rotate('f', 'a', 'b')
    await world.clock.advance(1)
    expect(await families.rotate('f', 'a', 'c')).toEqual({ outcome: 'reused' })
  })

  it('has ended for as long as an access token of it may live, and is then unknown', async () => {
    const told: unknown[] = []
    const stop = jwtRevoked.subscribe((each) => told.push(each))
    const access = { jti: 'x', fam: 'f' }
    await families.begin('f', 'a')
    await families.end('f')
    stop()
    expect(told).toEqual([{ by: 'family' }])
    await world.clock.advance('3659s')
    expect([await blacklist.isRevoked(access), (await families.rotate('f', 'a', 'b')).outcome]).toEqual([
      true,
      'revoked',
    ])
    await world.clock.advance('1s')
    expect(await families.rotate('f', 'a', 'b')).toEqual({ outcome: 'unknown' })
  })

  it('is unknown when no token was asked for during `maxAge` and the skew', async () => {
    await families.begin('f', 'a')
    await world.clock.advance('3659s')
    expect((await families.rotate('f', 'a', 'b')).outcome).toBe('rotated')
    await world.clock.advance('3660s')
    expect((await families.rotate('f', 'b', 'c')).outcome).toBe('unknown')
  })

  it('has ids of any characters', async () => {
    const odd = ['}', '{f}', 'a:b', 'é', '\n', 'x'.repeat(1_000)]
    for (const id of odd) {
      await families.begin(id, id)
      expect(await families.rotate(id, id, `${id}2`)).toMatchObject({ outcome: 'rotated' })
      await families.end(id)
    }
    for (const fam of odd) expect(await blacklist.isRevoked({ jti: 'x', fam })).toBe(true)
  })

  it('rejects what are no ids, and a token that follows itself', async () => {
    await expect(families.begin('', 'a')).rejects.toThrow(JwtClaimsError)
    await expect(families.begin('f', undefined as unknown as string)).rejects.toThrow(/`jti`/)
    await expect(families.rotate('f', 'a', '')).rejects.toThrow(/`nextJti`/)
    await expect(families.rotate('f', 'a', 'a')).rejects.toThrow(/another/)
    await expect(families.end({} as string)).rejects.toThrow(/`family`/)
  })

  it('rejects while nobody knows; the same call again is then answered', async () => {
    await families.begin('f', 'a')
    store.away = true
    await expect(families.rotate('f', 'a', 'b')).rejects.toThrow(JwtUnavailableError)
    await expect(families.begin('g', 'a')).rejects.toThrow(JwtUnavailableError)
    await expect(families.end('f')).rejects.toThrow(JwtUnavailableError)
    store.away = false
    expect((await families.rotate('f', 'a', 'b')).outcome).toBe('rotated')
  })
})
