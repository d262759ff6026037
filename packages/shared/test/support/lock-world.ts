import { MemoryHub } from '../../src/kernel/memory-hub.js'
import {
  LockEngine,
  type LockOptions,
  RedisLockService,
  RedisReadWriteLock,
  RedisSemaphore,
} from '../../src/lock/index.js'
import { MemoryLockStore } from '../../src/lock/stores/memory.js'
import { FakeClock } from '../../src/testing/fake-clock.js'
import { FaultyLockStore } from './lock-faults.js'
import { SeededRandom } from './seeded-random.js'

/** A clock whose wall clock somebody may set. */
export class SetClock extends FakeClock {
  private setMs = 0

  /** Where all is memory, what is under way is promises. */
  override settle(): Promise<void> {
    return new Promise((resolve) => setImmediate(resolve))
  }

  override wall(): number {
    return super.wall() + this.setMs
  }

  /** The wall clock jumps; time itself goes on as before. */
  setWall(byMs: number): void {
    this.setMs += byMs
  }
}

/** A process of a {@link LockWorld}. */
export interface WorldProcess {
  readonly engine: LockEngine
  readonly store: FaultyLockStore
  readonly mutex: RedisLockService
  readonly semaphore: RedisSemaphore
  readonly readWrite: RedisReadWriteLock
  /** It stops without a word: what it sends from now on gets nowhere, and no wake-up reaches it. */
  die(): void
}

/** Processes on one memory store, and the time of all of them. */
export class LockWorld {
  readonly clock = new SetClock()
  readonly hub = new MemoryHub({ clock: this.clock })
  private readonly engines: LockEngine[] = []

  process(options?: LockOptions): WorldProcess {
    const store = new FaultyLockStore(new MemoryLockStore(this.hub, 'vextrus:'), this.clock)
    const engine = new LockEngine(store, options, { clock: this.clock, random: new WorldRandom(this.engines.length) })
    this.engines.push(engine)
    return {
      engine,
      store,
      mutex: new RedisLockService(engine),
      semaphore: new RedisSemaphore(engine),
      readWrite: new RedisReadWriteLock(engine),
      die: () => {
        store.always = 'hangs'
        store.deaf = true
      },
    }
  }

  /** Lets time pass until the promise has settled; at most so long. */
  async settled<T>(promise: Promise<T>, mostMs = 60_000): Promise<T> {
    let isOver = false
    promise.then(
      () => (isOver = true),
      () => (isOver = true),
    )
    await this.clock.settle()
    for (const end = this.clock.mono() + mostMs; !isOver;) {
      if (this.clock.mono() >= end) throw new Error(`not settled after ${mostMs} ms`)
      await this.clock.advance(10)
    }
    return promise
  }

  /** What the engines still have: lines and locks. After all work it is nothing. */
  get leftovers(): { lines: number; held: number } {
    const inside = this.engines.map((engine) => engine as unknown as Inside)
    const sum = (sizes: number[]): number => sizes.reduce((total, size) => total + size, 0)
    return { lines: sum(inside.map(({ lines }) => lines.size)), held: sum(inside.map(({ held }) => held)) }
  }
}

/** What no caller sees. */
interface Inside {
  readonly lines: Map<string, unknown>
  readonly held: number
}

/** Tokens that no other process of the world has. */
class WorldRandom extends SeededRandom {
  constructor(private readonly of: number) {
    super(of)
  }

  override token(): string {
    return `${this.of}-${super.token()}`
  }
}
