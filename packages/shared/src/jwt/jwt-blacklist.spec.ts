import { generateKeyPairSync, sign, verify } from 'node:crypto'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { type HandStore, JwtWorld } from '../../test/support/jwt-world.js'
import { JwtClaimsError, JwtUnavailableError } from './errors.js'
import { jwtRefused, jwtRevoked } from './events.js'
import { JwtBlacklistService, type JwtClaims } from './jwt-blacklist.js'
import { familyMark } from './jwt-store.js'
import { RefreshTokenFamilies } from './refresh-families.js'

let world: JwtWorld
let blacklist: JwtBlacklistService
let store: HandStore
beforeEach(() => {
  world = new JwtWorld()
  ;({ blacklist, store } = world.process())
})

const claimsOf = (claims: JwtClaims = {}): JwtClaims => ({ jti: 'a', sub: 'ann', iat: world.now, ...claims })
const encoded = (part: object): string => Buffer.from(JSON.stringify(part)).toString('base64url')
const tokenOf = (payload: object, signature = 'c2ln'): string =>
  `${encoded({ alg: 'none' })}.${encoded(payload)}.${signature}`

describe('a token that was revoked by its `jti`', () => {
  it('is refused until its end and the skew, and no other is', async () => {
    const exp = world.now + 600
    const [mine, others] = [claimsOf({ exp }), claimsOf({ jti: 'b', exp })]
    expect(await blacklist.isRevoked(mine)).toBe(false)
    await blacklist.revoke({ jti: 'a', exp })
    expect([await blacklist.isRevoked(mine), await blacklist.isRevoked(others)]).toEqual([true, false])
    await world.clock.advance('659s')
    expect([await blacklist.isRevoked(mine), await blacklist.isRevoked(others)]).toEqual([true, false])
    expect(await store.read(['{j:a}'])).toEqual([{ value: '1' }])
    await world.clock.advance('1s')
    expect(await store.read(['{j:a}'])).toEqual([{ value: null }])
  })

  it('is refused when nothing is kept of it any more, for by then nothing could be', async () => {
    const exp = world.now + 600
    await blacklist.revoke({ jti: 'a', exp })
    await world.clock.advance('661s')
    const { reads } = store
    expect(await blacklist.isRevoked(claimsOf({ exp }))).toBe(true)
    expect(reads).toHaveLength(0)
  })

  it('without `exp` is refused for as long as any token lives', async () => {
    ;({ blacklist, store } = world.process({ maxAge: '1h', skew: '1m' }))
    await blacklist.revoke({ jti: 'a' })
    await world.clock.advance('3659s')
    expect(await blacklist.isRevoked(claimsOf())).toBe(true)
    await world.clock.advance('1s')
    expect(await store.read(['{j:a}'])).toEqual([{ value: null }])
  })

  it('stays so when somebody says an earlier end', async () => {
    await blacklist.revoke({ jti: 'a', exp: world.now + 600 })
    await blacklist.revoke({ jti: 'a', exp: 0 })
    await blacklist.revoke({ jti: 'a', exp: world.now + 1 })
    await world.clock.advance('5m')
    expect(await blacklist.isRevoked(claimsOf())).toBe(true)
  })

  it('may have a number as its id, and ids of any characters are told apart', async () => {
    await blacklist.revoke({ jti: 7 as unknown as string })
    expect(await blacklist.isRevoked(claimsOf({ jti: '7' }))).toBe(true)
    const odd = [
      '}',
      '{',
      'a:b',
      'a}b',
      ':',
      ' ',
      'é',
      '\n',
      '\0',
      '\ud800',
      '\udfff',
      'x'.repeat(2_000),
      '#',
      'a b',
      'A',
    ]
    for (const jti of odd) {
      expect(await blacklist.isRevoked(claimsOf({ jti })), jti).toBe(false)
      await blacklist.revoke({ jti })
      expect(await blacklist.isRevoked(claimsOf({ jti })), jti).toBe(true)
    }
    expect(await blacklist.isRevoked(claimsOf())).toBe(false)
  })

  it.each([
    [{ jti: '' }, /revokeToken/],
    [{}, /revokeToken/],
    [{ jti: {} as string }, /revokeToken/],
    [{ jti: 'a', exp: Number.NaN }, /`exp`/],
    [{ jti: 'a', exp: -1 }, /`exp`/],
    [{ jti: 'a', exp: Date.UTC(2030, 0, 1) }, /`exp` is seconds/],
    [{ jti: 'a', exp: '5' as unknown as number }, /`exp`/],
  ])('needs an id and seconds: %j', async (claims, message) => {
    await expect(blacklist.revoke(claims)).rejects.toThrow(JwtClaimsError)
    await expect(blacklist.revoke(claims)).rejects.toThrow(message)
  })
})

