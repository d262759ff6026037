import type { PushListener, PushSource } from '../../src/cache/cache-store.js'

/** A source of pushes that tells what a test says. */
export class ManualPushes implements PushSource {
  live = true
  epoch = 1
  /** Whether whoever asks hears that all has been told (R21). */
  told = true
  private readonly listeners = new Set<PushListener>()

  constructor(live = true) {
    this.live = live
  }

  /** Everything has been told, while it is live. */
  validFrom(): number {
    return this.live ? Infinity : -Infinity
  }

  async barrier(): Promise<boolean> {
    return this.live && this.told
  }

  listen(listener: PushListener): () => void {
    this.listeners.add(listener)
    return () => void this.listeners.delete(listener)
  }

  get listening(): number {
    return this.listeners.size
  }

  /** A write of the key; null: a reset. */
  tell(key: string | null): void {
    for (const listener of this.listeners) {
      if (key === null) listener.reset('the test said so')
      else listener.invalidate(key)
    }
  }

  clockMoved(): void {
    for (const listener of this.listeners) listener.clockMoved?.()
  }
}

/** What those who wait for a key hear: that key, and null for a reset. Answers the way to stop. */
export function onWake(pushes: PushSource, hear: (key: string | null) => void): () => void {
  return pushes.listen({ invalidate: hear, signalled: hear, reset: () => hear(null) })
}
