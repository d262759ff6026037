import { AsyncLocalStorage } from 'node:async_hooks'

/**
 * Knows which loads the code that runs now is a part of: a key that is asked for inside its own load is loaded directly (R7), for it would
 * wait for itself.
 */
export class LoadScope {
  /** Whether the caller runs inside a load of `key`, of this scope. */
  has(key: string): boolean {
    for (let frame = frames.getStore(); frame !== undefined; frame = frame.outer) {
      if (frame.scope === this && !frame.over && frame.keys.has(key)) return true
    }
    return false
  }

  /** The keys of all loads that the caller runs inside, of this scope. */
  keys(): string[] {
    const keys: string[] = []
    for (let frame = frames.getStore(); frame !== undefined; frame = frame.outer) {
      if (frame.scope === this && !frame.over) keys.push(...frame.keys)
    }
    return keys
  }

  /** Runs `work`, a load of these keys. What `work` leaves running behind it is no part of the load any more. */
  async run<T>(keys: readonly string[], work: () => T | PromiseLike<T>): Promise<T> {
    const frame: Frame = { scope: this, keys: new Set(keys), outer: frames.getStore(), over: false }
    running++
    try {
      return await frames.run(frame, work)
    } finally {
      running--
      frame.over = true
    }
  }
}

/**
 * Whether the code that runs now is a part of a load, of whatever cache: what it reads ends up in a value that is stored, so it must not come
 * from L1, whose staleness would live on for a TTL (R22). Looked at only while loads are running.
 */
export function isInsideLoad(): boolean {
  if (running === 0) return false
  for (let frame = frames.getStore(); frame !== undefined; frame = frame.outer) if (!frame.over) return true
  return false
}

/** Loads of this process that run now. */
let running = 0

interface Frame {
  readonly scope: LoadScope
  readonly keys: ReadonlySet<string>
  readonly outer: Frame | undefined
  over: boolean
}

/** One for all caches of the process: on Node 20 and 22 every storage that was ever used costs each promise of the program a step. */
const frames = new AsyncLocalStorage<Frame>()
