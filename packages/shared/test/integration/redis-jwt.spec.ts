import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { JwtUnavailableError } from '../../src/jwt/errors.js'
import type { JwtBlacklistOptions, JwtClaims } from '../../src/jwt/index.js'
import { documentedAclRule } from '../support/store-backends.js'
import { type JwtProcess, jwtProcess, type JwtProcessOptions } from '../support/jwt-backends.js'
import { startSentinel } from '../support/redis-sentinel.js'
import { type RedisServer, startRedis } from '../support/redis-server.js'
import { TcpProxy } from '../support/tcp-proxy.js'
import { waitFor } from '../support/wait-for.js'

/** Of processes that lose their connections: short, for it is waited for. */
const STALENESS_MS = 500
const processes: JwtProcess[] = []
let tests = 0
let claims: JwtClaims
beforeEach(() => {
  claims = { jti: `j${++tests}`, sub: `u${tests}`, iat: 1 }
})
afterEach(async () => {
  await Promise.all(processes.splice(0).map((each) => each.close()))
})

async function join(
  connect: Parameters<typeof jwtProcess>[0],
  options: JwtProcessOptions = {},
): Promise<JwtProcess & { reads(): number }> {
  const joined = await jwtProcess({ commandTimeout: 5_000, ...connect }, options)
  processes.push(joined)
  const read = vi.spyOn(joined.store, 'read')
  return { ...joined, reads: () => read.mock.calls.length }
}

/** What nobody knows is not accepted. */
const accepts = ({ blacklist }: JwtProcess, of: JwtClaims = claims, token?: string): Promise<boolean> =>
  blacklist.isRevoked(of, token).then(
    (revoked) => !revoked,
    (error: unknown) => {
      expect(error).toBeInstanceOf(JwtUnavailableError)
      return false
    },
  )

/** Whether a promise is fulfilled. */
const isFine = [() => true, () => false] as const

/** From when on no check that begins may accept, whatever happens to connections (P2). */
const isOver = (acknowledgedAt: number, stalenessMs = STALENESS_MS): Promise<void> =>
  waitFor('`staleness` to pass', () => performance.now() - acknowledgedAt > stalenessMs)

