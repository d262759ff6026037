/**
 * What `express-session` and `@fastify/session` ask of a store, in words of our own, by HTTP on Express and Fastify: with the library's own store, with
 * ours in memory and with ours on a real Redis. Each scenario has the same outcome for all.
 *
 * - a session begins with its first data, and is there again with its cookie; without data nothing is stored and no cookie set
 * - an id that was never given, that was tampered with, or whose session is gone, is not adopted: another one is given
 * - what a request changes is there in the next; two sessions don't touch each other
 * - `destroy` ends it; `regenerate` gives another id and ends the one before; `unset: 'destroy'`
 * - `reload` brings what another request has saved, and fails when the session is gone
 * - the cookie's `maxAge` comes back as it was, its `expires` as a date; the session lives as long, from each request anew; a `maxAge` that is over
 *   ends it
 * - what a store can't do reaches the application as an error
 *
 * Ours alone: after a log-out nothing that was under way brings it back; nothing readable lies in Redis; a session of a user is among theirs.
 */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { RedisSessionStore, type RedisSessionStoreOptions } from '../../src/integrations/express-session.js'
import { SessionService, type SessionOptions, SessionUnavailableError } from '../../src/session/index.js'
import { placeOf } from '../../src/session/session-id.js'
import { everythingIn, memorySessions, redisSessions, type SessionBackend } from '../support/session-backends.js'
import { Browser, expressSite, fastifySite, type SessionSite, type SiteOptions } from '../support/session-sites.js'

const backends = {} as Record<'memory' | 'redis', SessionBackend>
beforeAll(async () => {
  backends.memory = await memorySessions()
  backends.redis = await redisSessions()
})
afterAll(() => Promise.all(Object.values(backends).map((backend) => backend.close())))

let site: SessionSite | undefined
afterEach(async () => {
  await site?.close()
  site = undefined
})

let prefixes = 0
async function ours(
  where: 'memory' | 'redis',
  options: RedisSessionStoreOptions<never> = {},
  sessionOptions: SessionOptions = {},
) {
  const prefix = `web${++prefixes}:`
  const port = await backends[where].store(prefix)
  const sessions = new SessionService(() => port, sessionOptions)
  return { prefix, port, sessions, store: new RedisSessionStore(sessions, options) }
}

/** Work that goes on when the test says so. @param requests that do it */
function gate(requests = 1) {
  let waiting = 0
  let begun!: () => void
  let open!: () => void
  const isBegun = new Promise<void>((resolve) => (begun = resolve))
  const isOpen = new Promise<void>((resolve) => (open = resolve))
  const slow = (): Promise<void> => {
    if (++waiting === requests) begun()
    return isOpen
  }
  return { slow, isBegun, open }
}

const SITES = { 'express-session': expressSite, '@fastify/session': fastifySite }
const STORES = {
  'its own store': async () => undefined,
  'ours in memory': async () => (await ours('memory')).store,
  'ours on Redis': async () => (await ours('redis')).store,
}
type Library = keyof typeof SITES

