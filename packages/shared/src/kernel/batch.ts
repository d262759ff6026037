/**
 * Collects the requests of a tick and hands them over as one list, so that a hundred concurrent callers cost one round trip.
 *
 * While nothing is under way the list leaves at the end of the current microtask run (`process.nextTick`): a lone caller waits for nobody.
 * While an earlier list is under way the next one leaves at the end of the poll phase (`setImmediate`), which gathers the requests of all
 * sockets read in it. A request may be shared only while it is unsent, so a list is closed before `flush` is called.
 */
export class TickBatch<Request> {
  private open: Request[] = []
  private underWay = 0
  private scheduled = false

  /** @param flush sends the list; must not throw synchronously, and answers its requests itself. @param max closes a list early. */
  constructor(
    private readonly flush: (requests: Request[]) => Promise<void>,
    private readonly max = 1_000,
  ) {}

  add(request: Request): void {
    if (this.open.push(request) >= this.max) this.send()
    else if (!this.scheduled) {
      this.scheduled = true
      if (this.underWay === 0) process.nextTick(this.tick)
      else setImmediate(this.tick)
    }
  }

  private readonly tick = (): void => {
    this.scheduled = false
    if (this.open.length > 0) this.send()
  }

  private send(): void {
    const requests = this.open
    this.open = []
    this.underWay++
    void this.flush(requests).finally(this.done)
  }

  private readonly done = (): void => {
    this.underWay--
  }
}
