import { LRUCache } from 'lru-cache'
import type { Clock } from './clock.js'

/**
 * A bounded local map that is provably fresh: a hit is at least as new as every write acknowledged `stalenessMs` ago (P2), whatever
 * happens to connections and processes. The near cache and the token blacklist stand on it.
 *
 * The truth lives in Redis; copies of it live here. An {@link InvalidationSource} says which keys were written, in the order in which the
 * server executed the writes, and until when it has heard everything. Four things can go wrong between the two, and each has a rule:
 *
 * - *The late reply.* A read is sent, the key is written, the push of that write is processed, and then the reply with the old value
 *   arrives. So before a read is sent its key gets a **ticket**; a push, or a write of our own, makes the open tickets of the key dirty;
 *   and only a clean ticket fills, looked at in the same synchronous step as the fill, with no `await` between (R17).
 * - *The gap.* While the source is not connected, pushes are lost and nobody knows which. So the source counts **epochs**: losing anything
 *   ends the epoch, a new one begins when pushes flow again. A new epoch begins with an empty map, and a ticket fills only in its own (R20).
 * - *The silent source.* A half-open socket, a stopped server or a stopped process hears nothing and does not know it. So a hit needs a
 *   **lease**: less than `stalenessMs` since the moment up to which the source has proof that it heard everything (R18).
 * - *Our own write.* Its push takes a round trip, and the writer must not read its old value meanwhile. So an own invalidation acts like
 *   the push, at the call and at its answer (R17).
 *
 * Why that is enough. Take a hit at time T, and a write W of its key that was acknowledged at or before T − stalenessMs. By the lease W was
 * acknowledged before `validFrom`, so its push has been processed, at P ≤ T. The value entered the map in this epoch, under a clean ticket.
 * If it entered before P, P removed it. If it entered after P, its ticket was taken after P too, or it would be dirty; its read was sent
 * after the ticket, hence after W had run, and saw W. Either way the value is W's or newer.
 */
export class CoherentMap<V> {
  private readonly items: LRUCache<string, Item<V>>
  private readonly open = new Map<string, OpenTickets>()
  private readonly source: InvalidationSource
  private readonly clock: Clock
  private readonly stalenessMs: number
  private readonly stopListening: () => void
  private closed = false

  constructor(options: CoherentMapOptions) {
    this.source = options.source
    this.clock = options.clock
    this.stalenessMs = options.stalenessMs
    this.items = new LRUCache({
      maxSize: options.maxBytes,
      max: options.maxEntries,
      dispose: (item) => (item.kept = false),
    })
    this.stopListening = this.source.listen({
      invalidate: (key) => this.invalidate(key),
      reset: () => this.reset(),
    })
  }

  /**
   * The value, or undefined when there is none that may be used now.
   * @param now the clock's monotonic time, from whoever has just looked
   */
  get(key: string, now: number = this.clock.mono()): V | undefined {
    return this.find(key, now)?.value
  }

  /** As {@link get}; what it answers can be asked about again by {@link holds}. */
  find(key: string, now: number): Kept<V> | undefined {
    const item = this.items.get(key)
    if (item === undefined) return undefined
    if (now >= item.expiresAt) {
      this.items.delete(key)
      return undefined
    }
    // The item stays: a later proof makes it usable again, because everything up to that proof will have been heard.
    return this.isFresh(now) ? item : undefined
  }

  /** Whether {@link find} would answer each of these again: without a look-up, which also is what keeps a value when there is no more room. */
  holds(found: readonly Kept<V>[], now: number): boolean {
    for (const { kept, expiresAt } of found) if (!kept || now >= expiresAt) return false
    return this.isFresh(now)
  }

  /** R18. */
  private isFresh(now: number): boolean {
    return now - this.source.validFrom() < this.stalenessMs
  }

  /**
   * To be taken before the read of `key` is *sent*. Each ticket must end, by {@link put} or by {@link Ticket.close}: open ones are kept.
   * While the source is not live the ticket is dirty from the start.
   */
  ticket(key: string): Ticket {
    const now = this.clock.mono()
    if (this.closed || !this.source.live) return new Ticket(key, 0, now, undefined)
    let open = this.open.get(key)
    if (open === undefined) {
      open = { map: this.open, dirty: false, count: 0 }
      this.open.set(key, open)
    }
    return new Ticket(key, this.source.epoch, now, open)
  }

  /**
   * Keeps the value if its ticket still allows it (R17), and ends the ticket. To be called synchronously once the value is decoded.
   * @param size what the value weighs, in bytes; more than `maxBytes` is not kept
   * @param ttlMs how long it may be used here, from when its ticket was taken: its reply may have come late
   * @returns whether it was kept
   */
  put(key: string, value: V, ticket: Ticket, size: number, ttlMs: number): boolean {
    const fills = ticket.key === key && !ticket.dirty && ticket.epoch === this.source.epoch
    ticket.close()
    if (!fills || !(ttlMs > 0)) return false
    this.items.set(
      key,
      { value, expiresAt: ticket.takenAt + ttlMs, kept: true },
      { size: Math.max(1, Math.ceil(size)) },
    )
    return this.items.has(key)
  }