describe('a token that was revoked as a whole', () => {
  it('is refused where it is given, until its own end and the skew', async () => {
    const exp = world.now + 600
    const [mine, other] = [tokenOf({ exp, n: 1 }), tokenOf({ exp, n: 2 })]
    await blacklist.revokeToken(mine)
    expect(await blacklist.isRevoked({ exp }, mine)).toBe(true)
    expect([await blacklist.isRevoked({ exp }, other), await blacklist.isRevoked(claimsOf({ exp }))]).toEqual([
      ...[false, false],
    ])
    await world.clock.advance('659s')
    expect(await blacklist.isRevoked({}, mine)).toBe(true)
    await world.clock.advance('1s')
    expect(await store.read(store.reads[0]!)).toEqual([{ value: null }])
  })

  it('of any kind: with no end in it, with none that can be read, and no JWT at all', async () => {
    const tokens = [tokenOf({}), tokenOf({ exp: 'x' }), 'a.b.c', 'opaque', 'a.b.c.d.e', 'é', '..', 'eyJ.bnVsbA.x']
    for (const token of tokens) {
      expect(await blacklist.isRevoked({}, token), token).toBe(false)
      await blacklist.revokeToken(token)
      expect(await blacklist.isRevoked({}, token), token).toBe(true)
    }
  })

  it.each(['RS256', 'ES256'])('is refused with another text of the same signature, of %s', async (algorithm) => {
    const { privateKey, publicKey } =
      algorithm === 'RS256'
        ? generateKeyPairSync('rsa', { modulusLength: 2_048 })
        : generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const signed = `${encoded({ alg: algorithm })}.${encoded({ sub: 'ann' })}`
    const key = { key: publicKey, dsaEncoding: 'ieee-p1363' } as const
    const signature = sign('sha256', Buffer.from(signed), { ...key, key: privateKey })
    const isValid = (text: string): boolean =>
      verify('sha256', Buffer.from(signed), key, Buffer.from(text, 'base64url'))
    const text = signature.toString('base64url')
    const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
    // The last letter has bits that no byte is made of.
    const twin = text.slice(0, -1) + letters[letters.indexOf(text.at(-1)!) ^ 1]!
    expect([twin === text, isValid(text), isValid(twin)]).toEqual([false, true, true])
    await blacklist.revokeToken(`${signed}.${text}`)
    expect(await blacklist.isRevoked({}, `${signed}.${twin}`)).toBe(true)
  })

  it.each(['', 'Bearer eyJ', 'a b', 'a\n', 'x'.repeat(65_537), undefined as unknown as string])(
    'is a token: %j is not',
    async (token) => {
      await expect(blacklist.revokeToken(token)).rejects.toThrow(JwtClaimsError)
      expect(JSON.stringify(await blacklist.revokeToken(token).catch((error: Error) => error.message))).not.toContain(
        'eyJ',
      )
    },
  )
})

