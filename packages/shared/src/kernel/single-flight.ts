/**
 * One call at a time for each key: whoever asks while one is running gets its outcome, the value or the same error object. Nothing is kept
 * once it has settled; the first to ask after that starts anew.
 */
export class SingleFlight<K, V> {
  private readonly flights = new Map<K, Promise<V>>()

  /** How many calls are running. */
  get size(): number {
    return this.flights.size
  }

  /** Joins the running call of `key`, or calls `fn`, before it returns. A `fn` that asks for its own key and awaits it waits for itself. */
  run(key: K, fn: () => V | PromiseLike<V>): Promise<V> {
    const running = this.flights.get(key)
    if (running !== undefined) return running
    const flight = this.fly(key, fn)
    this.flights.set(key, flight)
    return flight
  }

  private async fly(key: K, fn: () => V | PromiseLike<V>): Promise<V> {
    // Async, so that a synchronous throw is a rejection too, and the clean-up below never runs before the flight was registered.
    const outcome = (async () => fn())()
    try {
      return await outcome
    } finally {
      // Before the callers go on: their continuations already see that nothing is running.
      this.flights.delete(key)
    }
  }
}