describe.each(
  (Object.keys(SITES) as Library[]).flatMap((library) =>
    (Object.keys(STORES) as (keyof typeof STORES)[]).map((store) => [library, store] as const),
  ),
)('%s with %s', (library, storeName) => {
  const open = async (options: Omit<SiteOptions, 'store'> = {}): Promise<Browser> => {
    site = await SITES[library]({ store: await STORES[storeName](), ...options })
    return new Browser(site)
  }

  it('a session begins with its first data, and is there again with its cookie', async () => {
    const browser = await open()
    expect(await browser.get('/show')).toMatchObject({ status: 200, set: false, data: {} })
    const first = await browser.get('/set?a=1')
    expect(first).toMatchObject({ set: true, data: { a: '1' } })
    expect(await browser.get('/show')).toMatchObject({ id: first.id, data: { a: '1' } })
    await browser.get('/set?b=Łódź')
    expect(await browser.get('/show')).toMatchObject({ id: first.id, data: { a: '1', b: 'Łódź' } })
    const other = new Browser(site!)
    await other.get('/set?a=2')
    expect((await other.get('/show')).data).toEqual({ a: '2' })
    expect((await browser.get('/show')).data).toEqual({ a: '1', b: 'Łódź' })
  })

  it('a session without data is stored when the library says so', async () => {
    const browser = await open({ saveUninitialized: true })
    const { id, set } = await browser.get('/show')
    expect(set).toBe(true)
    expect((await browser.get('/show')).id).toBe(id)
  })

  it('an id that was not given, or is tampered with, is never adopted', async () => {
    const browser = await open()
    const { id } = await browser.get('/set?a=1')
    const cookie = browser.cookie!
    const other = cookie.replace(
      /=([\w%-]{4})(.)/,
      (_, head: string, sign: string) => `=${head}${sign === 'A' ? 'B' : 'A'}`,
    )
    expect(other).not.toBe(cookie)
    for (const forged of ['sid=nobody', 'sid=', `${cookie}x`, `sid=${id}`, other]) {
      const thief = new Browser(site!)
      thief.cookie = forged
      const answer = await thief.get('/set?b=2')
      expect([forged, answer.data]).toEqual([forged, { b: '2' }])
      expect(answer.id).not.toBe(id)
    }
    expect((await browser.get('/show')).data).toEqual({ a: '1' })
  })

  it('destroying ends it, and its id is not used again', async () => {
    const browser = await open()
    const { id } = await browser.get('/set?a=1')
    const cookie = browser.cookie!
    expect(await browser.get('/destroy')).toMatchObject({ status: 200, destroyed: true })
    browser.cookie = cookie
    const after = await browser.get('/set?b=2')
    expect(after.data).toEqual({ b: '2' })
    expect(after.id).not.toBe(id)
  })

  it('regenerating gives another id, and ends the session before', async () => {
    const browser = await open()
    const { id } = await browser.get('/set?a=1')
    const thief = new Browser(site!)
    thief.cookie = browser.cookie
    const after = await browser.get('/regenerate?user=u1')
    expect(after).toMatchObject({ status: 200, set: true, data: { user: 'u1' } })
    expect(after.id).not.toBe(id)
    expect(await browser.get('/show')).toMatchObject({ id: after.id, data: { user: 'u1' } })
    expect((await thief.get('/show')).data).toEqual({})
  })

  it('reloading brings what another request has saved', async () => {
    const { slow, isBegun, open: goOn } = gate()
    const browser = await open({ slow })
    await browser.get('/set?a=1')
    const reloaded = browser.get('/reload')
    await isBegun
    await browser.get('/set?a=2&b=3')
    goOn()
    expect((await reloaded).data).toEqual({ a: '2', b: '3' })
  })

  it('the cookie comes back as it was, and a time that is over ends the session', async () => {
    const browser = await open({ cookie: { maxAge: 600_000, path: '/', sameSite: 'strict' } })
    const { id } = await browser.get('/set?a=1')
    const { cookie } = await browser.get('/show')
    expect(cookie).toMatchObject({ path: '/', httpOnly: true, sameSite: 'strict' })
    // express-session looks at the clock twice when a request begins.
    expect(cookie.originalMaxAge).toBeGreaterThan(540_000)
    expect(cookie.originalMaxAge).toBeLessThanOrEqual(600_000)
    expect(Math.abs(new Date(cookie.expires).getTime() - Date.now() - 600_000)).toBeLessThan(60_000)
    const before = browser.cookie
    await browser.get('/for?ms=-1')
    browser.cookie = before
    const after = await browser.get('/show')
    expect(after.data).toEqual({})
    expect(after.id).not.toBe(id)
  })
})

