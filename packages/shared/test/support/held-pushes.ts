import type { PushListener, PushSource } from '../../src/cache/cache-store.js'

/** The pushes of another source, as a connection brings them: in order, when a test says so, and not those that it loses. */
export class HeldPushes implements PushSource {
  /** Pushes that are lost from now on, and told to nobody. */
  losing = 0
  private holding = false
  /** Monotonic ms since which pushes are held. Infinity: none is. */
  private heldFrom = Infinity
  private readonly listeners = new Set<PushListener>()
  private queue: (() => void)[] = []

  constructor(
    private readonly inner: PushSource,
    private readonly now: () => number,
  ) {
    inner.listen({
      invalidate: (key) => this.push((listener) => listener.invalidate(key)),
      reset: (reason) => this.push((listener) => listener.reset(reason)),
      clockMoved: () => this.push((listener) => listener.clockMoved?.()),
      signalled: (key) => this.push((listener) => listener.signalled?.(key)),
    })
  }

  get live(): boolean {
    return this.inner.live
  }

  get epoch(): number {
    return this.inner.epoch
  }

  validFrom(): number {
    return Math.min(this.heldFrom, this.inner.validFrom())
  }

  /** Stands in the same line as the pushes. */
  async barrier(): Promise<boolean> {
    const told = await this.inner.barrier()
    return new Promise((resolve) => this.send(() => resolve(told)))
  }

  listen(listener: PushListener): () => void {
    this.listeners.add(listener)
    return () => void this.listeners.delete(listener)
  }

  hold(): void {
    this.holding = true
    this.heldFrom = this.now()
  }

  release(): void {
    this.holding = false
    this.heldFrom = Infinity
    for (const each of this.queue.splice(0)) each()
  }

  private push(what: (listener: PushListener) => void): void {
    if (this.losing > 0) {
      this.losing--
      return
    }
    this.send(() => {
      for (const listener of this.listeners) what(listener)
    })
  }

  private send(what: () => void): void {
    if (this.holding) this.queue.push(what)
    else what()
  }
}
