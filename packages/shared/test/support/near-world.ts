import type { CacheOptions } from '../../src/cache/options.js'
import type { NearCache } from '../../src/cache/near-cache.js'
import { idle, MemoryWorld, type TestProcess } from './memory-world.js'
import { QueuedPushes } from './queued-pushes.js'

/** Processes with L1 over one memory server; the pushes of each travel on a way of their own. */
export class NearWorld extends MemoryWorld {
  near(options: CacheOptions = {}): NearProcess {
    const pushes = new QueuedPushes(this.space, this.clock)
    return { ...this.process({ l1: {}, ...options, pushes }), pushes }
  }

  /** A process that has these keys in L1, and a clock that has passed. */
  async keeping(keys: readonly string[], options: CacheOptions = {}): Promise<NearProcess> {
    const near = this.near(options)
    for (const key of keys) await kept(near, key)
    await idle()
    near.store.sent.length = 0
    near.cache.resetStatistics()
    return near
  }
}

export interface NearProcess extends TestProcess {
  readonly pushes: QueuedPushes
}

/** Reads a key into L1, and once from there. */
export async function kept({ cache }: NearProcess, key: string): Promise<void> {
  await cache.get(key)
  const { level } = await cache.lookup(key)
  if (level !== 'l1') throw new Error(`${key} is not in L1 but in ${level ?? 'nothing'}`)
}

/** What answers a key now: its value, and from where. */
export async function answerOf(
  { cache }: TestProcess,
  key: string,
): Promise<[value: unknown, level: 'l1' | 'l2' | null]> {
  const { value, level } = await cache.lookup(key)
  return [value, level]
}

/** Keys with open tickets: 0 at rest. */
export function openTickets({ cache }: Pick<TestProcess, 'cache'>): number {
  const { near } = (cache as unknown as { engine: { near: NearCache } }).engine
  return (near as unknown as { map: { openTickets: number } }).map.openTickets
}
