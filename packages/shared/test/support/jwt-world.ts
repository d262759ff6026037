import { JwtUnavailableError } from '../../src/jwt/errors.js'
import { JwtBlacklistService } from '../../src/jwt/jwt-blacklist.js'
import type { JwtStore, MarkEnd, RotateRequest, Rotation, Standing } from '../../src/jwt/jwt-store.js'
import type { JwtBlacklistOptions } from '../../src/jwt/options.js'
import { MemoryJwtStore } from '../../src/jwt/stores/memory.js'
import type { Clock } from '../../src/kernel/clock.js'
import type { InvalidationListener, InvalidationSource } from '../../src/kernel/coherent-map.js'
import { MemoryHub } from '../../src/kernel/memory-hub.js'
import { FakeClock } from '../../src/testing/fake-clock.js'

/** Processes with a blacklist each, over one memory server; what each is told, and what it is answered, is in the hands of the test. */
export class JwtWorld {
  readonly clock = new FakeClock()
  private readonly hub = new MemoryHub({ clock: this.clock })

  process(options: JwtBlacklistOptions = {}): { blacklist: JwtBlacklistService; store: HandStore } {
    const store = new HandStore(this.hub, this.clock)
    return { blacklist: new JwtBlacklistService(() => store, options, { clock: this.clock }), store }
  }

  /** Seconds since 1970, as claims have them. */
  get now(): number {
    return Math.floor(this.clock.wall() / 1_000)
  }
}

/** A store that is away, slow or silent when the test says so. */
export class HandStore implements JwtStore {
  readonly changes: HandSource
  /** The marks of each question that was sent. */
  readonly reads: (readonly string[])[] = []
  away = false
  /** Every answer is said to have been redirected. */
  redirected = false
  private gate: Promise<void> | undefined
  private readonly truth: MemoryJwtStore

  constructor(hub: MemoryHub, clock: Clock) {
    this.truth = new MemoryJwtStore(hub, 'vextrus:')
    this.changes = new HandSource(clock)
    this.truth.changes.listen({ invalidate: (mark) => this.changes.wrote(mark), reset: () => undefined })
  }

  /** What is asked from now on is done at once, and answered when the function that this returns is called. */
  holdAnswers(): () => void {
    let open: () => void = () => undefined
    this.gate = new Promise((resolve) => (open = resolve))
    return () => {
      this.gate = undefined
      open()
    }
  }

  async read(marks: readonly string[]): Promise<readonly Standing[]> {
    this.reads.push(marks)
    const found = await this.answer(() => this.truth.read(marks))
    return this.redirected ? found.map(({ value }) => ({ value, redirected: true })) : found
  }

  mark(mark: string, end: MarkEnd): Promise<void> {
    return this.answer(() => this.truth.mark(mark, end))
  }

  markBefore(mark: string, second: number | null, keepMs: number): Promise<number> {
    return this.answer(() => this.truth.markBefore(mark, second, keepMs))
  }

  begin(family: string, token: string, ttlMs: number): Promise<void> {
    return this.answer(() => this.truth.begin(family, token, ttlMs))
  }

  rotate(request: RotateRequest): Promise<Rotation> {
    return this.answer(() => this.truth.rotate(request))
  }

  end(family: string, keepMs: number): Promise<void> {
    return this.answer(() => this.truth.end(family, keepMs))
  }

  private async answer<T>(run: () => Promise<T>): Promise<T> {
    if (this.away) throw new JwtUnavailableError('the test said so')
    const { gate } = this
    const result = run()
    await gate
    return result
  }
}

/** A source of changes that tells when the test says so. */
export class HandSource implements InvalidationSource {
  live = true
  epoch = 1
  /** False: what was written is not told until {@link tell}. */
  tells = true
  /** Until when all has been heard, monotonic ms; undefined: until now. */
  heardUntil: number | undefined
  private readonly listeners = new Set<InvalidationListener>()
  private readonly untold: string[] = []

  constructor(private readonly clock: Clock) {}

  get listening(): number {
    return this.listeners.size
  }

  validFrom(): number {
    return this.live ? (this.heardUntil ?? this.clock.mono()) : -Infinity
  }

  listen(listener: InvalidationListener): () => void {
    this.listeners.add(listener)
    return () => void this.listeners.delete(listener)
  }

  wrote(mark: string): void {
    this.untold.push(mark)
    if (this.tells) this.tell()
  }

  tell(): void {
    for (const mark of this.untold.splice(0)) for (const listener of this.listeners) listener.invalidate(mark)
  }

  /** The epoch ends: what was written meanwhile is never told. */
  reset(): void {
    this.epoch++
    this.untold.length = 0
    for (const listener of this.listeners) listener.reset('the test said so')
  }
}