describe('several processes on one Redis', () => {
  let server: RedisServer
  beforeAll(async () => {
    server = await startRedis()
  })
  afterAll(() => server.stop())

  it('a check is one write of all that it asks, and then none while it is proven fresh', async () => {
    const one = await join({ url: server.url })
    const gets = async (): Promise<number> =>
      Number(/^cmdstat_get:calls=(\d+)/m.exec(String(await server.command('INFO', 'commandstats')))?.[1] ?? 0)
    const before = await gets()
    for (let i = 0; i < 50; i++) expect(await accepts(one, { ...claims, tenantId: 't', fam: 'f' }, 'a.b.c')).toBe(true)
    expect([one.reads(), (await gets()) - before]).toEqual([1, 5])
  })

  it.each<[string, (process: JwtProcess) => Promise<unknown>]>([
    ['jti', ({ blacklist }) => blacklist.revoke({ jti: claims.jti, exp: Math.ceil(Date.now() / 1_000) + 60 })],
    ['jti without an end', ({ blacklist }) => blacklist.revoke({ jti: claims.jti })],
    ['token', ({ blacklist }) => blacklist.revokeToken(`a.${claims.jti}.c`)],
    ['user', ({ blacklist }) => blacklist.revokeAllForUser(claims.sub!)],
    ['user and tenant', ({ blacklist }) => blacklist.revokeAllForUser(claims.sub!, { tenantId: 't' })],
    ['family', ({ families }) => families.end(`f${claims.jti}`)],
  ])('a revocation by %s reaches all that keep the token, by its push', async (_, revoke) => {
    const all = await Promise.all([1, 2, 3].map(() => join({ url: server.url })))
    const of = { ...claims, tenantId: 't', fam: `f${claims.jti}` }
    const ask = (each: JwtProcess): Promise<boolean> => accepts(each, of, `a.${claims.jti}.c`)
    expect(await Promise.all(all.map(ask))).toEqual([true, true, true])
    await revoke(all[0]!)
    // All that was acknowledged by now has been told to who says so.
    expect(await Promise.all(all.map(({ pushes }) => pushes.barrier()))).toEqual([true, true, true])
    expect(await Promise.all(all.map(ask))).toEqual([false, false, false])
    const reads = all.map((each) => each.reads())
    expect(await Promise.all(all.map(ask))).toEqual([false, false, false])
    expect(all.map((each) => each.reads())).toEqual(reads)
  })

  it('a token of the second of the revocation is refused, and one of the next is not', async () => {
    const one = await join({ url: server.url })
    const second = await one.blacklist.revokeAllForUser(claims.sub!)
    const [seconds] = (await server.command('TIME')) as [string]
    expect(Number(seconds) - second).toBeLessThanOrEqual(30)
    const at = (iat: number): Promise<boolean> => accepts(one, { ...claims, iat })
    expect([await at(second - 1), await at(second), await at(second + 1)]).toEqual([false, false, true])
  })

  it('revocations that race with checks leave nobody with an answer of before (R17)', async () => {
    const [one, other] = await Promise.all([join({ url: server.url }), join({ url: server.url })])
    const tokens = Array.from({ length: 200 }, (_, i) => ({ jti: `${claims.jti}-${i}`, sub: `${claims.sub}-${i}` }))
    await Promise.all(
      tokens.map(async (token, i) => {
        const checks = [accepts(other, token), accepts(other, token)]
        const revoking = i % 2 === 0 ? one.blacklist.revoke(token) : one.blacklist.revokeAllForUser(token.sub)
        await Promise.all([...checks, revoking, accepts(other, token)])
      }),
    )
    expect(await other.pushes.barrier()).toBe(true)
    for (const token of tokens) expect(await accepts(other, { ...token, iat: 1 }), token.jti).toBe(false)
  })

  it('one that is refused tracking hears of what those that track revoke, and they of it (R23)', async () => {
    const rule = await documentedAclRule()
    await server.command('ACL', 'SETUSER', 'refused', 'on', '>secret', ...rule, '-client|tracking')
    const { host, port } = server
    const tracking = await join({ url: server.url }, { mixed: true })
    const refused = await join(
      { host, port, username: 'refused', password: 'secret', commandTimeout: 200 },
      { tracksNot: true },
    )
    await waitFor('it to keep what it is answered', () => refused.pushes.live, 30_000)
    const other = { ...claims, jti: `${claims.jti}x` }
    for (const each of [tracking, refused])
      for (const one of [claims, other]) expect(await accepts(each, one)).toBe(true)
    await tracking.blacklist.revoke({ jti: claims.jti })
    await refused.blacklist.revoke({ jti: other.jti })
    expect(await Promise.all([tracking, refused].map(({ pushes }) => pushes.barrier()))).toEqual([true, true])
    for (const each of [tracking, refused])
      for (const one of [claims, other]) expect(await accepts(each, one)).toBe(false)
  })

  it.each<[string, (proxy: TcpProxy) => void]>([
    ['half open', (proxy) => proxy.hold('TRACKING')],
    ['cut', (proxy) => proxy.cut()],
    ['half open, and all others too', (proxy) => proxy.hold()],
    ['cut, and nobody can connect', (proxy) => (proxy.cut(), proxy.hold())],
  ])('a process whose tracking connection is %s accepts no revoked token after `staleness`', async (_, break_) => {
    const proxy = await TcpProxy.to(server.port)
    try {
      const one = await join({ url: server.url })
      const connect = { host: '127.0.0.1', port: proxy.port, commandTimeout: 200 }
      const deaf = await join(connect, { stalenessMs: STALENESS_MS })
      await waitFor('it to accept', () => accepts(deaf))
      break_(proxy)
      await one.blacklist.revoke({ jti: claims.jti })
      await isOver(performance.now())
      for (let i = 0; i < 3; i++) expect(await accepts(deaf)).toBe(false)
      proxy.release()
      await waitFor('it to know again', () =>
        deaf.blacklist.isRevoked(claims).then(
          (revoked) => revoked,
          () => false,
        ),
      )
    } finally {
      await proxy.stop()
    }
  })

  it('what is closed keeps nothing, and asks', async () => {
    const [one, other] = await Promise.all([join({ url: server.url }), join({ url: server.url })])
    expect(await accepts(one)).toBe(true)
    one.blacklist.close()
    await other.blacklist.revoke({ jti: claims.jti })
    expect(await accepts(one)).toBe(false)
  })
})

