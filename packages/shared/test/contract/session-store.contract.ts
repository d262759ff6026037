import { createHash, randomBytes } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { homeOf } from '../../src/session/session-id.js'
import type { NewSession, SessionRef, SessionStore, StoredSession } from '../../src/session/index.js'
import { everythingIn, type SessionBackend } from '../support/session-backends.js'

const LONG_MS = 60_000
/** What two times that are the same may differ by: a server that is stopped for a moment has read one of its clocks before, the other after. */
const MOMENT_MS = 50
const text = (session: StoredSession | null | 'changed'): string =>
  session === null || session === 'changed' ? String(session) : String(session.data.payload)

/** What every store of sessions promises the service: the port, as one suite. */
export function sessionStoreContract(name: string, makeBackend: () => Promise<SessionBackend>): void {
  describe(`the session store on ${name}`, () => {
    let backend: SessionBackend
    let one: SessionStore
    let other: SessionStore
    let user: string
    let users = 0

    beforeAll(async () => {
      backend = await makeBackend()
      one = await backend.store('vextrus:')
      other = await backend.store('vextrus:')
    })
    beforeEach(() => void (user = `user${++users}`))
    afterAll(() => backend.close())

    const hashOf = (): string => createHash('sha256').update(randomBytes(8)).digest('base64url')
    const refOf = (of = user): SessionRef => ({ home: homeOf(of), hash: hashOf() })
    const dataOf = (payload: string) => ({ codec: 'j', payload })
    const userRef = (of = user) => ({ home: homeOf(of), userId: of })
    function given(more: Partial<NewSession> = {}): NewSession {
      const { userId = user } = more
      const times = { idleMs: LONG_MS, absoluteMs: 2 * LONG_MS }
      return { ...refOf(userId), userId, tenantId: null, meta: '', data: dataOf('1'), ...times, ...more }
    }
    const create = (more: Partial<NewSession> = {}): Promise<StoredSession> => one.create(given(more))
    /** Born a millisecond after all before it at least: the order of a list is told by that. */
    async function createLater(more: Partial<NewSession> = {}): Promise<StoredSession> {
      await backend.server.elapse(2)
      return create(more)
    }
    /** For how long Redis still keeps it; nothing in memory. */
    async function livesOf({ home, hash }: SessionRef): Promise<number[]> {
      const key = `vextrus@session:{${home}}:s:${hash}`
      return backend.masters.length === 0 ? [] : [Number(await backend.server.command!(key, 'PTTL', key))]
    }
    async function fieldOf({ home, hash }: SessionRef, field: string): Promise<unknown> {
      const key = `vextrus@session:{${home}}:s:${hash}`
      return backend.server.command!(key, 'HGET', key, field)
    }
    const listed = async (of = user): Promise<string[]> => (await other.list(userRef(of))).map(({ hash }) => hash)

    describe('a session', () => {
      it('is as it was created, to every client', async () => {
        const payload = Buffer.from([0, 255, 10, 13, 128])
        const meta = 'j{"device":"Firefox – Łódź"}'
        const session = given({ tenantId: 't1', meta, data: { codec: 't', payload } })
        const created = await one.create(session)
        expect(created).toMatchObject({ hash: session.hash, home: session.home, userId: user, tenantId: 't1', meta })
        expect(created.version).toBe(1)
        expect(created.seenAt).toBe(created.createdAt)
        expect(Math.abs(created.expiresAt - created.createdAt - LONG_MS)).toBeLessThan(MOMENT_MS)
        const { freshMs, ...read } = (await other.read(session))!
        expect(Buffer.from(read.data.payload)).toEqual(payload)
        expect({ ...read, data: 0 }).toEqual({ ...created, data: 0, expiresAt: read.expiresAt })
        expect(created.expiresAt - read.expiresAt).toBeLessThan(LONG_MS / 20)
        expect(freshMs).toBeLessThanOrEqual(LONG_MS / 20)
      })

      it('may have a user and a tenant of any characters', async () => {
        const [userId, tenantId] = [`${user} Łódź\u{1f30d}%c}"\\`, ' é|]%d ']
        const session = await create({ userId, tenantId })
        expect(await other.read(session)).toMatchObject({ userId, tenantId, meta: '' })
        const next = (await one.rotate(session, hashOf(), LONG_MS))!
        expect(await listed(userId)).toEqual([next.hash])
        expect(await one.destroyAll(userRef(userId), { tenantId })).toBe(1)
        expect(await listed(userId)).toEqual([])
        expect(await one.read(next)).toBeNull()
      })

      it('has no tenant where none was given', async () => {
        expect((await one.read(await create()))!.tenantId).toBeNull()
      })

      it('is not created over one that is there', async () => {
        const session = await create({ data: dataOf('mine') })
        await expect(one.create({ ...given(), hash: session.hash })).rejects.toThrow('already')
        expect(text(await one.read(session))).toBe('mine')
      })

      it('that nobody made is not there, and asking leaves nothing', async () => {
        const ref = refOf()
        expect(await one.read(ref)).toBeNull()
        expect(await one.write(ref, 1, dataOf('2'))).toBeNull()
        expect(await one.rotate(ref, hashOf(), 1_000)).toBeNull()
        expect(await one.destroy(ref, 0)).toBe(false)
        expect(await one.list(userRef())).toEqual([])
        expect(await one.destroyAll(userRef(), {})).toBe(0)
        expect(await everythingIn(backend.masters, `vextrus@session:{${homeOf(user)}}`)).toEqual(new Map())
        // Nor does it stand in the way of one that is made.
        expect(await one.create({ ...given(), hash: ref.hash })).toMatchObject({ version: 1 })
      })

      it('is written by whoever knows its version', async () => {
        const session = await create()
        const second = (await one.write(session, 1, dataOf('2'))) as StoredSession
        expect([text(second), second.version]).toEqual(['2', 2])
        expect(await other.write(session, 1, dataOf('late'))).toBe('changed')
        expect(await other.write(session, 3, dataOf('early'))).toBe('changed')
        const third = (await other.write(session, 2, dataOf('3'))) as StoredSession
        expect([text(third), third.version]).toEqual(['3', 3])
        expect(text(await one.read(session))).toBe('3')
      })

      it('is written by one of those who know the same version', async () => {
        const session = await create()
        const replies = await Promise.all(
          Array.from({ length: 20 }, (_, i) => [one, other][i % 2]!.write(session, 1, dataOf(String(i)))),
        )
        expect(replies.filter((reply) => reply === 'changed')).toHaveLength(19)
        expect((await one.read(session))!.version).toBe(2)
      })
    })

    describe('ends', () => {
      it('when nobody has read it for its idle time', async () => {
        const session = await create({ idleMs: 40 })
        await backend.server.elapse(41)
        expect(await one.read(session)).toBeNull()
        expect(await one.write(session, 1, dataOf('2'))).toBeNull()
        expect(await one.rotate(session, hashOf(), 1_000)).toBeNull()
        expect(await one.destroy(session, 0)).toBe(false)
      })

      it('later when somebody reads or writes it: its idle time begins anew, and its absolute one does not', async () => {
        const [read, written, rotated, listed] = await Promise.all([
          ...[0, 1, 2, 3].map(() => create({ idleMs: 4_000, absoluteMs: 4_150 })),
        ])
        // More than a twentieth.
        await backend.server.elapse(210)
        const after = [
          (await one.read(read!))!,
          (await one.write(written!, 1, dataOf('2'))) as StoredSession,
          (await one.rotate(rotated!, hashOf(), 0))!,
        ]
        for (const { seenAt, createdAt, expiresAt } of after) {
          expect(seenAt - createdAt).toBeGreaterThanOrEqual(210)
          // By its idle time alone it would end later.
          expect(Math.abs(expiresAt - createdAt - 4_150)).toBeLessThan(MOMENT_MS)
        }
        // To look at it is not to use it.
        const untouched = (await one.list(userRef())).find(({ hash }) => hash === listed!.hash)!
        expect(untouched.seenAt).toBe(listed!.createdAt)
        expect(Math.abs(untouched.expiresAt - listed!.createdAt - 4_000)).toBeLessThan(MOMENT_MS)
      })

      it('no later for another read within the time that a read calls fresh', async () => {
        const session = await create()
        const { freshMs, expiresAt } = (await one.read(session))!
        expect(freshMs).toBeGreaterThan(0)
        expect(freshMs).toBeLessThanOrEqual(LONG_MS / 20)
        expect((await one.read(session))!.expiresAt).toBe(expiresAt)
        const ending = (await one.read(await create({ absoluteMs: 2_000 })))!
        expect(ending.freshMs).toBeLessThanOrEqual(2_000)
        const short = (await one.read(await create({ idleMs: 4_000 })))!
        await backend.server.elapse(short.freshMs + 2)
        expect((await one.read(short))!.expiresAt).toBeGreaterThan(short.expiresAt)
      })

      it('at its absolute end, however often it is read', async () => {
        const session = await create({ absoluteMs: 40 })
        expect(session.expiresAt).toBeLessThanOrEqual(session.createdAt + 40)
        await one.read(session)
        await backend.server.elapse(41)
        expect(await one.read(session)).toBeNull()
      })

      it('and a read within a twentieth of its idle time writes nothing', async () => {
        const session = await create()
        for (let i = 0; i < 3; i++) expect((await one.read(session))!.seenAt).toBe(session.createdAt)
        expect(Math.abs((await one.read(session))!.expiresAt - session.expiresAt)).toBeLessThan(MOMENT_MS)
      })
    })

    describe('destroying', () => {
      it('ends it for everybody, and for writers that are under way', async () => {
        const session = await create()
        expect(await other.destroy(session, 0)).toBe(true)
        expect(await one.read(session)).toBeNull()
        expect(await one.write(session, 1, dataOf('late'))).toBeNull()
        expect(await one.rotate(session, hashOf(), 1_000)).toBeNull()
        expect(await one.put({ ...given(), hash: session.hash })).toBe(false)
        await expect(one.create({ ...given(), hash: session.hash })).rejects.toThrow()
        expect(await one.destroy(session, 0)).toBe(false)
        expect(await listed()).toEqual([])
      })

      it('leaves a tombstone until its absolute end, and not longer', async () => {
        const session = await create({ idleMs: 2_000, absoluteMs: LONG_MS })
        await one.destroy(session, 0)
        // Its life is looked at, where there is a server: to wait for the end of the idle time would take that long.
        if (backend.masters.length === 0) await backend.server.elapse(2_001)
        for (const life of await livesOf(session)) {
          expect(life).toBeGreaterThan(LONG_MS / 2)
          expect(life).toBeLessThanOrEqual(LONG_MS)
        }
        expect(await one.put({ ...given(), hash: session.hash })).toBe(false)
        const short = await create({ idleMs: 40, absoluteMs: 40 })
        await one.destroy(short, 0)
        await backend.server.elapse(41)
        expect(await one.put({ ...given(), hash: short.hash })).toBe(true)
      })

      it('leaves one where nothing is known for as long as it is told to', async () => {
        const known = refOf()
        expect(await one.destroy(known, LONG_MS)).toBe(false)
        expect(await one.put({ ...given(), ...known })).toBe(false)
        // Once more is no less.
        expect(await one.destroy(known, 1)).toBe(false)
        await backend.server.elapse(2)
        expect(await one.put({ ...given(), ...known })).toBe(false)
        const short = refOf()
        await one.destroy(short, 30)
        await backend.server.elapse(31)
        expect(await one.put({ ...given(), ...short })).toBe(true)
      })
    })

    describe('putting', () => {
      it('creates what is not there, and replaces what is', async () => {
        const session = given({ data: dataOf('a'), absoluteMs: 1_000_000 })
        expect(await one.put(session)).toBe(true)
        const first = (await one.read(session))!
        expect(await other.put({ ...session, data: dataOf('b'), meta: 'j{}', absoluteMs: 2_000_000 })).toBe(true)
        const second = (await one.read(session))!
        expect([text(first), text(second), second.meta, second.version]).toEqual(['a', 'b', 'j{}', 2])
        expect(second.createdAt).toBe(first.createdAt)
        expect(await listed()).toEqual([session.hash])
      })

      it('does not put off the absolute end', async () => {
        const session = await create({ absoluteMs: 20_000 })
        expect(await one.put({ ...given({ absoluteMs: LONG_MS }), hash: session.hash })).toBe(true)
        expect(Math.abs((await one.read(session))!.expiresAt - session.createdAt - 20_000)).toBeLessThan(MOMENT_MS)
      })

      it('may change whose it is, where their homes are one', async () => {
        const session = given({ userId: '', home: homeOf(user) })
        expect(await one.put(session)).toBe(true)
        expect(await listed()).toEqual([])
        expect(await one.put({ ...session, userId: user })).toBe(true)
        expect(await listed()).toEqual([session.hash])
        expect(await one.put(session)).toBe(true)
        expect(await listed()).toEqual([])
      })

      it('over an id before replaces the session that it leads to, and none when it leads there no more', async () => {
        const session = await create()
        const next = (await one.rotate(session, hashOf(), LONG_MS))!
        expect(await one.put({ ...given({ data: dataOf('b') }), hash: session.hash })).toBe(true)
        expect(text(await one.read(next))).toBe('b')
        expect(await listed()).toEqual([next.hash])
        const last = (await one.rotate(next, hashOf(), 0))!
        expect(await one.put({ ...given({ data: dataOf('c') }), hash: next.hash })).toBe(false)
        expect(await one.read(next)).toBeNull()
        expect(text(await one.read(last))).toBe('b')
      })
    })

    describe('rotating', () => {
      it('moves it, with all that it has, and its place in the index', async () => {
        const session = await create({ tenantId: 't1', meta: 'j{}' })
        await one.write(session, 1, dataOf('2'))
        const next = (await one.rotate(session, hashOf(), 0))!
        expect(next.hash).not.toBe(session.hash)
        expect(next).toMatchObject({ userId: user, tenantId: 't1', meta: 'j{}', version: 2, home: session.home })
        expect(next.createdAt).toBe(session.createdAt)
        expect(await listed()).toEqual([next.hash])
        expect(text(await other.read(next))).toBe('2')
      })

      it('without a grace leaves nothing at the id before but a tombstone', async () => {
        const session = await create()
        await one.rotate(session, hashOf(), 0)
        expect(await one.read(session)).toBeNull()
        expect(await one.write(session, 1, dataOf('late'))).toBeNull()
        expect(await one.destroy(session, 0)).toBe(false)
        expect(await one.put({ ...given(), hash: session.hash })).toBe(false)
        expect(await listed()).toHaveLength(1)
      })

      it('lets the id before read and write it during the grace, and says which id it has', async () => {
        const session = await create()
        const next = (await one.rotate(session, hashOf(), LONG_MS))!
        expect((await other.read(session))!.hash).toBe(next.hash)
        const written = (await other.write(session, 1, dataOf('2'))) as StoredSession
        expect([written.hash, text(written)]).toEqual([next.hash, '2'])
        expect(text(await one.read(next))).toBe('2')
      })

      it('closes the id before when the grace is over, to `put` as well', async () => {
        const session = await create()
        const next = (await one.rotate(session, hashOf(), 40))!
        await backend.server.elapse(41)
        expect(await one.read(session)).toBeNull()
        expect(await one.destroy(session, 0)).toBe(false)
        expect(await one.put({ ...given(), hash: session.hash })).toBe(false)
        expect(await one.read(next)).not.toBeNull()
      })

      it('follows a chain of ids, each for its own grace', async () => {
        const ids = [await create()]
        for (let i = 0; i < 3; i++) ids.push((await one.rotate(ids[0]!, hashOf(), LONG_MS))!)
        for (const id of ids) expect((await one.read(id))!.hash).toBe(ids[3]!.hash)
        expect(await listed()).toEqual([ids[3]!.hash])
        const last = (await one.rotate(ids[1]!, hashOf(), 0))!
        for (const id of ids) expect(await one.read(id)).toBeNull()
        expect(await one.read(last)).not.toBeNull()
      })

      it('many times is no longer a way: the oldest and every other id reads and ends the session', async () => {
        const first = await create()
        const ids = [first]
        // From the newest, which has no way yet that would be shortened, and from older ones.
        for (let i = 0; i < 30; i++) ids.push((await one.rotate(ids[i < 20 ? i : i - 20]!, hashOf(), LONG_MS))!)
        for (const id of ids) expect((await other.read(id))!.hash).toBe(ids[30]!.hash)
        expect(await other.destroy(ids[1]!, 0)).toBe(true)
        for (const id of ids) expect(await other.read(id)).toBeNull()
      })

      it('leads no longer to a session than the shortest grace on the way', async () => {
        const first = await create()
        const second = (await one.rotate(first, hashOf(), LONG_MS))!
        const third = (await one.rotate(second, hashOf(), 2_000))!
        expect((await one.read(first))!.hash).toBe(third.hash)
        if (backend.masters.length === 0) {
          await backend.server.elapse(2_001)
          expect(await one.read(first)).toBeNull()
          expect(await one.read(third)).not.toBeNull()
          return
        }
        // Looked at instead of waited for.
        const [ends, endsOfSecond] = await Promise.all([first, second].map((id) => fieldOf(id, 'g')))
        expect(ends).toBe(endsOfSecond)
        expect(await fieldOf(first, 'n')).toBe(third.hash)
      })

      it('ends the session by whichever id is destroyed, and all its ids with it', async () => {
        const first = await create()
        const second = (await one.rotate(first, hashOf(), LONG_MS))!
        const third = (await one.rotate(second, hashOf(), LONG_MS))!
        expect(await other.destroy(first, 0)).toBe(true)
        for (const id of [first, second, third]) {
          expect(await one.read(id)).toBeNull()
          expect(await one.put({ ...given(), hash: id.hash })).toBe(false)
        }
        expect(await listed()).toEqual([])
      })

      it('at the same time by two leads both to the one session', async () => {
        const session = await create()
        const nexts = await Promise.all([one, other].map((store) => store.rotate(session, hashOf(), LONG_MS)))
        const hashes = await Promise.all(nexts.map(async (next) => (await one.read(next!))!.hash))
        expect(new Set(hashes).size).toBe(1)
        expect(await listed()).toEqual([hashes[0]])
      })
    })

    describe('the index', () => {
      it('lists a user’s sessions, oldest first, and nobody else’s', async () => {
        const sessions = [await create(), await createLater({ tenantId: 't1' }), await createLater()]
        await create({ userId: `${user}0` })
        expect(await other.list(userRef())).toMatchObject(
          sessions.map(({ hash, tenantId, createdAt }) => ({ hash, tenantId, createdAt, userId: user })),
        )
      })

      it('loses what has ended when it is read', async () => {
        const stays = await create()
        await createLater({ idleMs: 30 })
        const ended = await createLater()
        await one.destroy(ended, 0)
        await backend.server.elapse(31)
        expect(await listed()).toEqual([stays.hash])
        for (const [key, content] of await everythingIn(backend.masters, `vextrus@session:{${homeOf(user)}}:u:`)) {
          expect([key, content]).toEqual([expect.any(String), JSON.stringify([stays.hash])])
        }
      })

      it('keeps a session that outlives those before it', async () => {
        await create({ absoluteMs: 50 })
        const stays = await create({ absoluteMs: LONG_MS })
        await create({ absoluteMs: 50 })
        await backend.server.elapse(51)
        expect(await listed()).toEqual([stays.hash])
      })

      it('ends the oldest beyond `maxPerUser`, never the new one', async () => {
        const ended = await create({ maxPerUser: 2 })
        const stays = await createLater({ maxPerUser: 2 })
        // What ended by itself counts no more.
        await createLater({ idleMs: 20 })
        await backend.server.elapse(21)
        const last = await createLater({ maxPerUser: 2 })
        expect(await listed()).toEqual([stays.hash, last.hash])
        expect(await one.read(ended)).toBeNull()
        expect(await one.put({ ...given(), hash: ended.hash })).toBe(false)
        const together = await Promise.all(Array.from({ length: 30 }, () => create({ maxPerUser: 1 })))
        expect(together.map(({ userId }) => userId)).toEqual(together.map(() => user))
        expect(await listed()).toHaveLength(1)
      })
    })

    describe('destroying all', () => {
      it('ends every session of the user, and nobody else’s', async () => {
        const sessions = [await create(), await create({ tenantId: 't1' })]
        const others = await create({ userId: `${user}0` })
        expect(await other.destroyAll(userRef(), {})).toBe(2)
        for (const session of sessions) {
          expect(await one.read(session)).toBeNull()
          expect(await one.put({ ...given(), hash: session.hash })).toBe(false)
        }
        expect(await listed()).toEqual([])
        expect(await one.read(others)).not.toBeNull()
        expect(await one.destroyAll(userRef(), {})).toBe(0)
      })

      it('ends those of one tenant alone', async () => {
        const [none, t1, t2] = [await create(), await create({ tenantId: 't1' }), await create({ tenantId: 't2' })]
        expect(await one.destroyAll(userRef(), { tenantId: 't1' })).toBe(1)
        expect(await one.read(t1)).toBeNull()
        expect(new Set(await listed())).toEqual(new Set([none.hash, t2.hash]))
      })

      it('spares one, also when it is named by its id before', async () => {
        const spared = await create()
        await create()
        await create({ tenantId: 't1' })
        const next = (await one.rotate(spared, hashOf(), LONG_MS))!
        expect(await one.destroyAll(userRef(), { exceptHash: spared.hash })).toBe(2)
        expect(await listed()).toEqual([next.hash])
        expect(await one.destroyAll(userRef(), { exceptHash: next.hash, tenantId: 't1' })).toBe(0)
        expect(await one.read(next)).not.toBeNull()
        // An id of which nobody knows spares nobody.
        expect(await one.destroyAll(userRef(), { exceptHash: hashOf() })).toBe(1)
      })

      it('ends a session that is reached by the id before as well', async () => {
        const session = await create()
        await one.rotate(session, hashOf(), LONG_MS)
        expect(await one.destroyAll(userRef(), {})).toBe(1)
        expect(await one.read(session)).toBeNull()
        expect(await one.put({ ...given(), hash: session.hash })).toBe(false)
      })
    })

    it('keeps nothing without an end', async () => {
      const session = await create({ maxPerUser: 5 })
      await one.write(session, 1, dataOf('2'))
      const next = (await one.rotate(session, hashOf(), 1_000))!
      await one.put(given())
      await one.destroy(next, 0)
      await one.destroy(refOf(), 1_000)
      await create()
      await one.destroyAll(userRef(), {})
      const keys = await Promise.all(backend.masters.map((master) => master.scanKeysWithoutTtl([])))
      expect(keys.flat().filter((key) => key.includes('@session'))).toEqual([])
      expect((await everythingIn(backend.masters, 'vextrus@session:')).size > 0).toBe(backend.masters.length > 0)
    })

    it('keeps prefixes apart', async () => {
      const session = await create()
      const stranger = await backend.store('vextrus-another:')
      expect(await stranger.read(session)).toBeNull()
      expect(await stranger.list(userRef())).toEqual([])
      expect(await stranger.destroyAll(userRef(), {})).toBe(0)
    })
  })
}
