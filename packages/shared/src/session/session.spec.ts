import { describe, expect, it, vi } from 'vitest'
import { ConfigurationError, InvalidDurationError } from '../kernel/errors.js'
import { MemoryHub } from '../kernel/memory-hub.js'
import { FakeClock } from '../testing/fake-clock.js'
import { SessionConflictError, SessionNotFoundError, SessionUnavailableError } from './errors.js'
import { sessionCreated, sessionDestroyed } from './events.js'
import type { SessionOptions } from './options.js'
import { SessionService, type SessionSurroundings } from './session.js'
import type { SessionStore } from './session-store.js'
import { MemorySessionStore } from './stores/memory.js'

interface Data {
  readonly count: number
}

function world(options: SessionOptions = {}, surroundings: SessionSurroundings = {}) {
  const clock = new FakeClock()
  const store: SessionStore = new MemorySessionStore(new MemoryHub({ clock }), 'vextrus:')
  const sessions = new SessionService<Data>(() => store, options, { clock, ...surroundings })
  return { clock, store, sessions }
}

describe('the times of a session', () => {
  it('are 30 minutes without use and 12 hours in any case', async () => {
    const { sessions, clock } = world()
    const { id, createdAt, expiresAt } = await sessions.create('u1', { count: 0 })
    expect(expiresAt.getTime() - createdAt.getTime()).toBe(1_800_000)
    await clock.advance(1_799_999)
    expect(await sessions.get(id)).not.toBeNull()
    for (let hours = 0.5; hours < 11.5; hours += 0.25) {
      await clock.advance('15m')
      expect(await sessions.touch(id)).toBe(true)
    }
    const last = (await sessions.get(id))!
    expect(last.expiresAt.getTime() - last.createdAt.getTime()).toBeLessThanOrEqual(43_200_000)
    await clock.advance('31m')
    expect(await sessions.touch(id)).toBe(false)
    expect(await sessions.get(id)).toBeNull()
  })

  it('of another library begin anew with a touch, which a read of just before has done already', async () => {
    const { sessions, store, clock } = world({ idle: '20s' })
    const read = vi.spyOn(store, 'read')
    const { foreign } = sessions
    await foreign.put('a', { count: 0 })
    await clock.advance(900)
    expect(await foreign.get('a')).toEqual({ count: 0 })
    await clock.advance(99)
    expect([await foreign.touch('a'), read.mock.calls.length]).toEqual([true, 1])
    // A twentieth is over: one that asks for a long time keeps its session.
    await clock.advance(2)
    expect([await foreign.touch('a'), read.mock.calls.length]).toEqual([true, 2])
    await clock.advance(19_999)
    expect(await foreign.get('a')).toEqual({ count: 0 })
    await foreign.destroy('a')
    expect(await foreign.touch('a')).toBe(false)
    await clock.advance('1h')
    await foreign.put('a', { count: 1 }, { idleMs: 100 })
    await foreign.get('a')
    await clock.advance(100)
    expect(await foreign.touch('a')).toBe(false)
  })

  it('are those of the options', async () => {
    const { sessions, clock } = world({ idle: '1m', absolute: 100, maxPerUser: 1 })
    const { id } = await sessions.create('u1', { count: 0 })
    await clock.advance('59s')
    expect(await sessions.get(id)).not.toBeNull()
    await clock.advance('41s')
    expect(await sessions.get(id)).toBeNull()
    const first = await sessions.create('u1', { count: 0 })
    await sessions.create('u1', { count: 0 })
    expect(await sessions.get(first.id)).toBeNull()
    const other = await sessions.create('u1', { count: 0 })
    await clock.advance('1m')
    expect(await sessions.touch(other.id)).toBe(false)
  })

  it.each([
    ['session.idle', { idle: 0 }, InvalidDurationError],
    ['session.idle', { idle: '13h' }, ConfigurationError],
    ['session.absolute', { absolute: -1 }, InvalidDurationError],
    ['session.rotationGrace', { rotationGrace: Number.NaN }, InvalidDurationError],
    ['session.maxPerUser', { maxPerUser: 0 }, ConfigurationError],
    ['session.maxBytes', { maxBytes: 1.5 }, ConfigurationError],
    ['session.ttl', { ttl: 5 }, ConfigurationError],
    ['session', 'none', ConfigurationError],
    ['encryption', { encryption: { keys: [] } }, ConfigurationError],
  ])('are checked, and %s is named', (option, options, Failure) => {
    const make = (): unknown => world(options as SessionOptions)
    expect(make).toThrow(Failure)
    expect(make).toThrow(option)
  })
})