describe('the tokens of a user that were issued until a time', () => {
  it('are refused, the second of the time included, and the next is not', async () => {
    await world.clock.advance(1_999)
    const second = world.now
    expect(await blacklist.revokeAllForUser('ann')).toBe(second)
    const at = (iat?: number): Promise<boolean> => blacklist.isRevoked(claimsOf({ iat }))
    expect([await at(second - 1), await at(second), await at(second + 0.9), await at(second + 1)]).toEqual([
      ...[true, true, true, false],
    ])
    expect(await at(undefined)).toBe(true)
    expect(await blacklist.isRevoked(claimsOf({ sub: 'bob', iat: second }))).toBe(false)
  })

  it.each([
    ['a Date', new Date('2029-12-31T23:00:00.900Z')],
    ['seconds', Date.UTC(2029, 11, 31, 23) / 1_000],
  ])('may be those of a time before, by %s; one that is earlier still changes nothing', async (_, before) => {
    const second = Date.UTC(2029, 11, 31, 23) / 1_000
    expect(await blacklist.revokeAllForUser('ann', { before })).toBe(second)
    expect(await blacklist.revokeAllForUser('ann', { before: 5 })).toBe(second)
    expect(await blacklist.isRevoked(claimsOf({ iat: second }))).toBe(true)
    expect(await blacklist.isRevoked(claimsOf({ iat: second + 1 }))).toBe(false)
  })

  it('of one tenant are refused there; without a tenant, everywhere', async () => {
    const old = world.now - 10
    await blacklist.revokeAllForUser('ann', { tenantId: 't1' })
    const of = (tenantId?: string | null): Promise<boolean> => blacklist.isRevoked(claimsOf({ iat: old, tenantId }))
    expect([await of('t1'), await of('t2'), await of(undefined), await of(null)]).toEqual([true, false, false, false])
    await blacklist.revokeAllForUser('ann')
    expect([await of('t1'), await of('t2'), await of(undefined)]).toEqual([true, true, true])
  })

  it('of one tenant by another name of the claim', async () => {
    ;({ blacklist } = world.process({ claims: { tenant: 'org' } }))
    await blacklist.revokeAllForUser('ann', { tenantId: 't1' })
    expect(await blacklist.isRevoked(claimsOf({ org: 't1' }))).toBe(true)
    expect(await blacklist.isRevoked(claimsOf({ tenantId: 't1' }))).toBe(false)
  })

  it('are told apart, whatever is in the ids', async () => {
    await blacklist.revokeAllForUser('a', { tenantId: 'b' })
    await blacklist.revokeAllForUser('x:y')
    for (const [sub, tenantId] of [['a:b'], ['a', 'b:'], ['b', 'a'], ['x', 'y'], ['a']] as const) {
      expect(await blacklist.isRevoked({ sub, tenantId, iat: 1 }), `${sub} ${tenantId}`).toBe(false)
    }
    expect(await blacklist.isRevoked({ sub: 'x:y', iat: 1 })).toBe(true)
  })

  it('are refused for as long as one of them lives', async () => {
    ;({ blacklist } = world.process({ maxAge: '1h', skew: '1m' }))
    const iat = world.now
    await blacklist.revokeAllForUser('ann')
    await world.clock.advance('3660s')
    expect(await blacklist.isRevoked(claimsOf({ iat }))).toBe(true)
    await world.clock.advance('1s')
    expect(await store.read(['{u:ann}'])).toEqual([{ value: null }])
  })

  it.each([
    ['', {}],
    ['ann', { before: Date.UTC(2030, 0, 1) }],
    ['ann', { before: 1.5 }],
    ['ann', { before: -1 }],
    ['ann', { before: Number.NaN }],
    ['ann', { before: new Date(Number.NaN) }],
    ['ann', { tenantId: '' }],
    ['ann', { tenantId: null as unknown as string }],
  ])('need a user, and a time in seconds: %j %j', async (sub, options) => {
    await expect(blacklist.revokeAllForUser(sub, options)).rejects.toThrow(JwtClaimsError)
  })
})

describe('what nothing can revoke', () => {
  it.each([
    {},
    { iat: 1 },
    { tenantId: 't' },
    { jti: '', sub: '' },
    { jti: null as unknown as string },
    { jti: 'a', sub: { id: 1 } as unknown as string },
    { sub: 'ann', jti: ['a'] as unknown as string },
    { sub: 'ann', tenantId: { id: 't' } },
    { sub: 'ann', fam: true },
    { jti: Number.NaN as unknown as string },
    null as unknown as JwtClaims,
    'text' as unknown as JwtClaims,
  ])('is refused, and nobody is asked: %j', async (claims) => {
    expect(await blacklist.isRevoked(claims)).toBe(true)
    expect(store.reads).toHaveLength(0)
  })

  it('is a token that is none', async () => {
    for (const token of ['a b', 'x'.repeat(65_537), 5 as unknown as string]) {
      expect(await blacklist.isRevoked(claimsOf(), token)).toBe(true)
    }
    expect(await blacklist.isRevoked(claimsOf(), '')).toBe(false)
  })
})

