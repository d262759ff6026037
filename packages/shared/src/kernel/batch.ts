/**
 * Collects the requests of a tick and hands them over as one list, so that a hundred concurrent callers cost one round trip.
 *
 * A list leaves at the end of the current microtask run (`process.nextTick`): a lone caller waits for nobody. A patient batch, while an
 * earlier list is under way, lets the next one leave at the end of the poll phase (`setImmediate`): that gathers the requests of all the
 * sockets read in it. A request may be shared only while it is unsent, so a list is closed before `flush` is called.
 */
export class TickBatch<Request> {
  private open: Request[] = []
  private underWay = 0
  private scheduled = false
  private readonly patient: boolean
  private readonly max: number

  /**
   * @param flush sends a list and answers its requests itself; what it throws is a defect and surfaces as an unhandled rejection
   * @param options.patient gather for longer while a list is under way. Default false
   * @param options.max a list is closed early at this many requests. Default 1,000
   */
  constructor(
    private readonly flush: (requests: Request[]) => Promise<void>,
    options: { patient?: boolean; max?: number } = {},
  ) {
    this.patient = options.patient ?? false
    this.max = options.max ?? 1_000
  }

  add(request: Request): void {
    if (this.open.push(request) >= this.max) this.send()
    else if (!this.scheduled) {
      this.scheduled = true
      if (this.patient && this.underWay > 0) setImmediate(this.tick)
      else process.nextTick(this.tick)
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