describe('a change', () => {
  it('is made again when another was faster, on what that one left', async () => {
    const { sessions, store, clock } = world()
    const { id } = await sessions.create('u1', { count: 1 })
    const other = new SessionService<Data>(() => store)
    const seen: number[] = []
    const changed = sessions.update(id, async ({ count }) => {
      seen.push(count)
      if (seen.length === 1) await other.update(id, () => ({ count: 10 }))
      return { count: count + 1 }
    })
    await clock.advance('1s')
    expect([seen, (await changed).data]).toEqual([[1, 10], { count: 11 }])
  })

  it('that others are always faster than gives up and says so', async () => {
    const { sessions, store, clock } = world()
    const { id } = await sessions.create('u1', { count: 1 })
    const write = vi.spyOn(store, 'write').mockResolvedValue('changed')
    const failed = sessions.update(id, (data) => data).catch((error: unknown) => error)
    await clock.advance('10s')
    expect(await failed).toBeInstanceOf(SessionConflictError)
    expect(write).toHaveBeenCalledTimes(50)
    write.mockRestore()
    expect((await sessions.update(id, () => ({ count: 2 }))).data.count).toBe(2)
  })

  it('that never ends keeps others waiting for a second, and is too late then', async () => {
    const { sessions, clock } = world()
    const { id } = await sessions.create('u1', { count: 1 })
    let end!: (data: Data) => void
    const bases: number[] = []
    const slow = sessions.update(id, ({ count }) => {
      bases.push(count)
      return bases.length > 1 ? { count: count * 2 } : new Promise((resolve) => (end = resolve))
    })
    const next = sessions.update(id, ({ count }) => ({ count: count + 4 }))
    await clock.advance('1s')
    expect((await next).data.count).toBe(5)
    end({ count: 2 })
    await clock.advance('1s')
    // It was not lost, nor did it undo the other one: it was made on what is there.
    expect((await slow).data.count).toBe(10)
    expect(bases).toEqual([1, 5])
  })

  it('of a session that ends meanwhile brings nothing back', async () => {
    const { sessions } = world()
    const { id } = await sessions.create('u1', { count: 1 })
    const changed = sessions.update(id, async () => {
      await sessions.destroy(id)
      return { count: 2 }
    })
    await expect(changed).rejects.toThrow(SessionNotFoundError)
    await expect(sessions.update(id, (data) => data)).rejects.toThrow('log in again')
    expect(await sessions.get(id)).toBeNull()
  })
})

describe('a store that is away', () => {
  it('is said by every call, and nobody is let pass for it', async () => {
    const { sessions, store } = world()
    const { id, handle } = await sessions.create('u1', { count: 1 })
    for (const method of ['create', 'read', 'write', 'put', 'rotate', 'destroy', 'list', 'destroyAll'] as const) {
      vi.spyOn(store, method).mockRejectedValue(new SessionUnavailableError('away'))
    }
    for (const call of [
      sessions.create('u1', { count: 1 }),
      ...[sessions.get(id), sessions.update(id, (data) => data), sessions.touch(id), sessions.rotate(id)],
      ...[sessions.destroy(id), sessions.destroyOne('u1', handle), sessions.listForUser('u1')],
      ...[sessions.destroyAllForUser('u1'), sessions.foreign.get('a'), sessions.foreign.put('a', 1)],
      ...[sessions.foreign.touch('a'), sessions.foreign.destroy('a')],
    ]) {
      await expect(call).rejects.toThrow(SessionUnavailableError)
    }
  })

  it('is not asked about what can’t be an id', async () => {
    const { sessions, store } = world()
    const read = vi.spyOn(store, 'read')
    expect(await sessions.get('x')).toBeNull()
    expect(await sessions.touch('')).toBe(false)
    expect(await sessions.destroy('%')).toBe(false)
    expect(await sessions.destroyOne('u1', 'a:b')).toBe(false)
    expect(read).not.toHaveBeenCalled()
  })
})