describe('a check', () => {
  it('asks once for all that it has to know, and then knows it for as long as it is proven fresh', async () => {
    const claims = claimsOf({ tenantId: 't', fam: 'f' })
    for (let i = 0; i < 5; i++) expect(await blacklist.isRevoked(claims, 'token')).toBe(false)
    expect(store.reads).toHaveLength(1)
    expect(store.reads[0]).toHaveLength(5)
    // Of another token of the user only what is new is asked.
    await blacklist.isRevoked({ ...claims, jti: 'b' }, 'token')
    expect(store.reads[1]).toEqual(['{j:b}'])
  })

  it('asks again once nobody can say that it is fresh, and not when that is proven later', async () => {
    await blacklist.isRevoked(claimsOf())
    store.changes.heardUntil = world.clock.mono()
    await world.clock.advance(1_999)
    await blacklist.isRevoked(claimsOf())
    expect(store.reads).toHaveLength(1)
    await world.clock.advance(1)
    await blacklist.isRevoked(claimsOf())
    expect(store.reads).toHaveLength(2)
    store.changes.heardUntil = undefined
    await blacklist.isRevoked(claimsOf())
    expect(store.reads).toHaveLength(2)
  })

  it('asks each time where nothing is told, where nothing is kept, and of what was redirected (R20)', async () => {
    const asked = async (): Promise<number> => {
      for (let i = 0; i < 3; i++) await blacklist.isRevoked(claimsOf())
      return store.reads.length
    }
    store.changes.live = false
    expect(await asked()).toBe(3)
    ;({ blacklist, store } = world.process({ near: false }))
    expect(await asked()).toBe(3)
    expect(store.changes.listening).toBe(0)
    ;({ blacklist, store } = world.process())
    store.redirected = true
    expect(await asked()).toBe(3)
  })

  it('keeps no more than it is told to', async () => {
    ;({ blacklist, store } = world.process({ near: { maxEntries: 10 } }))
    for (let i = 0; i < 20; i++) await blacklist.isRevoked({ jti: `j${i}` })
    await blacklist.isRevoked({ jti: 'j19' })
    expect(store.reads).toHaveLength(20)
    await blacklist.isRevoked({ jti: 'j0' })
    expect(store.reads).toHaveLength(21)
  })

  it('hears of the revocation of another process at its push', async () => {
    const other = world.process()
    await blacklist.isRevoked(claimsOf())
    await other.blacklist.revoke({ jti: 'a' })
    expect(await blacklist.isRevoked(claimsOf())).toBe(true)
    const later = world.process()
    expect(await later.blacklist.isRevoked(claimsOf({ jti: 'b' }))).toBe(false)
    await other.blacklist.revokeAllForUser('ann')
    expect(await later.blacklist.isRevoked(claimsOf({ jti: 'b' }))).toBe(true)
  })

  it.each<[string, (other: ReturnType<JwtWorld['process']>, token: string) => Promise<unknown>]>([
    ['its `jti`', ({ blacklist: others }) => others.revoke({ jti: 'a' })],
    ['the token', ({ blacklist: others }, token) => others.revokeToken(token)],
    ['its family', ({ store: theirs }) => new RefreshTokenFamilies(() => theirs).end('f')],
    ['its user', ({ blacklist: others }) => others.revokeAllForUser('ann')],
    ['its user in its tenant', ({ blacklist: others }) => others.revokeAllForUser('ann', { tenantId: 't' })],
  ])('of a token that is known hears of a revocation by %s', async (_by, revoke) => {
    const other = world.process()
    await new RefreshTokenFamilies(() => other.store).begin('f', 'a')
    const claims = claimsOf({ tenantId: 't', fam: 'f' })
    const token = tokenOf(claims)
    for (let i = 0; i < 3; i++) expect(await blacklist.isRevoked(claims, token)).toBe(false)
    expect(store.reads).toHaveLength(1)
    await revoke(other, token)
    for (let i = 0; i < 3; i++) expect(await blacklist.isRevoked(claims, token)).toBe(true)
    expect(store.reads).toHaveLength(2)
  })

  it('takes no token for another that is known under its `jti`', async () => {
    const other = world.process()
    const claims = claimsOf({ tenantId: 't', fam: 'f' })
    const [token, revokedToken] = [tokenOf(claims), tokenOf({ ...claims, more: 1 })]
    await other.blacklist.revokeAllForUser('bob')
    await other.blacklist.revokeAllForUser('ann', { tenantId: 'u' })
    await other.blacklist.revokeToken(revokedToken)
    await other.blacklist.revokeAllForUser('ann', { before: world.now - 10 })
    const families = new RefreshTokenFamilies(() => other.store)
    await families.begin('g', 'a')
    await families.end('g')
    for (let i = 0; i < 3; i++) expect(await blacklist.isRevoked(claims, token)).toBe(false)
    expect(await blacklist.isRevoked({ ...claims, sub: 'bob' }, token)).toBe(true)
    expect(await blacklist.isRevoked({ ...claims, tenantId: 'u' }, token)).toBe(true)
    expect(await blacklist.isRevoked({ ...claims, fam: 'g' }, token)).toBe(true)
    expect(await blacklist.isRevoked({ ...claims, iat: world.now - 10 }, token)).toBe(true)
    expect(await blacklist.isRevoked(claims, revokedToken)).toBe(true)
    expect(await blacklist.isRevoked({ ...claims, exp: world.now - 61 }, token)).toBe(true)
    expect(await blacklist.isRevoked(claims, token)).toBe(false)
  })

  it('hears of a family that has ended', async () => {
    const other = world.process()
    const families = new RefreshTokenFamilies(() => other.store)
    const claims = claimsOf({ fam: 'f' })
    await families.begin('f', 'a')
    expect(await blacklist.isRevoked(claims)).toBe(false)
    await families.end('f')
    expect([await blacklist.isRevoked(claims), await blacklist.isRevoked(claimsOf({ fam: 'g' }))]).toEqual([
      true,
      false,
    ])
    expect(store.reads.flat()).toContain(familyMark('f'))
  })

  it.each([
    ['was ended', (families: RefreshTokenFamilies) => families.end('f')],
    ['ended by a reuse', (families: RefreshTokenFamilies) => families.rotate('f', 'stolen', 'c')],
  ])('knows at once of a family that %s in this process, whose push is under way (R17)', async (_, end) => {
    const families = new RefreshTokenFamilies(
      () => store,
      {},
      (mark) => blacklist.forget(mark),
    )
    await families.begin('f', 'a')
    for (let i = 0; i < 3; i++) expect(await blacklist.isRevoked(claimsOf({ fam: 'f' }))).toBe(false)
    store.changes.tells = false
    await end(families)
    expect(await blacklist.isRevoked(claimsOf({ fam: 'f' }))).toBe(true)
  })

  it('never keeps “not revoked” when the revocation came while it asked (R17)', async () => {
    const other = world.process()
    const release = store.holdAnswers()
    const checking = blacklist.isRevoked(claimsOf())
    await world.clock.settle()
    await other.blacklist.revoke({ jti: 'a' })
    release()
    // Asked before, answered after.
    expect(await checking).toBe(false)
    expect(await blacklist.isRevoked(claimsOf())).toBe(true)
  })

  it('never keeps “not revoked” from before an own revocation, whose push is under way (R17)', async () => {
    store.changes.tells = false
    const release = store.holdAnswers()
    const checking = blacklist.isRevoked(claimsOf())
    await world.clock.settle()
    const revoking = blacklist.revoke({ jti: 'a' })
    release()
    await Promise.all([checking, revoking])
    expect(await blacklist.isRevoked(claimsOf())).toBe(true)
  })

  it('never keeps “not revoked” from while an own revocation was on its way, whose push is under way (R17)', async () => {
    store.changes.tells = false
    let arrive = (): void => undefined
    const onItsWay = new Promise<void>((resolve) => (arrive = resolve))
    const mark = store.mark.bind(store)
    vi.spyOn(store, 'mark').mockImplementationOnce(async (...args) => {
      await onItsWay
      await mark(...args)
    })
    const revoking = blacklist.revoke({ jti: 'a' })
    expect(await blacklist.isRevoked(claimsOf())).toBe(false)
    arrive()
    await revoking
    expect(await blacklist.isRevoked(claimsOf())).toBe(true)
  })

  it('forgets all when it may have missed something (R20)', async () => {
    await blacklist.isRevoked(claimsOf())
    store.changes.tells = false
    await world.process().blacklist.revoke({ jti: 'a' })
    expect(await blacklist.isRevoked(claimsOf())).toBe(false)
    store.changes.reset()
    expect(await blacklist.isRevoked(claimsOf())).toBe(true)
  })

  it('in a process that is told nothing knows of a revocation within `staleness` (R18)', async () => {
    await blacklist.isRevoked(claimsOf())
    store.changes.tells = false
    store.changes.heardUntil = world.clock.mono()
    await world.process().blacklist.revoke({ jti: 'a' })
    await world.clock.advance(2_000)
    expect(await blacklist.isRevoked(claimsOf())).toBe(true)
  })

  it('hears of a store that has come in the place of another', async () => {
    const [standIn, real] = [world.process().store, world.process().store]
    standIn.changes.live = false
    let current = standIn
    blacklist = new JwtBlacklistService(() => current, {}, { clock: world.clock })
    await blacklist.isRevoked(claimsOf())
    current = real
    for (let i = 0; i < 3; i++) await blacklist.isRevoked(claimsOf())
    expect([real.reads.length, standIn.changes.listening, real.changes.listening]).toEqual([1, 0, 1])
  })
})

