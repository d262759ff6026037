import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { escapeGlob } from '../../src/kernel/key.js'
import {
  type AppendOptions,
  type ClaimedMessage,
  compareIds,
  FIRST_ID,
  type ListenTarget,
  type LogPlace,
  type PubSubStore,
} from '../../src/pubsub/pubsub-store.js'
import { Keyspace } from '../../src/redis/keyspace.js'
import type { PubSubBackend } from '../support/pubsub-backends.js'
import { waitFor } from '../support/wait-for.js'
import { ODD_KEYS } from './store-fixture.js'

let suites = 0
const KEPT: AppendOptions = { maxLength: 10_000, keepMs: 60_000 }
/** Longer than a test takes. */
const LONG_MS = 25_000

interface Heard {
  readonly channel: string
  readonly body: string
  readonly place: LogPlace | null
}

/** What every store of messages promises the engine: the port, as one suite. Each store is a client of its own. */
export function pubSubStoreContract(name: string, makeBackend: () => Promise<PubSubBackend>): void {
  // Two suites may share a server.
  const PREFIX = `vextrus${++suites}:`
  const keyspace = new Keyspace(PREFIX)

  describe(`the store of messages on ${name}`, () => {
    let backend: PubSubBackend
    let one: PubSubStore
    let other: PubSubStore
    let channel: string
    let tests = 0

    beforeAll(async () => {
      backend = await makeBackend()
      ;[one, other] = [await backend.store(PREFIX, KEPT.keepMs), await backend.store(PREFIX, KEPT.keepMs)]
    })
    beforeEach(() => {
      channel = `channel-${++tests}`
    })
    afterAll(() => backend.close())

    async function hearing(
      target: ListenTarget,
      store = other,
    ): Promise<{ readonly heard: Heard[]; readonly bodies: () => string[]; stop(): void }> {
      const heard: Heard[] = []
      const stop = await store.listen(target, {
        message: (from, body, place) => void heard.push({ channel: from, body, place }),
        lost: () => undefined,
        heard: () => undefined,
      })
      return { heard, bodies: () => heard.map(({ body }) => body), stop }
    }
    async function appended(count: number, options = KEPT, store = one): Promise<string[]> {
      const ids: string[] = []
      for (let i = 0; i < count; i++) ids.push((await store.append(channel, `m${i}`, options)).id)
      return ids
    }
    const read = async (after: string, count = 1_000): Promise<string[]> =>
      (await other.read(channel, after, count)).messages.map(({ body }) => body)
    const claim = async (
      store: PubSubStore,
      consumer: string,
      { count = 10, idleMs, from = 'start' }: { count?: number; idleMs?: number; from?: string } = {},
    ): ReturnType<PubSubStore['claim']> =>
      store.claim({ channel, group: 'g', consumer, count, idleMs, from: from === 'start' ? FIRST_ID : from })
    const bodiesOf = ({ messages }: Awaited<ReturnType<typeof claim>>): string[] => messages.map(({ body }) => body)

    /** As of a log that has so many messages of long ago, and goes soon unless somebody uses it. Answers the id of the first. */
    async function aged(count: number): Promise<string> {
      const { command } = backend.server
      if (command === null) {
        const ids = await appended(count, { ...KEPT, keepMs: 10 * KEPT.keepMs })
        await backend.elapse(KEPT.keepMs + 1)
        return ids[0]!
      }
      const [log] = keyspace.stream(channel, ['log'])
      for (let i = 0; i < count; i++) await command(log!, 'XADD', log!, `${i + 1}-0`, 'm', `m${i}`)
      await command(log!, 'PEXPIRE', log!, '60000')
      return '1-0'
    }

    /** The log is at its end. */
    async function ended(): Promise<void> {
      const { command } = backend.server
      const [log] = keyspace.stream(channel, ['log'])
      if (command === null) await backend.elapse(KEPT.keepMs)
      else await command(log!, 'DEL', log!)
    }

    /** The log ends in a moment, unless somebody uses it. */
    async function shortLived(): Promise<void> {
      const { command } = backend.server
      const [log] = keyspace.stream(channel, ['log'])
      if (command === null) await backend.elapse(KEPT.keepMs - 30)
      else await command(log!, 'PEXPIRE', log!, '10000')
    }

    /** Nobody has touched them for longer than {@link LONG_MS}. */
    async function untouched(consumer: string, messages: readonly ClaimedMessage[]): Promise<void> {
      const { command } = backend.server
      const [log] = keyspace.stream(channel, ['log'])
      if (command === null) return backend.elapse(LONG_MS + 1)
      for (const { id } of messages) {
        await command(log!, 'XCLAIM', log!, 'g', consumer, '0', id, 'IDLE', `${LONG_MS + 1}`, 'JUSTID')
      }
    }

    describe('a channel', () => {
      it('tells all who listen now, in every process, and nobody who listens later or no more', async () => {
        const [mine, others] = [await hearing({ channel }, one), await hearing({ channel })]
        const gone = await hearing({ channel })
        gone.stop()
        await one.publish(channel, 'first')
        await waitFor('both to hear', () => mine.heard.length === 1 && others.heard.length === 1)
        const late = await hearing({ channel })
        await other.publish(channel, 'second')
        await waitFor(
          'all to hear',
          () => mine.heard.length === 2 && others.heard.length === 2 && late.heard.length > 0,
        )
        expect(others.heard).toEqual([
          { channel, body: 'first', place: null },
          { channel, body: 'second', place: null },
        ])
        expect([late.bodies(), gone.bodies()]).toEqual([['second'], []])
      })

      it('may have any name, and body, and is heard under it', async () => {
        const long = 'l'.repeat(1_024)
        const names = [...ODD_KEYS, long, `${'ü'.repeat(511)}}`].map((odd) =>
          odd.length > 500 ? odd : `${odd}${tests}`,
        )
        const body = 'line\r\nnext \u2028 "quoted" 🙂 0-0 - 1-1'
        const places: string[] = []
        for (const odd of names) {
          const { heard, stop } = await hearing({ channel: odd })
          await one.publish(odd, body)
          const { id } = await one.append(odd, body, { ...KEPT, messageId: 'm' })
          expect(await one.append(odd, body, { ...KEPT, messageId: 'm' })).toEqual({ id, fresh: false })
          await waitFor(`both of ${odd}`, () => heard.length === 2)
          expect(heard).toEqual([
            { channel: odd, body, place: null },
            { channel: odd, body, place: { id, previous: FIRST_ID } },
          ])
          expect(await other.read(odd, FIRST_ID, 9)).toEqual({ messages: [{ id, body }], gap: false, last: id })
          const claimed = await other.claim({ channel: odd, group: 'g:}{', consumer: 'c', count: 9, from: FIRST_ID })
          expect(claimed.messages).toEqual([{ id, body, deliveries: 1 }])
          places.push(id)
          stop()
        }
        expect(places).toHaveLength(names.length)
      })

      it('and a messageId never share what they are known by with another channel and another messageId', async () => {
        const [short, long] = [`a}${tests}`, `a}${tests}:x`]
        expect((await one.append(short, '1', { ...KEPT, messageId: 'x:y' })).fresh).toBe(true)
        expect((await one.append(long, '2', { ...KEPT, messageId: 'y' })).fresh).toBe(true)
        expect((await one.append(long, '3', { ...KEPT, messageId: ' é}' })).fresh).toBe(true)
        expect((await one.append(long, '4', { ...KEPT, messageId: ' é}' })).fresh).toBe(false)
      })

      it('tells of messages in the order in which they were sent, also of those that are kept', async () => {
        const { bodies, heard } = await hearing({ channel })
        const sent: Promise<unknown>[] = []
        for (let i = 0; i < 300; i++) {
          sent.push(i % 2 === 0 ? one.publish(channel, `${i}`) : one.append(channel, `${i}`, KEPT))
        }
        await Promise.all(sent)
        await waitFor('all', () => heard.length === 300)
        expect(bodies()).toEqual(Array.from({ length: 300 }, (_, i) => `${i}`))
      })
    })

    describe('patterns', () => {
      it('match as Redis globs do, and what is escaped is itself', async () => {
        if (backend.sharded) {
          await expect(hearing({ pattern: `${channel}*` })).rejects.toThrow(/sharded/)
          return
        }
        const matched: Record<string, Heard[]> = {}
        const globs = [`${channel}:*`, `${channel}:?`, `${channel}:[ab]`, escapeGlob(`${channel}:[*]`)]
        if (backend.allow !== null) {
          await expect(hearing({ pattern: globs[0]! })).rejects.toThrow(`'&${keyspace.channels}${globs[0]!}'`)
          for (const glob of globs) await backend.allow(PREFIX, glob)
        }
        for (const pattern of globs) matched[pattern] = (await hearing({ pattern })).heard
        const plain = await hearing({ channel: `${channel}:a` })
        for (const end of ['a', 'c', 'ab', '[*]']) await one.publish(`${channel}:${end}`, end)
        const { id } = await one.append(`${channel}:a`, 'kept', KEPT)
        await waitFor('all', () => matched[globs[0]!]!.length === 5 && matched[globs[3]!]!.length === 1)
        await waitFor('the plain one', () => plain.heard.length === 2)
        // On a Cluster they come by way of the masters of their channels.
        const bodiesOf = (glob: string): string[] => matched[glob]!.map(({ body }) => body).sort()
        expect(globs.map(bodiesOf)).toEqual([
          ['[*]', 'a', 'ab', 'c', 'kept'],
          ['a', 'c', 'kept'],
          ['a', 'kept'],
          ['[*]'],
        ])
        expect(matched[globs[2]!]!.at(-1)).toEqual({
          channel: `${channel}:a`,
          body: 'kept',
          place: { id, previous: FIRST_ID },
        })
      })
    })

    describe('a log', () => {
      it('has its messages in the order in which they were told, each of which names the one before', async () => {
        const { heard } = await hearing({ channel })
        const stores = [one, other]
        const appends = Array.from({ length: 60 }, (_, i) => stores[i % 2]!.append(channel, `m${i}`, KEPT))
        const ids = (await Promise.all(appends)).map(({ id }) => id)
        await waitFor('all', () => heard.length === 60)
        const { messages, gap, last } = await other.read(channel, FIRST_ID, 100)
        expect(messages.map(({ id }) => id)).toEqual([...ids].sort(compareIds))
        expect([gap, last]).toEqual([false, messages.at(-1)!.id])
        expect(heard).toEqual(
          messages.map(({ id, body }, i) => ({
            channel,
            body,
            place: { id, previous: i === 0 ? FIRST_ID : messages[i - 1]!.id },
          })),
        )
      })

      it('is read after an id, as many as are asked for', async () => {
        expect(await other.last(channel)).toBe(FIRST_ID)
        expect(await other.read(channel, FIRST_ID, 10)).toEqual({ messages: [], gap: false, last: FIRST_ID })
        const ids = await appended(5)
        expect(await other.last(channel)).toBe(ids[4])
        expect(await read(FIRST_ID, 2)).toEqual(['m0', 'm1'])
        expect(await read(ids[1]!, 2)).toEqual(['m2', 'm3'])
        expect(await other.read(channel, ids[4]!, 2)).toEqual({ messages: [], gap: false, last: ids[4] })
      })

      it('keeps as many as it is told to, or some more, and says what may be gone', async () => {
        const ids = await appended(400, { ...KEPT, maxLength: 20 })
        const { messages, gap } = await other.read(channel, FIRST_ID, 1_000)
        expect(messages.length).toBeGreaterThanOrEqual(20)
        expect(messages.length).toBeLessThan(300)
        expect(messages.at(-1)).toEqual({ id: ids[399], body: 'm399' })
        // Whoever had none of them has missed some; so has who had one that is gone; who had one that is there has not.
        expect(gap).toBe(true)
        expect((await other.read(channel, ids[3]!, 10)).gap).toBe(true)
        expect((await other.read(channel, messages[0]!.id, 10)).gap).toBe(false)
        expect((await other.read(channel, ids[399]!, 10)).gap).toBe(false)
      })

      it('lets messages go that are too old, and ends when nothing comes', async () => {
        const first = await aged(150)
        const [young] = await appended(1)
        const { messages, gap } = await other.read(channel, first, 1_000)
        expect(messages.length).toBeLessThan(149)
        expect([gap, messages.at(-1)]).toEqual([true, { id: young, body: 'm0' }])
        await ended()
        expect(await other.read(channel, FIRST_ID, 10)).toEqual({ messages: [], gap: false, last: FIRST_ID })
        expect(await other.read(channel, first, 10)).toEqual({ messages: [], gap: true, last: FIRST_ID })
      })

      it('that ends before an id is known by it', async () => {
        const ids = await appended(2)
        const later = `${Number(ids[1]!.split('-')[0]) + 10_000}-0`
        expect(await other.read(channel, later, 10)).toEqual({ messages: [], gap: true, last: ids[1] })
      })

      it('takes a message of one messageId once, from whoever it comes, until it may be forgotten', async () => {
        const { bodies, heard } = await hearing({ channel })
        const options = { ...KEPT, messageId: 'a' }
        const both = await Promise.all([one.append(channel, 'same', options), other.append(channel, 'same', options)])
        expect(both.filter(({ fresh }) => fresh)).toHaveLength(1)
        expect(both[0].id).toBe(both[1].id)
        expect((await one.append(channel, 'another', { ...KEPT, messageId: 'b' })).fresh).toBe(true)
        await waitFor('both', () => heard.length === 2)
        expect(bodies()).toEqual(['same', 'another'])
        expect(await read(FIRST_ID)).toEqual(['same', 'another'])
        const brief = { ...KEPT, keepMs: 50, messageId: 'c' }
        expect((await one.append(channel, 'brief', brief)).fresh).toBe(true)
        await backend.elapse(60)
        expect((await one.append(channel, 'brief', brief)).fresh).toBe(true)
      })

      it('has a time in which it ends, as has everything beside it', async () => {
        const { command } = backend.server
        if (command === null) return
        await one.append(channel, 'm', { ...KEPT, messageId: 'a' })
        const [log] = keyspace.stream(channel, ['log'])
        const [once] = keyspace.stream(channel, ['once'])
        for (const key of [log!, `${once!}:a`]) {
          const ttl = Number(await command(key, 'PTTL', key))
          expect(ttl).toBeGreaterThan(30_000)
          expect(ttl).toBeLessThanOrEqual(60_000)
        }
        // For all time that can be said: a longer one than Redis' clock has been running.
        await one.append(channel, 'm', { maxLength: 10, keepMs: 100 * 365 * 86_400_000 })
        expect(await read(FIRST_ID)).toEqual(['m', 'm'])
      })
    })

    describe('a group', () => {
      it('hands each message to one of its consumers, and each group has all', async () => {
        await appended(40)
        const stores = [one, other]
        const handed: string[] = []
        for (let i = 0; handed.length < 40 && i < 40; i++) {
          handed.push(...bodiesOf(await claim(stores[i % 2]!, `c${i % 2}`, { count: 3 })))
        }
        expect(handed).toEqual(Array.from({ length: 40 }, (_, i) => `m${i}`))
        expect((await claim(one, 'c0')).messages).toEqual([])
        const second = await one.claim({ channel, group: 'other', consumer: 'c', count: 100, from: FIRST_ID })
        expect(second.messages).toHaveLength(40)
      })

      it('begins where it is told to: before the first message, after one, or now', async () => {
        const [early] = [await claim(one, 'c', { count: 0, from: 'now' })]
        expect(early).toEqual({ messages: [], missed: false, more: false })
        const ids = await appended(3)
        expect(bodiesOf(await claim(other, 'c', { from: 'now' }))).toEqual(['m0', 'm1', 'm2'])
        const begin = async (group: string, from: string): Promise<string[]> =>
          bodiesOf(await one.claim({ channel, group, consumer: 'c', count: 9, from }))
        expect(await begin('after', ids[1]!)).toEqual(['m2'])
        expect(await begin('now', 'now')).toEqual([])
        await one.append(channel, 'm3', KEPT)
        // It has begun, so it does not begin again.
        expect(await begin('now', FIRST_ID)).toEqual(['m3'])
      })

      it('says whether there may be more', async () => {
        await appended(3)
        expect(await claim(one, 'c', { count: 2 })).toMatchObject({ more: true })
        expect(await claim(one, 'c', { count: 2 })).toMatchObject({ more: false })
        expect(await claim(one, 'c', { count: 0 })).toMatchObject({ more: false })
      })

      it('hands out again what one left behind, with a count, until it is done', async () => {
        await appended(2)
        const { messages } = await claim(one, 'a')
        await one.done({ channel, group: 'g', consumer: 'a' }, [messages[0]!.id])
        await backend.elapse(100)
        // Nobody asks for it.
        expect((await claim(other, 'b')).messages).toEqual([])
        // It was not left for so long.
        expect((await claim(other, 'b', { idleMs: 60_000 })).messages).toEqual([])
        expect((await claim(other, 'b', { idleMs: 100 })).messages).toEqual([
          { id: messages[1]!.id, body: 'm1', deliveries: 2 },
        ])
        // It is another's now.
        expect((await claim(one, 'a', { idleMs: 60_000 })).messages).toEqual([])
        expect(await one.keep({ channel, group: 'g', consumer: 'a' }, [messages[1]!.id])).toEqual([])
        await backend.elapse(100)
        expect((await claim(one, 'a', { idleMs: 100 })).messages).toMatchObject([{ deliveries: 3 }])
        await other.done({ channel, group: 'g', consumer: 'b' }, [messages[1]!.id])
        await backend.elapse(100)
        expect((await claim(one, 'a', { idleMs: 100 })).messages).toEqual([])
      })

      it('finds what was left behind also behind many that are at work', async () => {
        await appended(60)
        const busy = await claim(one, 'busy', { count: 59 })
        const dead = await claim(one, 'dead', { count: 1 })
        await untouched('dead', dead.messages)
        await one.keep(
          { channel, group: 'g', consumer: 'busy' },
          busy.messages.map(({ id }) => id),
        )
        expect(bodiesOf(await claim(other, 'c', { count: 1, idleMs: LONG_MS }))).toEqual(['m59'])
      })

      it('leaves a message to who keeps it', async () => {
        await appended(1)
        const { messages } = await claim(one, 'a')
        const [{ id }] = messages as [ClaimedMessage]
        await untouched('a', messages)
        expect(await one.keep({ channel, group: 'g', consumer: 'a' }, [id, '1-1'])).toEqual([id])
        expect((await claim(other, 'b', { idleMs: LONG_MS })).messages).toEqual([])
        // It was not handed out by that.
        await untouched('a', messages)
        expect((await claim(other, 'b', { idleMs: LONG_MS })).messages).toMatchObject([{ id, deliveries: 2 }])
        // Who was too late does not take it back.
        expect(await one.keep({ channel, group: 'g', consumer: 'a' }, [id])).toEqual([])
        expect(await other.keep({ channel, group: 'g', consumer: 'b' }, [id])).toEqual([id])
      })

      it('of no log, or none of that name, has nothing to keep or to be done', async () => {
        const nobody = { channel, group: 'none', consumer: 'c' }
        expect(await one.keep(nobody, ['1-1'])).toEqual([])
        await one.done(nobody, ['1-1'])
        await appended(1)
        expect(await one.keep(nobody, ['1-1'])).toEqual([])
        await one.done(nobody, ['1-1'])
      })

      it('says that messages may be gone: before they were handed out, and before they were done', async () => {
        const small = { ...KEPT, maxLength: 20 }
        await appended(1, small)
        const { messages } = await claim(one, 'a', { count: 1 })
        expect(messages).toHaveLength(1)
        await appended(400, small)
        const after = await claim(one, 'a', { count: 1 })
        expect([after.messages.length, after.missed]).toEqual([1, true])
        expect((await claim(one, 'a', { count: 1 })).missed).toBe(false)
        // What was handed out is gone too: nobody gets it again.
        await backend.elapse(10)
        const left = await claim(other, 'b', { count: 1, idleMs: 10 })
        expect(left).toMatchObject({ messages: [], missed: true, more: true })
        expect(await claim(other, 'b', { count: 2, idleMs: 10 })).toMatchObject({
          messages: [{ deliveries: 2 }, { deliveries: 2 }],
          missed: false,
        })
      })

      it('stays while it has consumers, though nothing is published, and what is too old goes, but for the last', async () => {
        await claim(one, 'c', { count: 0, from: 'now' })
        await shortLived()
        await claim(one, 'c', { count: 1, idleMs: LONG_MS, from: 'now' })
        const { command } = backend.server
        const [log] = keyspace.stream(channel, ['log'])
        if (command !== null) expect(Number(await command(log!, 'PTTL', log!))).toBeGreaterThan(30_000)
        await backend.elapse(60)
        await appended(1)
        expect(bodiesOf(await claim(one, 'c', { from: 'now' }))).toEqual(['m0'])

        channel = `${channel}-old`
        const first = await aged(150)
        expect(await read(FIRST_ID)).toHaveLength(150)
        await claim(one, 'c', { count: 1, idleMs: LONG_MS })
        expect(await read(FIRST_ID)).toEqual(['m149'])
        expect((await other.read(channel, first, 1)).gap).toBe(true)
      })

      it('forgets consumers that are gone and have nothing', async () => {
        const { command } = backend.server
        if (command === null) return
        const [log] = keyspace.stream(channel, ['log'])
        await appended(1)
        await claim(one, 'gone')
        await claim(one, 'with-a-message')
        await one.append(channel, 'm', KEPT)
        const { messages } = await claim(one, 'with-a-message')
        expect(messages).toHaveLength(1)
        const pending = await one.claim({ channel, group: 'g', consumer: 'x', count: 9, from: FIRST_ID })
        expect(pending.messages).toEqual([])
        const first = await other.read(channel, FIRST_ID, 1)
        await one.done({ channel, group: 'g', consumer: 'gone' }, [first.messages[0]!.id])
        await backend.elapse(60)
        await claim(one, 'y', { idleMs: 2 })
        const rows = (await command(log!, 'XINFO', 'CONSUMERS', log!, 'g')) as string[][]
        const names = rows.map((row) => row[1])
        expect(names).toContain('y')
        expect(names).not.toContain('gone')
        expect(names).not.toContain('x')
      })
    })
  })
}
