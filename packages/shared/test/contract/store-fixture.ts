import assert from 'node:assert/strict'
import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest'
import type {
  CacheStore,
  Fill,
  HeldLease,
  Hold,
  NewEntry,
  StandingHold,
  StoredEntry,
} from '../../src/cache/cache-store.js'
import type { StoreBackend } from '../support/store-backends.js'
import { waitFor } from '../support/wait-for.js'
import { onWake } from '../support/manual-pushes.js'

/** What the parts of the store's contract share: for every test two clients of one server, on a prefix of their own. */
export class StoreFixture {
  backend!: StoreBackend
  prefix = ''
  one!: CacheStore
  other!: CacheStore
  private tests = 0
  private tokens = 0

  /** To be called inside the suite. */
  constructor(makeBackend: () => Promise<StoreBackend>) {
    beforeAll(async () => {
      this.backend = await makeBackend()
    })
    beforeEach(async () => {
      this.prefix = `vextrus${++this.tests}:`
      this.one = await this.backend.store(this.prefix)
      this.other = await this.backend.store(this.prefix)
    })
    afterEach(() => this.backend.release()())
    afterAll(() => this.backend.close())
  }

  async granted(key: string, store = this.one, ttlMs = 10_000): Promise<HeldLease> {
    const { leases } = await store.acquire([{ key, token: `token-${++this.tokens}`, ttlMs }], null)
    assert.ok(leases[0]!.granted, `the lease of ${key} is held by ${leases[0]!.value}`)
    return { key, value: leases[0]!.value }
  }

  async entryOf(key: string, overrides: Partial<NewEntry> = {}): Promise<NewEntry> {
    const { g, s } = await this.one.createClock()
    const life = { ttlMs: 60_000, graceMs: 0, deltaMs: 5 }
    return { key, g: g!, s, ...life, codec: 'j', tags: [], version: null, payload: '"value"', ...overrides }
  }

  async fillOf(lease: HeldLease, overrides: Partial<NewEntry> = {}): Promise<Fill> {
    const { sources } = await this.one.read([lease.key], null)
    return { ...lease, e: sources[0]!.epoch, entry: await this.entryOf(lease.key, overrides) }
  }

  async stored(key: string, overrides: Partial<NewEntry> = {}): Promise<NewEntry> {
    const entry = await this.entryOf(key, overrides)
    assert.deepEqual((await this.one.set([entry], entry.s)).outcomes, ['stored'])
    return entry
  }

  async read(key: string, store = this.other): Promise<StoredEntry | null> {
    return (await store.read([key], null)).entries[0]!
  }

  /** Which of the keys have an entry. */
  async present(...keys: string[]): Promise<string[]> {
    const { entries } = await this.other.read(keys, null)
    return keys.filter((_, i) => entries[i] !== null)
  }

  /** Which of the leases still hold what their holders were granted. */
  async held(leases: readonly HeldLease[]): Promise<string[]> {
    const renewed = await this.one.renew(leases, 10_000)
    return leases.flatMap(({ key }, i) => (renewed[i] === true ? [key] : []))
  }

  async holds(): Promise<readonly StandingHold[]> {
    return (await this.other.read([], null)).clock.holds
  }

  async placed(hold: Hold, ttlMs = 60_000): Promise<Hold> {
    assert.ok(await this.one.placeHold(hold, ttlMs, MAX_TAGS), 'the hold was refused')
    return hold
  }

  /** The keys that a store's listener hears of while `work` runs, until `key` is among them. */
  async woken(key: string, work: () => Promise<unknown>): Promise<(string | null)[]> {
    const heard: (string | null)[] = []
    const stop = onWake(this.other.pushes, (each) => heard.push(each))
    await work()
    await waitFor(`the wake of ${key}`, () => heard.includes(key))
    stop()
    return heard
  }
}

/** Most marks, where a test is not about them. */
export const MAX_TAGS = 10_000

/** Keys whose braces and stars have a meaning somewhere between here and a Cluster, and which spread over its slots. */
export const ODD_KEYS = [
  '{}',
  'a}b',
  'x{}y{z}',
  '}{',
  '{a}:{b}',
  '{',
  '}',
  'ü🙂:{ä}',
  'a b',
  '\'"\\',
  '*?[a]',
  '@lease:{x}:y',
]

/** The members of a hold as a clock reading names them, in a fixed order. */
export function membersOf(holds: readonly Pick<StandingHold, 'owner' | 'kind' | 'name'>[]): string[] {
  return holds.map(({ owner, kind, name }) => `${owner} ${kind} ${name}`).sort()
}

export const marksOf = ({ tags, seqs }: { tags: readonly string[]; seqs: readonly number[] }): Record<string, number> =>
  Object.fromEntries(tags.map((tag, i) => [tag, seqs[i]!]))