describe('while nobody knows', () => {
  it('a check rejects, and is never answered from what is not proven fresh', async () => {
    await blacklist.isRevoked(claimsOf())
    store.away = true
    // Proven a moment ago.
    store.changes.heardUntil = world.clock.mono()
    expect(await blacklist.isRevoked(claimsOf())).toBe(false)
    await world.clock.advance(2_000)
    await expect(blacklist.isRevoked(claimsOf())).rejects.toThrow(JwtUnavailableError)
    await expect(blacklist.isRevoked(claimsOf())).rejects.toMatchObject({ code: 'JWT_UNAVAILABLE' })
    store.away = false
    expect(await blacklist.isRevoked(claimsOf())).toBe(false)
  })

  it.each([
    ['deny', true],
    ['allow', false],
  ] as const)('with %j it answers %j', async (onUnavailable, answer) => {
    ;({ blacklist, store } = world.process({ onUnavailable }))
    store.away = true
    expect(await blacklist.isRevoked(claimsOf())).toBe(answer)
    // What can be known is known.
    expect(await blacklist.isRevoked({})).toBe(true)
    expect(await blacklist.isRevoked(claimsOf({ exp: world.now - 61 }))).toBe(true)
    store.away = false
    expect(await blacklist.isRevoked(claimsOf())).toBe(false)
  })

  it('with `allow` another error is not taken for an outage', async () => {
    ;({ blacklist, store } = world.process({ onUnavailable: 'allow' }))
    store.read = () => Promise.reject(new TypeError('a bug'))
    await expect(blacklist.isRevoked(claimsOf())).rejects.toThrow(TypeError)
  })

  it('a revocation rejects, and what was known of the token is forgotten', async () => {
    await blacklist.isRevoked(claimsOf())
    store.away = true
    await expect(blacklist.revoke({ jti: 'a' })).rejects.toThrow(JwtUnavailableError)
    await expect(blacklist.revokeToken('a.b.c')).rejects.toThrow(JwtUnavailableError)
    await expect(blacklist.revokeAllForUser('ann')).rejects.toThrow(JwtUnavailableError)
    await expect(blacklist.isRevoked(claimsOf())).rejects.toThrow(JwtUnavailableError)
  })
})

