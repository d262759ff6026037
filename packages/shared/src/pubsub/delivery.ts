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
  /** A handler runs, or its promise is under way. */
  private busy = false
  private ended = false
  private idlers: (() => void)[] = []

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
    return this.isIdle ? Promise.resolve() : new Promise((resolve) => this.idlers.push(resolve))
  }

  add(item: Item): void {
    if (this.ended) return
    this.messages++
    this.enqueue(item)
  }

  /** Messages are missing here. Told once, however often it is said in a row. */
  mark(missed: MissedReason): void {
    if (this.ended || this.waiting.at(-1) instanceof Mark) return
    this.enqueue(new Mark(missed))
  }

  /** Drops the message that has waited longest, and leaves a mark in its place. */
  dropOldest(): void {
    const [first, second] = this.waiting
    if (first === undefined) return
    if (!(first instanceof Mark)) this.waiting[0] = new Mark('slow')
    else if (second === undefined) return
    else this.waiting.splice(1, 1)
    this.messages--
    // Two marks in a row are one.
    if (this.waiting[1] instanceof Mark) this.waiting.splice(1, 1)
  }

  /** No other is handled. Resolves when the one under way has settled. */
  end(): Promise<void> {
    this.ended = true
    this.waiting = []
    this.messages = 0
    this.tellIdlers()
    return this.idle
  }

  private get isIdle(): boolean {
    return !this.busy && this.waiting.length === 0
  }

  private enqueue(entry: Entry<Item>): void {
    this.waiting.push(entry)
    // Whoever adds goes on before the handler runs: a message is never handled within the call that brought it.
    soon(this)
  }

  /** Its turn: hands on what has waited longest. */
  step(): void {
    // Who is waited for goes on by itself.
    if (this.busy) return
    const entry = this.waiting.shift()
    if (entry === undefined) return
    this.busy = true
    const settling = this.handOn(entry)
    // A promise for each message costs more than to hand over most of them.
    if (settling === undefined) this.settled()
    else void this.wait(settling)
  }

  private handOn(entry: Entry<Item>): void | Promise<void> {
    try {
      if (entry instanceof Mark) return this.on.missed(entry.missed)
      this.messages--
      return this.on.handle(entry)
    } catch (error) {
      void this.failed(error)
    }
  }

  private async wait(settling: Promise<void>): Promise<void> {
    try {
      await settling
    } catch (error) {
      void this.failed(error)
    }
    this.settled()
    // What came meanwhile had its turn in vain.
    while (!this.busy && this.waiting.length > 0) this.step()
  }

  private settled(): void {
    this.busy = false
    this.tellIdlers()
  }

  /** What the report itself throws is an unhandled rejection, and takes nobody's turn. */
  private async failed(error: unknown): Promise<void> {
    this.on.failed(error)
  }

  private tellIdlers(): void {
    if (this.idlers.length === 0 || !this.isIdle) return
    for (const idler of this.idlers.splice(0)) idler()
  }
}

/** Where messages are missing. */
class Mark {
  constructor(readonly missed: MissedReason) {}
}
type Entry<Item> = Item | Mark

/**
 * Whose turn it is when all that runs now is over, once for each message. So a message goes to all its handlers before the next one goes to any,
 * and they read the same text one after the other; and the wait costs one promise for all of them.
 */
let turns: { step(): void }[] = []
const now = Promise.resolve()

function soon(delivery: { step(): void }): void {
  if (turns.push(delivery) === 1) void now.then(takeTurns)
}

function takeTurns(): void {
  const taken = turns
  turns = []
  for (const delivery of taken) delivery.step()
}
