import { beforeEach, describe, expect, it } from 'vitest'
import { HeldStore } from '../../test/support/delivery-store.js'
import { idle } from '../../test/support/memory-world.js'
import { SeededRandom } from '../../test/support/seeded-random.js'
import { CoherentMap, type Ticket } from '../kernel/coherent-map.js'
import { FakeClock } from '../testing/fake-clock.js'
import type { ReadReply } from './cache-store.js'
import { EntryReader, type Filling } from './entry-reader.js'
import { RedisCacheService } from './cache.js'
import { MemoryHub } from '../kernel/memory-hub.js'
import { spaceOf } from './stores/memory-space.js'
import { MemoryCacheStore } from './stores/memory.js'
import { TagClock } from './tag-clock.js'

let store: HeldStore
let reader: EntryReader
/** What happened, in order. */
let log: string[]
let writer: RedisCacheService
let open: () => number

beforeEach(() => {
  const clock = new FakeClock()
  const random = new SeededRandom(1)
  const hub = new MemoryHub({ clock, random })
  store = new HeldStore(new LoggedStore(hub))
  writer = new RedisCacheService(new MemoryCacheStore(hub), { jitter: 0, l1: false }, { clock, random })
  log = []
  const map = new CoherentMap({ source: store.pushes, clock, maxBytes: 1e6, maxEntries: 100, stalenessMs: 2_000 })
  open = () => map.openTickets
  const near: Filling = {
    ticket(key) {
      log.push(`ticket ${key}`)
      return map.ticket(key)
    },
    fill(key, entry, nowMs, nearMs, ticket: Ticket) {
      log.push(`fill ${key}=${String(entry.payload)} for ${String(nearMs)}${ticket.dirty ? ', too late' : ''}`)
      expect(nowMs).toBe(spaceOf(hub, 'vextrus:').nowMs())
      ticket.close()
    },
  }
  reader = new EntryReader(
    store,
    new TagClock(100),
    (error) => log.push(`error: ${error.message}`),
    () => undefined,
    near,
  )
})

class LoggedStore extends MemoryCacheStore {
  override async read(...args: Parameters<MemoryCacheStore['read']>): Promise<ReadReply> {
    log.push(`read ${args[0].join()}`)
    if (args[0].includes(DEFECT)) throw new TypeError('a defect')
    return super.read(...args)
  }
}

const DEFECT = 'at this key the store has a defect'

const valueOf = async (key: string, nearMs?: number): Promise<unknown> =>
  (await reader.read(key, nearMs)).entry?.payload

describe('a reading that fills L1', () => {
  it('takes its tickets before it is sent: one a key, however many ask (R17)', async () => {
    await writer.set('a', 1)
    await writer.set('b', 2)
    const values = await Promise.all([valueOf('a'), valueOf('b'), valueOf('a'), valueOf('gone')])
    expect(values).toEqual(['1', '2', '1', undefined])
    expect(log).toEqual([
      ...['ticket a', 'ticket b', 'ticket gone', 'read a,b,gone'],
      ...['fill a=1 for undefined', 'fill b=2 for undefined'],
    ])
    expect(open()).toBe(0)
  })

  it('has no ticket for what none of its callers wants kept', async () => {
    await writer.set('a', 1)
    await writer.set('b', 2)
    await Promise.all([valueOf('a', 0), valueOf('b', 0), valueOf('a', 0), valueOf('b', 500), valueOf('b', 200)])
    expect(log).toEqual(['ticket b', 'read a,b', 'fill b=2 for 500'])
  })

  it.each([
    [[undefined, 5, 0], undefined],
    [[5, undefined], undefined],
    [[0, 7, 5], 7],
    [[1], 1],
  ])('keeps it for as long as the longest of %j', async (wanted, expected) => {
    await writer.set('a', 1)
    await Promise.all(wanted.map((nearMs) => valueOf('a', nearMs)))
    expect(log.at(-1)).toBe(`fill a=1 for ${String(expected)}`)
  })

  it('fills before anybody is answered, and says when it comes too late', async () => {
    await writer.set('a', 1)
    store.hold('read')
    const reading = reader.read('a').then(() => log.push('answered'))
    const call = await store.next('read')
    call.arrive()
    await writer.set('a', 2)
    call.reply()
    await reading
    expect(log.slice(2)).toEqual(['fill a=1 for undefined, too late', 'answered'])
  })

  it('fills what was judged by a look-up of its tags, when that is here (R4)', async () => {
    await writer.set('a', 1, { tags: ['x'] })
    store.hold('tags')
    const reading = valueOf('a')
    const tags = await store.next('tags')
    expect(log).toEqual(['ticket a', 'read a'])
    tags.deliver()
    expect(await reading).toBe('1')
    expect(log.at(-1)).toBe('fill a=1 for undefined')
  })

  it('fills nothing that is not valid, and nothing that was redirected (R20)', async () => {
    await writer.set('a', 1)
    await writer.set('tagged', 1, { tags: ['x'] })
    await writer.invalidateByTag('x')
    store.hold('read')
    const reading = Promise.all([valueOf('a'), valueOf('tagged')])
    const call = await store.next('read')
    call.arrive()
    call.reply((reply) => {
      const { sources, ...rest } = reply as ReadReply
      return { ...rest, sources: sources.map((source) => ({ ...source!, redirected: true })) }
    })
    expect(await reading).toEqual(['1', undefined])
    expect(log).toEqual(['ticket a', 'ticket tagged', 'read a,tagged'])
    expect(open()).toBe(0)
  })

  it.each<[string, (reply: ReadReply) => ReadReply]>([
    ['one master gave no answer', (reply) => ({ ...reply, sources: [null], entries: [null] })],
    ['there is no clock', (reply) => ({ ...reply, clock: { ...reply.clock, g: null } })],
  ])('leaves no ticket open when %s', async (_, change) => {
    await writer.set('a', 1, { tags: ['x'] })
    store.hold('read')
    const reading = valueOf('a')
    const call = await store.next('read')
    call.arrive()
    call.reply((reply) => change(reply as ReadReply))
    expect(await reading).toBeUndefined()
    expect(open()).toBe(0)
  })

  it('leaves no ticket open when nobody answers, or the look-up has no answer', async () => {
    await writer.set('a', 1, { tags: ['x'] })
    store.hold('read', 'tags')
    const away = reader.read('a')
    ;(await store.next('read')).giveUp()
    expect(await away).toMatchObject({ entry: null, away: true })
    const half = reader.read('a')
    ;(await store.next('read')).deliver()
    ;(await store.next('tags')).giveUp()
    expect(await half).toMatchObject({ entry: null, away: true })
    expect(log.filter((line) => line.startsWith('error'))).toHaveLength(2)
    expect(open()).toBe(0)
  })

  it('leaves no ticket open when the store has a defect, which reaches who asked', async () => {
    await expect(reader.read(DEFECT)).rejects.toThrow('a defect')
    await idle()
    expect(open()).toBe(0)
  })
})
