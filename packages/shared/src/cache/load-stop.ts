/**
 * Ends a load before its loader has answered: its time is over, nobody waits for it any more, or the cache closes.
 *
 * The loader learns of it by a signal, which is made only for a loader that looks at it. Those who wait inside the load are told at once,
 * whatever the loader does: what it answers later goes nowhere, and a late rejection is not an unhandled one.
 */
export class LoadStop {
  private controller: AbortController | undefined
  private stopped: { readonly reason: unknown } | null = null
  private readonly listeners = new Set<(reason: unknown) => void>()

  /** What the loader is given. */
  get signal(): AbortSignal {
    if (this.controller === undefined) {
      this.controller = new AbortController()
      if (this.stopped !== null) this.controller.abort(this.stopped.reason)
    }
    return this.controller.signal
  }

  get isStopped(): boolean {
    return this.stopped !== null
  }

  /** The first reason counts. */
  stop(reason: unknown): void {
    if (this.stopped !== null) return
    this.stopped = { reason }
    // The loader last: what its listeners do must find the load over.
    for (const listener of this.listeners) listener(reason)
    this.listeners.clear()
    this.controller?.abort(reason)
  }

  /** Told once, when it stops; at once when it has. Answers the way to listen no more. */
  onStop(listener: (reason: unknown) => void): () => void {
    if (this.stopped !== null) listener(this.stopped.reason)
    else this.listeners.add(listener)
    return () => void this.listeners.delete(listener)
  }

  /** @throws the reason, when it has stopped */
  throwIfStopped(): void {
    if (this.stopped !== null) throw this.stopped.reason
  }

  /** The outcome of `work`, or a rejection with the reason as soon as it stops. */
  race<T>(work: T | PromiseLike<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const end = this.onStop(reject)
      Promise.resolve(work).finally(end).then(resolve, reject)
    })
  }
}