describe.each(['memory', 'redis'] as const)('express-session with ours on %s', (where) => {
  it('ends a session whose request sets it to null, with `unset`', async () => {
    const { store } = await ours(where)
    site = await expressSite({ store, unset: 'destroy' })
    const browser = new Browser(site)
    await browser.get('/set?a=1')
    const { cookie } = browser
    await browser.get('/unset')
    browser.cookie = cookie
    expect((await browser.get('/show')).data).toEqual({})
  })

  it('loads a session outside of a request, with a cookie whose end is a date', async () => {
    const { store } = await ours(where)
    site = await expressSite({ store, cookie: { maxAge: 60_000 } })
    const { id } = await new Browser(site).get('/set?a=1')
    const loaded = await new Promise<{ a: string; id: string; cookie: { expires: Date; maxAge: number } }>((resolve) =>
      store.load(id, (_, session) => resolve(session)),
    )
    expect([loaded.a, loaded.id]).toEqual(['1', id])
    expect(loaded.cookie.expires).toBeInstanceOf(Date)
    expect(loaded.cookie.maxAge).toBeGreaterThan(0)
    expect(await new Promise((resolve) => store.load('nobody', (_, session) => resolve(session)))).toBeUndefined()
    // The time that it has is the one that it was given, not what is left of it.
    const cookie = { originalMaxAge: 600_000, expires: new Date(Date.now() + 300_000) }
    await new Promise((resolve) => store.set('half', { cookie }, resolve))
    const half = await new Promise<typeof loaded & { cookie: typeof cookie }>((resolve) =>
      store.load('half', (_, session) => resolve(session)),
    )
    expect(half.cookie).toMatchObject(cookie)
  })

  it('ends a session in any case, whatever its cookie says of time', async () => {
    const { store, port } = await ours(where)
    const lifeOf = async (cookie: object): Promise<unknown> => {
      const error = await new Promise((resolve) => store.set('a', { cookie }, resolve))
      const stored = await port.read(placeOf('a'))
      return error ?? (stored && stored.expiresAt - stored.seenAt)
    }
    const century = 36_525 * 86_400_000
    expect(await lifeOf({ originalMaxAge: NaN, expires: new Date(NaN) })).toBe(1_800_000)
    expect(await lifeOf({ originalMaxAge: null, expires: 'never' })).toBe(1_800_000)
    expect(await lifeOf({})).toBe(1_800_000)
    // The absolute end was said when it began.
    expect(await lifeOf({ originalMaxAge: Infinity })).toBeLessThanOrEqual(43_200_000)
    await new Promise((resolve) => store.destroy('a', resolve))
    for (const ms of [century + 1, Infinity]) {
      const [id, cookie] = [`b${ms}`, { originalMaxAge: ms }]
      await new Promise((resolve) => store.set(id, { cookie }, resolve))
      const { expiresAt, createdAt } = (await port.read(placeOf(id)))!
      expect(expiresAt - createdAt).toBeLessThanOrEqual(century)
    }
  })

  it('a reload fails when the session is gone', async () => {
    const { slow, isBegun, open } = gate()
    const { store } = await ours(where)
    site = await expressSite({ store, slow })
    const browser = new Browser(site)
    await browser.get('/set?a=1')
    const reloaded = browser.get('/reload')
    await isBegun
    await browser.get('/destroy')
    open()
    expect(await reloaded).toMatchObject({ status: 500, error: 'failed to load session' })
  })

  it('a request that reads begins the idle time anew, and writes nothing else', async () => {
    const { store, port } = await ours(where, { idle: '4s' })
    site = await expressSite({ store })
    const browser = new Browser(site)
    const { id } = await browser.get('/set?a=1')
    const { home, hash } = placeOf(id)
    const before = (await port.read({ home, hash }))!
    await backends[where].server.elapse(210)
    await browser.get('/show')
    const after = (await port.read({ home, hash }))!
    expect(after.seenAt - before.seenAt).toBeGreaterThanOrEqual(210)
    expect([after.version, after.createdAt]).toEqual([before.version, before.createdAt])
  })
})

