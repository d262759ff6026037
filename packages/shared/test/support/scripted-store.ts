import type {
  AcquireReply,
  CacheStore,
  ClockReply,
  Fill,
  FillReply,
  HeldLease,
  Hold,
  LeaseRequest,
  NewEntry,
  ReadReply,
  SetOutcome,
  SetReply,
  StandingHold,
  TagReply,
  PushSource,
} from '../../src/cache/cache-store.js'
import { CacheUnavailableError } from '../../src/cache/errors.js'
import { ManualPushes } from './manual-pushes.js'

/** A store that holds nothing and answers as a test has said; it remembers what it was asked, as text, in order. */
export class ScriptedStore implements CacheStore {
  readonly calls: string[] = []
  /** Operations that fail, by name; `*` is all of them. */
  readonly failing = new Set<string>()
  /** Operations whose next call fails. */
  readonly failingOnce = new Set<string>()
  /** While set, answers wait for it; whether they fail is decided afterwards. */
  gate: Promise<void> | null = null
  outcomes: SetOutcome[] | null = null
  placed = true
  renewed = true
  readonly inOrder = true
  readonly pushes: PushSource = new ManualPushes()
  private readonly clockNow: TagReply = { g: 'g1', s: 0, f: 0, seqs: [] }
  private readonly delta: ClockReply = {
    g: 'g1',
    s: 0,
    f: 0,
    tags: [],
    seqs: [],
    holds: [],
    full: false,
    base: false,
  }

  /** The calls since the last time this was asked. */
  taken(): string[] {
    return this.calls.splice(0)
  }

  async read(keys: readonly string[]): Promise<ReadReply> {
    await this.answer('read', keys)
    return { entries: keys.map(() => null), sources: keys.map(() => null), clock: this.delta }
  }

  async tags(tags: readonly string[]): Promise<TagReply> {
    await this.answer('tags', tags)
    return this.clockNow
  }

  async createClock(): Promise<TagReply> {
    await this.answer('createClock')
    return this.clockNow
  }

  async acquire(leases: readonly LeaseRequest[]): Promise<AcquireReply> {
    await this.answer(
      'acquire',
      leases.map(({ key }) => key),
    )
    return { entries: [], sources: [], clock: this.delta, leases: leases.map(() => null) }
  }

  async renew(leases: readonly HeldLease[]): Promise<boolean[]> {
    await this.answer('renew')
    return leases.map(() => true)
  }

  async release(): Promise<void> {
    await this.answer('release')
  }

  async fill(fills: readonly Fill[]): Promise<FillReply> {
    await this.answer(
      'fill',
      fills.map(({ key }) => key),
    )
    return { stored: fills.map(() => true), clock: this.clockNow, holds: [] }
  }

  async set(entries: readonly NewEntry[]): Promise<SetReply> {
    await this.answer(
      'set',
      entries.map(({ key }) => key),
    )
    return { outcomes: this.outcomes ?? entries.map(() => 'stored' as const), clock: this.delta }
  }

  async touch(key: string): Promise<boolean> {
    await this.answer('touch', [key])
    return true
  }

  async lifetime(key: string): Promise<number | null> {
    await this.answer('lifetime', [key])
    return null
  }

  async delete(keys: readonly string[]): Promise<boolean[]> {
    await this.answer('delete', keys)
    return keys.map(() => true)
  }

  async deletePattern(glob: string): Promise<number> {
    await this.answer('deletePattern', [glob])
    return 0
  }

  async bumpTags(tags: readonly string[]): Promise<void> {
    await this.answer('bumpTags', tags)
  }

  async clear(): Promise<string> {
    await this.answer('clear')
    return 'g2'
  }

  async reclaim(generation: string): Promise<number> {
    await this.answer('reclaim', [generation])
    return 0
  }

  async placeHold(hold: Hold, ttlMs: number): Promise<boolean> {
    await this.answer('placeHold', [hold.owner, String(ttlMs)])
    return this.placed
  }

  async renewHold(hold: Hold, ttlMs: number): Promise<boolean> {
    await this.answer('renewHold', [hold.owner, String(ttlMs)])
    return this.renewed
  }

  async endHold(hold: Hold): Promise<void> {
    await this.answer('endHold', [hold.owner])
  }

  async finishHolds(holds: readonly StandingHold[]): Promise<void> {
    await this.answer(
      'finishHolds',
      holds.map(({ owner, kind, name }) => `${owner}/${kind}/${name}`),
    )
  }

  private async answer(operation: string, names: readonly string[] = []): Promise<void> {
    this.calls.push([operation, ...names].join(' '))
    if (this.gate !== null) await this.gate
    if (this.failingOnce.delete(operation) || this.failing.has('*') || this.failing.has(operation))
      throw new CacheUnavailableError(`scripted: no answer to ${operation}`, { cause: new Error('socket') })
  }
}
