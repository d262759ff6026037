import type { MissedReason } from './public-types.js'

/** Where a {@link Delivery} leads. */
export interface DeliveryCalls<Item> {
  handle(item: Item): void | Promise<void>
  /** Messages are missing between those that were handled and those that follow. */
  missed(reason: MissedReason): void | Promise<void>
  failed(error: unknown): void
}

/**
 * Messages on their way to one handler: one after the other, each when the one before has settled, and so many waiting at most. A handler that
 * fails is reported, and gets the next. What is missing is told at the place where it is missing.
 */
export class Delivery<Item> {
  private waiting: Entry<Item>[] = []
  private messages = 0
  private running: Promise<void> | undefined
  private ended = false

  constructor(
    private readonly max: number,
    private readonly on: DeliveryCalls<Item>,
  ) {}

  /** How many more may wait. */
  get room(): number {
    return this.ended ? 0 : this.max - this.messages
  }

  /** Nothing waits, and nothing runs. */
  get idle(): Promise<void> {
    return this.running ?? Promise.resolve()
  }

  add(item: Item): void {
    if (this.ended) return
    this.messages++
    this.enqueue({ item })
  }

  /** Messages are missing here. Told once, however often it is said in a row. */
  mark(missed: MissedReason): void {
    if (this.ended || isMark(this.waiting.at(-1))) return
    this.enqueue({ missed })
  }

  /** Drops the message that has waited longest, and leaves a mark in its place. */
  dropOldest(): void {
    const [first, second] = this.waiting
    if (first === undefined) return
    if (!isMark(first)) this.waiting[0] = { missed: 'slow' }
    else if (second === undefined) return
    else this.waiting.splice(1, 1)
    this.messages--
    // Two marks in a row are one.
    if (isMark(this.waiting[1])) this.waiting.splice(1, 1)
  }

  /** No other is handled. Resolves when the one under way has settled. */
  end(): Promise<void> {
    this.ended = true
    this.waiting = []
    this.messages = 0
    return this.idle
  }

  private enqueue(entry: Entry<Item>): void {
    this.waiting.push(entry)
    this.running ??= this.run()
  }

  private async run(): Promise<void> {
    // Whoever adds goes on before the handler runs: a message is never handled within the call that brought it.
    await Promise.resolve()
    for (let entry = this.waiting.shift(); entry !== undefined; entry = this.waiting.shift()) {
      try {
        if (isMark(entry)) {
          await this.on.missed(entry.missed)
        } else {
          this.messages--
          const settling = this.on.handle(entry.item)
          // A promise for each message costs more than to hand over most of them.
          if (settling !== undefined) await settling
        }
      } catch (error) {
        this.on.failed(error)
      }
    }
    this.running = undefined
  }
}

type Mark = { readonly missed: MissedReason }
type Entry<Item> = { readonly item: Item } | Mark

function isMark(entry: Entry<unknown> | undefined): entry is Mark {
  return entry !== undefined && 'missed' in entry
}