describe('a log-out everywhere', () => {
  it('tells whoever keeps things for the user, after the sessions have ended', async () => {
    const told: unknown[] = []
    const ended = vi.fn(async (userId: string, tenants: ReadonlySet<string | undefined>) => {
      told.push([userId, [...tenants], await sessions.listForUser(userId)])
    })
    const { sessions } = world({}, { ended })
    await sessions.create('u1', { count: 1 }, { tenantId: 't1' })
    expect(await sessions.destroyAllForUser('u1', { tenantId: 't1' })).toBe(1)
    expect(told).toEqual([['u1', ['t1'], []]])
    await sessions.create('u1', { count: 1 }, { tenantId: 't1' })
    await sessions.create('u1', { count: 1 }, { tenantId: 't2' })
    expect(await sessions.destroyAllForUser('u1')).toBe(2)
    expect(new Set(ended.mock.lastCall![1])).toEqual(new Set([undefined, 't1', 't2']))
    // Also when there was none: another process may have ended them and been stopped before it told.
    expect(await sessions.destroyAllForUser('u1')).toBe(0)
    expect([...ended.mock.lastCall![1]]).toEqual([undefined])
  })
})

describe('events', () => {
  it('tell that sessions begin and end, and no id', async () => {
    const events: unknown[] = []
    const stops = [
      sessionCreated.subscribe((event) => events.push(['created', event])),
      sessionDestroyed.subscribe((event) => events.push(['destroyed', event])),
    ]
    const { sessions } = world()
    const { id } = await sessions.create('u1', { count: 1 })
    await sessions.destroy(id)
    await sessions.destroy(id)
    await sessions.create('u1', { count: 1 })
    await sessions.destroyAllForUser('u1')
    for (const stop of stops) stop()
    expect(events).toMatchObject([
      ['created', { userId: 'u1' }],
      ['destroyed', { count: 1 }],
      ['created', { userId: 'u1' }],
      ['destroyed', { userId: 'u1', count: 1 }],
    ])
    expect(JSON.stringify(events)).not.toContain(id)
  })
})

it('memory gives back what has ended', async () => {
  const { sessions, store, clock } = world({ idle: '1m', absolute: '1m' })
  for (let i = 0; i < 500; i++) await sessions.create(`u${i}`, { count: 1 })
  await clock.advance('2m')
  for (let i = 0; i < 500; i++) await sessions.create('u', { count: 1 })
  const { space } = store as unknown as { space: { places: Map<string, unknown>; users: Map<string, unknown> } }
  // The sweep comes with every thousandth write; beyond 100 of a user the oldest leave tombstones until their end.
  expect(space.places.size).toBe(500)
  expect([...space.users.keys()]).toEqual(['u'])
  // Log-outs of those who had no session leave tombstones as well, and changes of an id ways.
  await clock.advance('1h')
  for (let i = 0; i < 1_000; i++) await sessions.foreign.destroy(`nobody${i}`)
  await clock.advance('1h')
  let { id } = await sessions.create('u', { count: 1 })
  for (let i = 0; i < 1_000; i++) ({ id } = await sessions.rotate(id))
  expect(space.places.size).toBeLessThanOrEqual(1_001)
})

describe('a session that another library keeps for a visitor who has not logged in', () => {
  it('is none of ours: its id, brought as one, opens nothing and changes nothing', async () => {
    const { sessions } = world()
    const id = sessions.foreign.newId()
    await sessions.foreign.put(id, { cart: [1] })
    expect(await sessions.get(id)).toBeNull()
    expect(await sessions.touch(id)).toBe(false)
    await expect(sessions.update(id, () => ({ count: 1 }))).rejects.toThrowError(SessionNotFoundError)
    expect(await sessions.foreign.get(id)).toEqual({ cart: [1] })
    await expect(sessions.rotate(id)).rejects.toThrowError(SessionNotFoundError)
  })
})
