import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { CoherentMap, type InvalidationListener, type InvalidationSource } from './coherent-map.js'

/**
 * The map in a small world: one server, one session that brings pushes and PONGs in order, readers and writers whose requests and replies
 * take any time, a clock, and sessions that die unnoticed. fast-check's scheduler picks which of all pending messages arrives next; after
 * each arrival every hit is compared with what the server had acknowledged. The faults put known bugs back: each must be found.
 */

const KEYS = ['vextrus:a', 'vextrus:b'] as const
const STALENESS_MS = 2_000

type Fault =
  'ticket after the reply' | 'hits without lease' | 'reset ignored' | 'proof from the arrival' | 'own write unseen'
type Action =
  | { readonly do: 'read' | 'write' | 'own write'; readonly key: string }
  | { readonly do: 'ping' | 'cut' }
  | { readonly do: 'wait'; readonly ms: number }

const actions = fc.array(
  fc.oneof(
    { weight: 5, arbitrary: fc.record({ do: fc.constant('read' as const), key: fc.constantFrom(...KEYS) }) },
    { weight: 4, arbitrary: fc.record({ do: fc.constant('write' as const), key: fc.constantFrom(...KEYS) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('own write' as const), key: fc.constantFrom(...KEYS) }) },
    { weight: 3, arbitrary: fc.record({ do: fc.constant('ping' as const) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('cut' as const) }) },
    { weight: 3, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.integer({ min: 100, max: 1_500 }) }) },
  ),
  { minLength: 4, maxLength: 24 },
)

function simulation(fault?: Fault): fc.IAsyncProperty<unknown> {
  return fc.asyncProperty(actions, fc.scheduler(), async (list, scheduler) => {
    const world = new World(scheduler, fault)
    await scheduler.waitFor(Promise.all(list.map((action) => world.run(action))))
    await scheduler.waitIdle()
    if (world.failure !== undefined) throw world.failure
    if (world.map.openTickets !== 0) throw new Error('a ticket was left open')
  })
}

describe('in a world of late, lost and reordered messages', () => {
  it('a hit is never older than a processed push, than the staleness allows, or than an answered own write', async () => {
    const found = await fc.check(simulation(), { numRuns: 600 })
    expect(fc.defaultReportMessage(found)).toBeUndefined()
  })

  it('values do hit, and do get lost: the world is not empty', async () => {
    let hits = 0
    let resets = 0
    const property = fc.asyncProperty(actions, fc.scheduler(), async (list, scheduler) => {
      const world = new World(scheduler)
      await scheduler.waitFor(Promise.all(list.map((action) => world.run(action))))
      hits += world.hits
      resets += world.epochs - 1
    })
    await fc.assert(property, { numRuns: 200, seed: 1 })
    expect(hits).toBeGreaterThan(100)
    expect(resets).toBeGreaterThan(10)
  })

  it.each<Fault>([
    'ticket after the reply',
    'hits without lease',
    'reset ignored',
    'proof from the arrival',
    'own write unseen',
  ])('finds the bug: %s', async (fault) => {
    const found = await fc.check(simulation(fault), { numRuns: 20_000, seed: 1, endOnFailure: true })
    expect(found.failed).toBe(true)
    expect(String(found.errorInstance)).toContain('stale')
  })
})

class World implements InvalidationSource {
  failure: Error | undefined
  hits = 0
  epochs = 1
  epoch = 1
  readonly map: CoherentMap<number>
  private now = 10_000
  private from = 10_000
  private versions = new Map<string, number>()
  private session: Message[] | undefined = []
  private heard: Message[] | undefined = this.session
  private listeners = new Set<InvalidationListener>()
  /** What a hit must not be older than. */
  private pushed = new Map<string, number>()
  private ownAnswered = new Map<string, number>()
  private acknowledged: { key: string; version: number; at: number }[] = []

  constructor(
    private readonly scheduler: fc.Scheduler,
    private readonly fault?: Fault,
  ) {
    this.map = new CoherentMap({
      source: this,
      clock: { mono: () => this.now, wall: () => 0, timer: () => ({ cancel: () => undefined }) },
      maxBytes: 1_000,
      maxEntries: 100,
      stalenessMs: fault === 'hits without lease' ? Infinity : STALENESS_MS,
    })
  }