  /** The key was written: by somebody else (a push), or by this process, which calls this when it sends the write and when it is answered. */
  invalidate(key: string): void {
    this.items.delete(key)
    const open = this.open.get(key)
    if (open === undefined) return
    open.dirty = true
    this.open.delete(key)
  }

  /** Anything may have been written (R20): forgets every value and makes every open ticket dirty. */
  reset(): void {
    this.items.clear()
    for (const open of this.open.values()) open.dirty = true
    this.open.clear()
  }

  /** {@link invalidate} of every key, kept or with open tickets, that matches. */
  invalidateWhere(matches: (key: string) => boolean): void {
    for (const key of [...this.items.keys(), ...this.open.keys()]) if (matches(key)) this.invalidate(key)
  }

  /** What a kept value weighs has turned out: it counts anew, and goes when it alone is more than `maxBytes`. */
  weigh(key: string, value: V, size: number): void {
    const item = this.items.peek(key)
    // An item of its own: for the same one the old size would stay.
    if (item?.value === value) this.items.set(key, { ...item }, { size: Math.max(1, Math.ceil(size)) })
  }

  /** Drops a value that turned out to be of no use; tickets of its key stay clean, for nothing was written. */
  drop(key: string): void {
    this.items.delete(key)
  }

  /** Values kept now, usable or not. */
  get entries(): number {
    return this.items.size
  }

  /** What they weigh together. */
  get bytes(): number {
    return this.items.calculatedSize
  }

  /** Keys that have open, clean tickets. */
  get openTickets(): number {
    return this.open.size
  }

  /** Stops listening and forgets everything; afterwards nothing hits and nothing fills. */
  close(): void {
    this.closed = true
    this.stopListening()
    this.reset()
  }
}

export interface CoherentMapOptions {
  readonly source: InvalidationSource
  readonly clock: Clock
  /** Upper bound of the sum of the sizes given to `put`, bytes. */
  readonly maxBytes: number
  /** Upper bound of the number of values. */
  readonly maxEntries: number
  /** A hit is at least as fresh as every write acknowledged this long ago, ms. */
  readonly stalenessMs: number
}

/**
 * The port: where a {@link CoherentMap} and whoever waits for a change of a key hear of writes. Keys are whole Redis keys.
 *
 * What an implementation promises. While it is live it reports every write, in the order in which they ran, before `validFrom` moves past
 * them; when it may have missed one it ends the epoch, and says so synchronously, before anybody can see the next epoch.
 */
export interface InvalidationSource {
  /** Grows with every reset and is never used twice; 0 while not live. */
  readonly epoch: number
  /** Every write from now on will be reported, or else a reset. */
  readonly live: boolean
  /** Monotonic ms: every write acknowledged up to then has been reported. −Infinity while not live. */
  validFrom(): number
  /** Reports from now on. Answers the way to stop. */
  listen(listener: InvalidationListener): () => void
}

/** Called synchronously; must not throw. */
export interface InvalidationListener {
  /** The key was written, deleted, or expired. */
  invalidate(key: string): void
  /** Any key may have been. `reason` is for logs. */
  reset(reason: string): void
}

/** The right to fill one key, as long as nothing has happened to it since (R17). */
export class Ticket {
  private ended = false

  /** @internal Tickets come from {@link CoherentMap.ticket}. */
  constructor(
    readonly key: string,
    readonly epoch: number,
    /** Monotonic ms: the value was read later than this. */
    readonly takenAt: number,
    private readonly open: OpenTickets | undefined,
  ) {
    if (open !== undefined) open.count++
  }

  /** True once the key was written, everything was reset, or the ticket ended. */
  get dirty(): boolean {
    return this.ended || this.open === undefined || this.open.dirty
  }

  /** The read came to nothing. Closing twice, or after `put`, does nothing. */
  close(): void {
    if (this.ended || this.open === undefined) return
    this.ended = true
    // A dirty group has left the map already, and another one of the same key may stand in its place.
    if (--this.open.count === 0 && !this.open.dirty) this.open.map.delete(this.key)
  }
}

/** The tickets of one key that are clean together, and become dirty together. */
interface OpenTickets {
  readonly map: Map<string, OpenTickets>
  dirty: boolean
  count: number
}

/** What a {@link CoherentMap} keeps for a key. */
export interface Kept<V> {
  readonly value: V
  /** Monotonic ms. */
  readonly expiresAt: number
  /** False from the moment at which it is not in the map any more. */
  readonly kept: boolean
}

interface Item<V> extends Kept<V> {
  kept: boolean
}