describe.each(
  (Object.keys(SITES) as Library[]).flatMap((library) => [[library, 'memory'] as const, [library, 'redis'] as const]),
)('%s with ours on %s', (library, where) => {
  it('a log-out is not undone by 50 slow requests that save the session after it', async () => {
    const { slow, isBegun, open } = gate(50)
    const { store, sessions } = await ours(where)
    site = await SITES[library]({ store, slow })
    const browser = new Browser(site)
    const { id } = await browser.get('/set?a=1')
    const { cookie } = browser
    const slowOnes = Array.from({ length: 50 }, (_, i) => {
      const tab = new Browser(site!)
      tab.cookie = cookie
      return tab.get(`/slow?late=${i}`)
    })
    await isBegun
    await browser.get('/destroy')
    open()
    for (const answer of await Promise.all(slowOnes)) expect(answer.status).toBe(200)
    browser.cookie = cookie
    expect((await browser.get('/show')).data).toEqual({})
    expect(await sessions.foreign.get(id)).toBeNull()
  })

  it('lives as long as its cookie says, and no longer than `absolute`', async () => {
    const { store, port } = await ours(where, { absolute: '20m' })
    site = await SITES[library]({ store, cookie: { maxAge: 600_000 } })
    const browser = new Browser(site)
    const lifeOf = async (id: string): Promise<number> => {
      const { expiresAt, seenAt } = (await port.read(placeOf(id)))!
      return expiresAt - seenAt
    }
    const { id } = await browser.get('/set?a=1')
    expect(Math.abs((await lifeOf(id)) - 600_000)).toBeLessThanOrEqual(60_000 / 2)
    await browser.get('/for?ms=3600000')
    expect(await lifeOf(id)).toBeLessThanOrEqual(1_200_001)
    expect(await lifeOf(id)).toBeGreaterThan(900_000)
  })

  it('is one of its user’s, when its id was made for them', async () => {
    const userOf = ({ user }: { user?: string }) => (user === undefined ? undefined : { userId: user, tenantId: 't1' })
    const { store, sessions } = await ours(where, { userOf: userOf as never })
    site = await SITES[library]({ store, idFor: (user) => store.idFor(user) })
    const [one, other, stranger] = [new Browser(site), new Browser(site), new Browser(site)]
    for (const browser of [one, other]) {
      await browser.get('/set?cart=pen')
      await browser.get('/regenerate?user=u1')
    }
    await stranger.get('/set?user=u2')
    // Its id was made when nobody knew whose it would be.
    await stranger.get('/show')
    const listed = await sessions.listForUser('u1', { tenantId: 't1' })
    expect(listed).toHaveLength(2)
    expect(await sessions.destroyAllForUser('u1')).toBe(2)
    expect([(await one.get('/show')).data, (await other.get('/show')).data]).toEqual([{}, {}])
    expect((await stranger.get('/show')).data).toEqual({ user: 'u2' })
  })

  it('what the store can’t do reaches the application', async () => {
    const { store, port } = await ours(where)
    site = await SITES[library]({ store })
    const browser = new Browser(site)
    await browser.get('/set?a=1')
    const { destroy, read } = port
    const away = (): Promise<never> => Promise.reject(new SessionUnavailableError('away'))
    port.destroy = away
    expect(await browser.get('/destroy')).toMatchObject({ status: 500, error: 'SESSION_UNAVAILABLE' })
    port.destroy = destroy
    port.read = away
    const { cookie } = browser
    expect(await browser.get('/show')).toMatchObject({ status: 500, error: 'SESSION_UNAVAILABLE' })
    port.read = read
    browser.cookie = cookie
    expect((await browser.get('/show')).data).toEqual({ a: '1' })
  })
})

it('nothing of a session can be read in Redis', async () => {
  const keys = { keys: [{ id: 'k1', secret: Buffer.alloc(32, 7) }] }
  const { store, prefix, port } = await ours('redis', {}, { encryption: keys })
  site = await expressSite({ store })
  const browser = new Browser(site)
  const { id } = await browser.get('/set?secret=planted-value')
  const all = [...(await everythingIn(backends.redis.masters, prefix.slice(0, -1)))].flat().join()
  expect(all).toContain(placeOf(id).hash)
  expect(all).not.toContain(id)
  expect(all).not.toContain('planted-value')
  expect((await browser.get('/show')).data).toEqual({ secret: 'planted-value' })
  // Without the key there is no session; the browser gets another one.
  const other = new RedisSessionStore(new SessionService(() => port))
  expect(await new Promise((resolve) => other.get(id, (_, session) => resolve(session)))).toBeNull()
})