describe('the blacklist', () => {
  it('keeps and hears nothing once it is closed, and answers from the store', async () => {
    await blacklist.isRevoked(claimsOf())
    blacklist.close()
    blacklist.close()
    expect(store.changes.listening).toBe(0)
    await world.process().blacklist.revoke({ jti: 'a' })
    expect(await blacklist.isRevoked(claimsOf())).toBe(true)
    await blacklist.isRevoked(claimsOf({ jti: 'b' }))
    await blacklist.isRevoked(claimsOf({ jti: 'b' }))
    expect(store.reads).toHaveLength(4)
    expect(store.changes.listening).toBe(0)
  })

  it('tells what was revoked and what was refused, and no ids', async () => {
    const told: unknown[] = []
    const stops = [jwtRevoked, jwtRefused].map((event) => event.subscribe((each: unknown) => told.push(each)))
    await blacklist.revoke({ jti: 'a' })
    await blacklist.revokeToken('a.b.c')
    await blacklist.revokeAllForUser('ann')
    await blacklist.isRevoked({ jti: 'a' })
    await blacklist.isRevoked({ jti: 'a' })
    await blacklist.isRevoked({}, 'a.b.d')
    await blacklist.isRevoked({ sub: 'ann', iat: 1 })
    await blacklist.isRevoked({})
    await blacklist.isRevoked({ jti: 'a', exp: 1 })
    for (const stop of stops) stop()
    expect(told).toEqual(
      ['jti', 'token', 'user', 'jti', 'jti', 'token', 'user', 'claims', 'expired'].map((by) => ({ by })),
    )
  })
})
