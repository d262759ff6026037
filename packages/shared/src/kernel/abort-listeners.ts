/**
 * Listens to a signal that many may listen to: a request's signal, given to a hundred calls. The signal itself has one listener from here, for
 * Node warns of a leak at the eleventh, and none once nobody listens any more.
 *
 * @returns the way to listen no more. `listener` is called once, when the signal aborts; not for one that has aborted already.
 */
export function onAbort(signal: AbortSignal, listener: () => void): () => void {
  let listeners = listening.get(signal)
  if (listeners === undefined) listening.set(signal, (listeners = new AbortListeners(signal)))
  listeners.add(listener)
  return () => listeners.delete(listener)
}

const listening = new WeakMap<AbortSignal, AbortListeners>()

class AbortListeners {
  private readonly all = new Set<() => void>()

  constructor(private readonly signal: AbortSignal) {}

  add(listener: () => void): void {
    if (this.all.size === 0) this.signal.addEventListener('abort', this.tell, { once: true })
    this.all.add(listener)
  }

  delete(listener: () => void): void {
    if (this.all.delete(listener) && this.all.size === 0) this.signal.removeEventListener('abort', this.tell)
  }

  private readonly tell = (): void => {
    const listeners = [...this.all]
    this.all.clear()
    for (const listener of listeners) listener()
  }
}
