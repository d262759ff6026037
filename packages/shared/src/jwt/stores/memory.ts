import type { Clock } from '../../kernel/clock.js'
import type { InvalidationListener, InvalidationSource } from '../../kernel/coherent-map.js'
import type { MemoryHub } from '../../kernel/memory-hub.js'
import {
  familyMark,
  type JwtStore,
  type MarkEnd,
  type RotateRequest,
  type Rotation,
  type Standing,
} from '../jwt-store.js'

/** The port in process, on what modules of one `MemoryHub` share. Says and does what the scripts of `lua/` do. */
export class MemoryJwtStore implements JwtStore {
  readonly changes: InvalidationSource
  private readonly space: MemoryRevocations

  constructor(hub: MemoryHub, keyPrefix: string) {
    this.space = hub.part('jwt', keyPrefix, ({ clock }) => new MemoryRevocations(clock))
    this.changes = this.space
  }

  async read(marks: readonly string[]): Promise<readonly Standing[]> {
    return marks.map((mark) => ({ value: this.space.get(mark) }))
  }

  async mark(mark: string, end: MarkEnd): Promise<void> {
    const { nowMs } = this.space
    const until = 'atMs' in end ? end.atMs : nowMs + end.inMs
    if (until > nowMs && until > this.space.endOf(mark)) this.space.set(mark, '1', until)
  }

  async markBefore(mark: string, second: number | null, keepMs: number): Promise<number> {
    const { nowMs } = this.space
    const reached = Math.max(second ?? Math.floor(nowMs / 1_000), Number(this.space.get(mark) ?? 0))
    const until = Math.max(nowMs, (reached + 1) * 1_000) + keepMs
    this.space.set(mark, String(reached), Math.max(until, this.space.endOf(mark)))
    return reached
  }

  async begin(family: string, token: string, ttlMs: number): Promise<void> {
    this.space.keep(family, { token, before: undefined, at: 0, until: this.space.nowMs + ttlMs })
  }

  async rotate({ family, from, to, ttlMs, graceMs }: RotateRequest): Promise<Rotation> {
    const { nowMs, families } = this.space
    if (this.space.get(familyMark(family)) !== null) return { outcome: 'revoked' }
    const known = families.get(family)
    if (known === undefined || known.until <= nowMs) return { outcome: 'unknown' }
    if (known.token === from) {
      this.space.keep(family, { token: to, before: from, at: nowMs, until: nowMs + ttlMs })
      return { outcome: 'rotated', token: to }
    }
    if (known.before === from && Math.abs(nowMs - known.at) <= graceMs)
      return { outcome: 'repeated', token: known.token }
    await this.end(family, ttlMs)
    return { outcome: 'reused' }
  }

  async end(family: string, keepMs: number): Promise<void> {
    this.space.families.delete(family)
    this.space.set(familyMark(family), '1', this.space.nowMs + keepMs)
  }
}

/** The revocations under one prefix, which tell of their writes before anybody can know of them. */
class MemoryRevocations implements InvalidationSource {
  readonly epoch = 1
  readonly live = true
  readonly families = new Map<string, Family>()
  private readonly marks = new Map<string, { readonly value: string; readonly until: number }>()
  private readonly listeners = new Set<InvalidationListener>()
  private writes = 0

  constructor(private readonly clock: Clock) {}

  /** The store's own clock: that of Redis is a wall clock too, and `exp` is on it. */
  get nowMs(): number {
    return this.clock.wall()
  }

  validFrom(): number {
    return this.clock.mono()
  }

  listen(listener: InvalidationListener): () => void {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }

  get(mark: string): string | null {
    const known = this.marks.get(mark)
    return known !== undefined && known.until > this.nowMs ? known.value : null
  }

  /** When a mark ends; −Infinity: there is none. */
  endOf(mark: string): number {
    return this.get(mark) === null ? -Infinity : this.marks.get(mark)!.until
  }

  set(mark: string, value: string, until: number): void {
    this.marks.set(mark, { value, until })
    this.sweep()
    for (const listener of this.listeners) listener.invalidate(mark)
  }

  keep(family: string, state: Family): void {
    this.families.set(family, state)
    this.sweep()
  }

  /** What is over goes, once in many writes. */
  private sweep(): void {
    if (++this.writes % SWEEP_EVERY !== 0) return
    const { nowMs } = this
    for (const [mark, { until }] of this.marks) if (until <= nowMs) this.marks.delete(mark)
    for (const [family, { until }] of this.families) if (until <= nowMs) this.families.delete(family)
  }
}

const SWEEP_EVERY = 1_000

interface Family {
  readonly token: string
  readonly before: string | undefined
  readonly at: number
  readonly until: number
}
