/**
 * Messages on their way to one handler: one after the other, each when the one before has settled, and so many waiting at most. A handler that
 * fails is reported, and gets the next.
 */
export class Delivery<Item> {
  private waiting: Item[] = []
  private running: Promise<void> | undefined
  private ended = false

  constructor(
    private readonly max: number,
    private readonly handle: (item: Item) => void | Promise<void>,
    private readonly failed: (error: unknown) => void,
  ) {}

  /** How many more may wait. */
  get room(): number {
    return this.ended ? 0 : this.max - this.waiting.length
  }

  /** Nothing waits, and nothing runs. */
  get idle(): Promise<void> {
    return this.running ?? Promise.resolve()
  }

  add(item: Item): void {
    if (this.ended) return
    this.waiting.push(item)
    this.running ??= this.run()
  }

  /** Drops the one that has waited longest. */
  dropOldest(): void {
    this.waiting.shift()
  }

  /** No other is handled. Resolves when the one under way has settled. */
  end(): Promise<void> {
    this.ended = true
    this.waiting = []
    return this.idle
  }

  private async run(): Promise<void> {
    // Whoever adds goes on before the handler runs: a message is never handled within the call that brought it.
    await Promise.resolve()
    for (let item = this.waiting.shift(); item !== undefined; item = this.waiting.shift()) {
      try {
        await this.handle(item)
      } catch (error) {
        this.failed(error)
      }
    }
    this.running = undefined
  }
}
