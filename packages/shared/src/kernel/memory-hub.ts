import { type Clock, systemClock } from './clock.js'
import { type RandomSource, systemRandom } from './random.js'

/** What a {@link MemoryHub} takes. */
export interface MemoryHubOptions {
  /** @default the machine's clock */
  readonly clock?: Clock | undefined
  /** @default the machine's CSPRNG */
  readonly random?: RandomSource | undefined
  /** Most bytes of cached payload kept a key prefix; beyond it the least recently used entries go. @default 268_435_456 (256 MiB) */
  readonly maxBytes?: number | undefined
}

/**
 * A memory "server": what the memory stores of one process share when they are given the same hub, as several processes share one Redis.
 * It is gone with its process.
 */
export class MemoryHub {
  readonly clock: Clock
  readonly random: RandomSource
  readonly maxBytes: number
  private readonly parts = new Map<string, unknown>()

  constructor({ clock = systemClock, random = systemRandom, maxBytes = 268_435_456 }: MemoryHubOptions = {}) {
    this.clock = clock
    this.random = random
    this.maxBytes = maxBytes
  }

  /**
   * What one capability keeps under one key prefix: made by whoever asks first, and the same for all who ask later. A capability asks for
   * one kind of thing only.
   */
  part<T>(capability: string, keyPrefix: string, make: (hub: MemoryHub) => T): T {
    const name = JSON.stringify([capability, keyPrefix])
    if (!this.parts.has(name)) this.parts.set(name, make(this))
    return this.parts.get(name) as T
  }
}
