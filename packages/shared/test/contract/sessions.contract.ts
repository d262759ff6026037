import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { ValueTooLargeError } from '../../src/kernel/codec/value-codec.js'
import { ConfigurationError, InvalidKeyError, SerializationError } from '../../src/kernel/errors.js'
import { homeOf, newSessionId } from '../../src/session/session-id.js'
import {
  SessionNotFoundError,
  type SessionOptions,
  SessionService,
  type SessionStore,
} from '../../src/session/index.js'
import { everythingIn, type SessionBackend } from '../support/session-backends.js'

interface Data {
  readonly count: number
  readonly note?: string
}

const KEY = (id: string) => ({ id, secret: Buffer.alloc(32, id) })

/** What sessions promise their users, on every store. Each service is a process of its own. */
export function sessionsContract(name: string, makeBackend: () => Promise<SessionBackend>): void {
  describe(`sessions on ${name}`, () => {
    let backend: SessionBackend
    let stores: SessionStore[]
    let one: SessionService<Data>
    let other: SessionService<Data>
    let user: string
    let users = 0

    beforeAll(async () => {
      backend = await makeBackend()
      stores = await Promise.all(Array.from({ length: 4 }, () => backend.store('vextrus:')))
      one = service()
      other = service({}, 1)
    })
    beforeEach(() => void (user = `user${++users}`))
    afterAll(() => backend.close())

    const service = <T = Data>(options: SessionOptions = {}, store = 0): SessionService<T> =>
      new SessionService<T>(() => stores[store]!, options)
    const under = (prefix = 'vextrus'): Promise<Map<string, string>> => everythingIn(backend.masters, prefix)

    it('200 updates of one session at the same time lose nothing, from one process and from four', async () => {
      const { id } = await one.create(user, { count: 0 })
      const increment = ({ count }: Data): Data => ({ count: count + 1 })
      await Promise.all(Array.from({ length: 200 }, () => one.update(id, increment)))
      expect((await one.get(id))!.data.count).toBe(200)
      const four = stores.map((_, store) => service({}, store))
      await Promise.all(Array.from({ length: 200 }, (_, i) => four[i % 4]!.update(id, increment)))
      expect((await one.get(id))!.data.count).toBe(400)
    })

    it('a log-out is never undone by 50 requests that are under way', async () => {
      const { id } = await one.create(user, { count: 0 })
      let waiting = 0
      let open!: () => void
      const isOpen = new Promise<void>((resolve) => (open = resolve))
      // Each of another process, for they would wait for each other in one.
      const slow = Array.from({ length: 50 }, (_, i) =>
        service({}, i % 4).update(id, async ({ count }) => {
          waiting++
          await isOpen
          return { count: count + 1 }
        }),
      )
      const failed = Promise.allSettled(slow)
      while (waiting < 50) await new Promise((resolve) => setTimeout(resolve, 1))
      const others = Array.from({ length: 48 }, (_, i) => {
        const process = [one, other][i % 2]!
        const calls = [() => process.get(id), () => process.touch(id), () => process.rotate(id), () => process.get(id)]
        return calls[i % 4]!()
      })
      const destroyed = other.destroy(id)
      const settled = Promise.allSettled(others)
      expect(await destroyed).toBe(true)
      open()
      for (const outcome of await failed) {
        expect(outcome).toMatchObject({ status: 'rejected', reason: expect.any(SessionNotFoundError) })
      }
      // Those that came before the log-out were given ids: none of them opens anything.
      for (const outcome of await settled) {
        const answer = outcome.status === 'fulfilled' ? outcome.value : null
        if (typeof answer === 'object' && answer !== null) expect(await one.get(answer.id)).toBeNull()
      }
      expect(await one.get(id)).toBeNull()
      expect(await one.listForUser(user)).toEqual([])
    })

    it('a log-out everywhere ends what was created before it, and what comes after is a new log-in', async () => {
      const before = await Promise.all(Array.from({ length: 10 }, () => one.create(user, { count: 0 })))
      const racing = Array.from({ length: 10 }, (_, i) => [one, other][i % 2]!.create(user, { count: 1 }))
      const ended = await one.destroyAllForUser(user)
      const after = await Promise.all(racing)
      for (const { id } of before) expect(await one.get(id)).toBeNull()
      const alive = (await Promise.all(after.map(({ id }) => one.get(id)))).filter((session) => session !== null)
      expect(ended + alive.length).toBe(20)
      // None of them is where a log-out everywhere would not find it.
      expect((await one.listForUser(user)).map(({ handle }) => handle).toSorted()).toEqual(
        alive.map(({ handle }) => handle).toSorted(),
      )
      expect(await other.destroyAllForUser(user)).toBe(alive.length)
    })

    it('an id that nobody was given is never adopted, and leaves nothing behind', async () => {
      const before = await under()
      const ids = Array.from({ length: 20 }, () => newSessionId(homeOf(user)))
      for (const id of [...ids, '', 'a'.repeat(46), `${ids[0]}x`, ids[0]!.slice(1), `${'%'.repeat(43)}abc`]) {
        expect(await one.get(id)).toBeNull()
        expect(await one.touch(id)).toBe(false)
        expect(await one.destroy(id)).toBe(false)
        await expect(one.update(id, (data) => data)).rejects.toThrow(SessionNotFoundError)
        await expect(one.rotate(id)).rejects.toThrow(SessionNotFoundError)
      }
      for (const odd of [undefined, null, 7, {}, ['a']]) expect(await one.get(odd as never)).toBeNull()
      expect((await under()).size).toBe(before.size)
    })

    it('a log-in has an id that nobody knew, and the one before ends with its session', async () => {
      const guest = await one.create(user, { count: 1 })
      const member = await one.create(user, guest.data)
      await one.destroy(guest.id)
      expect(member.id).not.toBe(guest.id)
      expect(member.id).toMatch(/^[\w-]{46}$/)
      expect(await one.get(guest.id)).toBeNull()
      const rotated = await one.rotate(member.id, { grace: false })
      expect(rotated.id).not.toBe(member.id)
      expect(await other.get(member.id)).toBeNull()
      expect(await other.get(rotated.id)).toMatchObject({ id: rotated.id, data: { count: 1 } })
    })

    it('an id before a rotation leads to the session for its grace', async () => {
      const { id } = await one.create(user, { count: 1 })
      const next = await one.rotate(id)
      expect((await other.update(id, ({ count }) => ({ count: count + 1 }))).handle).toBe(next.handle)
      expect((await one.get(next.id))!.data.count).toBe(2)
      expect((await other.get(id))!.handle).toBe(next.handle)
      expect(await one.destroyAllForUser(user, { except: id })).toBe(0)
      const short = service({ rotationGrace: 30 })
      const last = await short.rotate(next.id)
      await backend.server.elapse(31)
      expect(await one.get(next.id)).toBeNull()
      expect((await one.get(last.id))!.data.count).toBe(2)
    })

    it('dates, maps, sets, big integers and bytes come back as they went in', async () => {
      const rich = service<object>()
      const data = {
        at: new Date(5),
        map: new Map([['a', new Set([1])]]),
        big: 2n ** 70n,
        bytes: Buffer.from([0, 255]),
        none: undefined,
        nan: Number.NaN,
      }
      const { id } = await rich.create(user, data, { meta: { since: new Date(7), count: 3n } })
      const read = (await rich.get(id))!
      expect(read.data).toEqual(data)
      expect(read.meta).toEqual({ since: new Date(7), count: 3n })
      expect((await rich.update(id, () => ({ at: new Date(6) }))).data).toEqual({ at: new Date(6) })
    })

    it('what is too large, or can’t be stored, is refused, and the session is as it was', async () => {
      const small = service({ maxBytes: 100 })
      const { id } = await small.create(user, { count: 1 }, { meta: { device: 'x' } })
      const large = { count: 2, note: 'x'.repeat(100) }
      await expect(small.update(id, () => large)).rejects.toThrow(ValueTooLargeError)
      await expect(small.create(user, large)).rejects.toThrow(ValueTooLargeError)
      await expect(small.update(id, () => ({ count: () => 1 }) as never)).rejects.toThrow(SerializationError)
      await expect(one.create(user, { count: 1 }, { meta: { a: 'x'.repeat(5_000) } })).rejects.toThrow(
        ConfigurationError,
      )
      for (const odd of ['', 'a\nb', 'x'.repeat(1_025)]) {
        await expect(one.create(odd, { count: 1 })).rejects.toThrow(InvalidKeyError)
        await expect(one.listForUser(odd)).rejects.toThrow(InvalidKeyError)
        await expect(one.destroyAllForUser(odd)).rejects.toThrow(InvalidKeyError)
      }
      await expect(one.create(user, { count: 1 }, { tenantId: '' })).rejects.toThrow(InvalidKeyError)
      expect((await small.get(id))!.data).toEqual({ count: 1 })
      expect(await small.listForUser(user)).toHaveLength(1)
    })

    it('a change that throws leaves all as it was, and the next one is made', async () => {
      const { id } = await one.create(user, { count: 1 })
      const failing = one.update(id, () => {
        throw new Error('broken change')
      })
      const next = one.update(id, ({ count }) => ({ count: count + 1 }))
      await expect(failing).rejects.toThrow('broken change')
      expect((await next).data.count).toBe(2)
    })

    it('devices are listed by what may be shown, and one of them is ended by its handle', async () => {
      const first = await one.create(user, { count: 1 }, { tenantId: 't1', meta: { device: 'Firefox' } })
      await backend.server.elapse(2)
      const second = await one.create(user, { count: 1 })
      const list = await other.listForUser(user)
      expect(list).toMatchObject([
        { handle: first.handle, userId: user, tenantId: 't1', meta: { device: 'Firefox' } },
        { handle: second.handle, userId: user, tenantId: undefined, meta: {} },
      ])
      expect(JSON.stringify(list)).not.toContain(first.id)
      expect(list[0]!.createdAt).toEqual(first.createdAt)
      expect(await other.listForUser(user, { tenantId: 't1' })).toHaveLength(1)
      // What the list shows opens nothing, and ends nothing of another user.
      expect(await one.get(first.handle)).toBeNull()
      expect(await one.destroyOne(`${user}0`, first.handle)).toBe(false)
      expect(await one.destroyOne(user, 'nobody')).toBe(false)
      expect(await one.destroyOne(user, first.handle)).toBe(true)
      expect(await one.destroyOne(user, first.handle)).toBe(false)
      expect(await one.get(first.id)).toBeNull()
    })

    it('all of a user’s sessions end, of one tenant, or but this one', async () => {
      const mine = await one.create(user, { count: 1 }, { tenantId: 't1' })
      await one.create(user, { count: 2 }, { tenantId: 't1' })
      const elsewhere = await one.create(user, { count: 3 }, { tenantId: 't2' })
      expect(await other.destroyAllForUser(user, { tenantId: 't1', except: mine.id })).toBe(1)
      expect(await other.destroyAllForUser(user, { except: mine.id })).toBe(1)
      expect(await one.get(elsewhere.id)).toBeNull()
      expect(await one.get(mine.id)).not.toBeNull()
      expect(await other.destroyAllForUser(user)).toBe(1)
    })

    it('only hashes of ids lie in the store, and nothing of encrypted data can be read there', async () => {
      const secret = service({ encryption: { keys: [KEY('k1')] } })
      const created = await secret.create(
        user,
        { count: 1, note: 'planted-secret' },
        { meta: { device: 'planted-phone' } },
      )
      const rotated = await secret.rotate(created.id)
      const foreign = secret.foreign.newId()
      await secret.foreign.put(foreign, { note: 'planted-secret' })
      const all = [...(await under())].flat().join()
      for (const hidden of [created.id, rotated.id, foreign, 'planted-secret', 'planted-phone']) {
        expect(all).not.toContain(hidden)
      }
      if (backend.masters.length > 0) expect(all).toContain(rotated.handle)
      expect((await secret.get(rotated.id))!.data.note).toBe('planted-secret')
      expect((await secret.listForUser(user))[0]!.meta).toEqual({ device: 'planted-phone' })
    })

    it('the first key writes, and all read', async () => {
      const before = service({ encryption: { keys: [KEY('a')] } })
      const after = service({ encryption: { keys: [KEY('b'), KEY('a')] } }, 1)
      const alone = service({ encryption: { keys: [KEY('b')] } }, 2)
      const { id } = await before.create(user, { count: 1 }, { meta: { device: 'x' } })
      expect((await after.get(id))!.data.count).toBe(1)
      await expect(alone.get(id)).rejects.toThrow(SerializationError)
      // It can still be seen and ended.
      expect(await alone.listForUser(user)).toMatchObject([{ meta: {} }])
      await after.update(id, ({ count }) => ({ count: count + 1 }))
      expect((await alone.get(id))!.data.count).toBe(2)
      await expect(before.get(id)).rejects.toThrow(SerializationError)
      await expect(one.get(id)).rejects.toThrow(SerializationError)
      expect(await alone.destroyAllForUser(user)).toBe(1)
    })

    it('data that was moved to another user’s session can’t be read there', async () => {
      const secret = service({ encryption: { keys: [KEY('a')] } })
      const rich = await secret.create(user, { count: 1_000_000 })
      const poor = await secret.create(`${user}0`, { count: 0 })
      const [store] = stores as [SessionStore]
      const refOf = ({ handle, userId }: { handle: string; userId: string }) => ({ hash: handle, home: homeOf(userId) })
      const { data } = (await store.read(refOf(rich)))!
      await store.write(refOf(poor), 1, data)
      await expect(secret.get(poor.id)).rejects.toThrow(SerializationError)
      expect((await secret.get(rich.id))!.data.count).toBe(1_000_000)
      const ids = [secret.foreign.newId(), secret.foreign.newId()] as const
      for (const id of ids) await secret.foreign.put(id, { owner: id })
      expect(await secret.foreign.get(ids[0])).toEqual({ owner: ids[0] })
    })

    it('keeps nothing without an end', async () => {
      const keys = await Promise.all(backend.masters.map((master) => master.scanKeysWithoutTtl([])))
      expect(keys.flat().filter((key) => key.includes('@session'))).toEqual([])
    })
  })
}