describe('a Redis that goes away', () => {
  let server: RedisServer
  beforeEach(async () => {
    server = await startRedis({ appendonly: true })
  })
  afterEach(() => server.stop())

  /** A process for each policy, all of which keep that the token is accepted. */
  async function policies(): Promise<{ throws: JwtProcess; denies: JwtProcess; allows: JwtProcess }> {
    const connect = { url: server.url, commandTimeout: 500 }
    const policy = (jwt: JwtBlacklistOptions): Promise<JwtProcess> => join(connect, { jwt, stalenessMs: STALENESS_MS })
    const [throws, denies, allows] = await Promise.all([
      policy({}),
      policy({ onUnavailable: 'deny' }),
      policy({ onUnavailable: 'allow' }),
    ])
    for (const each of [throws, denies, allows]) await waitFor('it to accept', () => accepts(each))
    return { throws, denies, allows }
  }

  async function expectPolicies({ throws, denies, allows }: Awaited<ReturnType<typeof policies>>): Promise<void> {
    await expect(throws.blacklist.isRevoked(claims)).rejects.toThrow(JwtUnavailableError)
    expect(await denies.blacklist.isRevoked(claims)).toBe(true)
    expect(await allows.blacklist.isRevoked(claims)).toBe(false)
    await expect(throws.blacklist.revoke({ jti: claims.jti })).rejects.toMatchObject({ code: 'JWT_UNAVAILABLE' })
    await expect(throws.blacklist.revokeAllForUser(claims.sub!)).rejects.toThrow(JwtUnavailableError)
    await expect(throws.families.end('f')).rejects.toThrow(JwtUnavailableError)
  }

  it('killed: nobody is accepted but by policy; what was revoked still is when it is back', async () => {
    const all = await policies()
    const revoked = { ...claims, jti: `${claims.jti}x` }
    await all.throws.blacklist.revoke({ jti: revoked.jti })
    await server.kill()
    const killedAt = performance.now()
    await waitFor('it to be known', () => !all.throws.pushes.live)
    await isOver(killedAt)
    await expectPolicies(all)
    await server.restart()
    await waitFor('it to be used again', () =>
      all.throws.blacklist.isRevoked(claims).then(
        (isRevoked) => !isRevoked,
        () => false,
      ),
    )
    expect(await accepts(all.throws, revoked)).toBe(false)
  })

  it('stopped, with open connections: nobody is accepted from memory for longer than `staleness`', async () => {
    const all = await policies()
    server.pause()
    try {
      await isOver(performance.now())
      await expectPolicies(all)
    } finally {
      server.resume()
    }
    // The revocations that were not answered may have been done.
    await waitFor('it to be used again', () => accepts(all.denies, { jti: `${claims.jti}x` }))
    await all.denies.blacklist.revoke({ jti: claims.jti })
    expect(await accepts(all.denies)).toBe(false)
  })

  it('emptied by somebody: every process forgets what it kept', async () => {
    const { throws: one, denies: other } = await policies()
    await one.blacklist.revoke({ jti: claims.jti })
    await waitFor('it to refuse', async () => !(await accepts(other)))
    await server.command('FLUSHALL')
    // What Redis loses is lost: the page of this folder says how to keep it.
    await expect.poll(() => accepts(other), { timeout: 15_000 }).toBe(true)
  })
})

describe('a failover', () => {
  it('keeps what the promoted replica has, and what is revoked at it is refused by all', async () => {
    const redis = await startSentinel()
    try {
      const connect = { sentinels: { nodes: redis.nodes, name: redis.name }, commandTimeout: 1_000 }
      const [one, other] = await Promise.all([join(connect), join(connect)])
      const later = { ...claims, jti: `${claims.jti}x` }
      await one.blacklist.revoke({ jti: claims.jti })
      await waitFor('the other to know', async () => !(await accepts(other)) && accepts(other, later))
      await redis.replicated()
      const demoted = await redis.master()
      await redis.failover()
      await demoted.kill()
      await waitFor('the next master', () => accepts(one, { jti: 'somebody else' }), 30_000)
      // The Sentinel ends the connections of a replica that it promotes: that may be a second outage.
      const revoked = (): Promise<boolean> => one.blacklist.revoke({ jti: later.jti }).then(...isFine)
      await waitFor('it to revoke', revoked, 30_000)
      await isOver(performance.now(), 2_000)
      expect([await accepts(other), await accepts(other, later)]).toEqual([false, false])
      await waitFor('it to know again', () => other.blacklist.isRevoked(later).catch(() => false), 30_000)
      expect(await accepts(other)).toBe(false)
    } finally {
      await Promise.all(processes.splice(0).map((each) => each.close()))
      await redis.stop()
    }
  })
})