  get live(): boolean {
    return this.epoch !== 0
  }

  validFrom(): number {
    return this.live ? this.from : -Infinity
  }

  listen(listener: InvalidationListener): () => void {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }

  async run(action: Action): Promise<void> {
    await this.arrival(`start ${action.do}`)
    if ('ms' in action) this.now += action.ms
    else if (!('key' in action)) await (action.do === 'ping' ? this.ping() : this.cut())
    else if (action.do === 'read') await this.read(action.key)
    else await this.write(action.key, action.do === 'own write')
    this.check()
  }

  private async read(key: string): Promise<void> {
    let ticket = this.map.ticket(key)
    await this.arrival(`request ${key}`)
    const value = this.versions.get(key) ?? 0
    await this.arrival(`reply ${key}=${value}`)
    if (this.fault === 'ticket after the reply') {
      ticket.close()
      ticket = this.map.ticket(key)
    }
    this.map.put(key, value, ticket, 1, 60_000)
  }

  private async write(key: string, own: boolean): Promise<void> {
    if (own && this.fault !== 'own write unseen') this.map.invalidate(key)
    await this.arrival(`write ${key}`)
    const version = (this.versions.get(key) ?? 0) + 1
    this.versions.set(key, version)
    this.send({ key, version })
    await this.arrival(`written ${key}=${version}`)
    if (own) {
      if (this.fault !== 'own write unseen') this.map.invalidate(key)
      this.ownAnswered.set(key, Math.max(version, this.ownAnswered.get(key) ?? 0))
    }
    this.acknowledged.push({ key, version, at: this.now })
  }

  private async ping(): Promise<void> {
    const session = this.heard
    const at = this.now
    await this.arrival('ping')
    if (session !== undefined && session === this.session) this.send({ pong: at })
  }

  /** The server drops the session; the process notices later; then it opens another. */
  private async cut(): Promise<void> {
    const session = this.heard
    if (session === undefined) return
    await this.arrival('session lost')
    if (this.session === session) this.session = undefined
    await this.arrival('loss noticed')
    if (this.heard !== session) return
    this.heard = undefined
    this.epoch = 0
    if (this.fault !== 'reset ignored') for (const listener of this.listeners) listener.reset('lost')
    await this.arrival('subscribe')
    this.session = this.heard = []
    await this.ping()
  }

  private send(message: Message): void {
    const session = this.session
    if (session === undefined) return
    session.push(message)
    void this.deliver(session)
  }

  private async deliver(session: Message[]): Promise<void> {
    await this.arrival('push or pong')
    const head = session.shift()
    if (head !== undefined && session === this.heard) this.receive(head)
    this.check()
  }

  private receive(message: Message): void {
    if ('key' in message) {
      for (const listener of this.listeners) listener.invalidate(message.key)
      this.pushed.set(message.key, Math.max(message.version, this.pushed.get(message.key) ?? 0))
      return
    }
    this.from = this.fault === 'proof from the arrival' ? this.now : Math.max(this.from, message.pong)
    if (this.epoch === 0) this.epoch = this.fault === 'reset ignored' ? this.epochs : ++this.epochs
  }

  private arrival(label: string): Promise<void> {
    return this.scheduler.schedule(Promise.resolve(), label)
  }

  private check(): void {
    for (const key of KEYS) {
      const value = this.map.get(key)
      if (value === undefined) continue
      this.hits++
      const oldest = Math.max(
        this.pushed.get(key) ?? 0,
        this.ownAnswered.get(key) ?? 0,
        ...this.acknowledged.filter((w) => w.key === key && w.at <= this.now - STALENESS_MS).map((w) => w.version),
      )
      if (value < oldest) this.failure ??= new Error(`stale: ${key} answered ${value}, at least ${oldest} was due`)
    }
  }
}

type Message = { readonly key: string; readonly version: number } | { readonly pong: number }
