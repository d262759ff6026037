import { describe, expect, it } from 'vitest'
import { ManualClock } from '../../test/support/manual-clock.js'
import { LossyPubSubStore } from '../../test/support/pubsub-lossy-store.js'
import { SeededRandom } from '../../test/support/seeded-random.js'
import { MemoryHub } from '../kernel/memory-hub.js'
import { FIRST_ID } from './pubsub-store.js'
import { RedisPubSubService } from './pubsub.js'
import { MemoryPubSubStore } from './stores/memory.js'

/** Random faults in random order, the same for the same seed: what a test says holds for each of these. */
const SEEDS = Array.from({ length: 150 }, (_, i) => i + 1)
const CHANNEL = 'c'

/** One run: a log that others write to, and processes that hear of it over bad networks. */
class World {
  readonly clock = new ManualClock()
  readonly random: SeededRandom
  readonly server: MemoryPubSubStore
  readonly stores: LossyPubSubStore[] = []
  private readonly writer: RedisPubSubService
  private sent = 0

  constructor(seed: number) {
    this.random = new SeededRandom(seed)
    const { clock, random } = this
    this.server = new MemoryPubSubStore(new MemoryHub({ clock, random }), 'vextrus:')
    this.writer = new RedisPubSubService(() => this.server, {}, { clock, random })
  }

  /** A process: its service, on a network of its own. */
  process(faulty: number): { readonly service: RedisPubSubService; readonly store: LossyPubSubStore } {
    const { clock, random } = this
    const store = new LossyPubSubStore(this.server, clock, random, faulty)
    this.stores.push(store)
    return {
      service: new RedisPubSubService(() => store, { idle: 300, maxDeliveries: 1_000 }, { clock, random }),
      store,
    }
  }

  async publish(): Promise<void> {
    await this.writer.publish(CHANNEL, this.sent++, { durable: true })
  }

  /** A handler that takes its time at times, and fails at times. */
  handler(heard: number[], { fails = 0.1 } = {}): (message: number) => Promise<void> {
    return async (message) => {
      heard.push(message)
      if (this.random.chance(0.3)) {
        await new Promise<void>((resolve) => void this.clock.timer(this.random.int(60), resolve))
      }
      if (this.random.chance(fails)) throw new Error('a handler fails')
    }
  }

  /** Messages, and cuts of connections, one after the other in no time or after some. */
  async happen(): Promise<void> {
    for (let i = 0; i < 60; i++) {
      const dice = this.random.float()
      if (dice < 0.7) await this.publish()
      else if (dice < 0.8) this.random.pick(this.stores).lose()
      else if (dice < 0.9) this.random.pick(this.stores).mend()
      if (this.random.chance(0.5)) await this.clock.advance(this.random.int(30))
    }
  }

  /** Networks are well, and another message comes: of a push that was lost nobody knows before the next. */
  async settle(): Promise<void> {
    await this.clock.advance(200)
    for (const store of this.stores) store.heal()
    await this.publish()
    await this.clock.advance(20_000)
  }

  get all(): number[] {
    return Array.from({ length: this.sent }, (_, i) => i)
  }
}

describe('whatever happens to calls, pushes and connections', () => {
  it('a durable subscription has every message once and in order', async () => {
    for (const seed of SEEDS) {
      const world = new World(seed)
      const heard: number[][] = []
      for (const from of ['start', FIRST_ID, 'start']) {
        const { service, store } = world.process(world.random.float())
        const mine: number[] = []
        heard.push(mine)
        // Where it can't begin it is no subscription: its network is well at first.
        await service.subscribe<number>(CHANNEL, world.handler(mine), { from, maxQueued: 1 + world.random.int(5) })
        store.ail()
      }
      await world.happen()
      await world.settle()
      for (const mine of heard) expect(mine, `seed ${seed}`).toEqual(world.all)
    }
  })

  it('a message goes to a consumer of its group at least once, and is done in the end', async () => {
    for (const seed of SEEDS.slice(0, 50)) {
      const world = new World(seed)
      const heard: number[] = []
      for (let i = 0; i < 3; i++) {
        const { service, store } = world.process(world.random.float() / 2)
        await service.subscribe<number>(CHANNEL, world.handler(heard), {
          group: 'g',
          concurrency: 1 + world.random.int(3),
        })
        store.ail()
      }
      world.clock.timer(world.random.int(500), () => world.stores[0]!.die())
      await world.happen()
      await world.settle()
      expect(
        [...new Set(heard)].sort((a, b) => a - b),
        `seed ${seed}`,
      ).toEqual(world.all)
      const left = await world.server.claim({
        ...{ channel: CHANNEL, group: 'g', consumer: 'c', count: 100, idleMs: 0 },
        from: FIRST_ID,
      })
      expect(left, `seed ${seed}`).toEqual({ messages: [], missed: false, more: false })
    }
  })

  it('a message goes to one consumer alone where nothing goes wrong', async () => {
    for (const seed of SEEDS.slice(0, 20)) {
      const world = new World(seed)
      const heard: number[] = []
      for (let i = 0; i < 3; i++) {
        const { service } = world.process(0)
        await service.subscribe<number>(CHANNEL, world.handler(heard, { fails: 0 }), { group: 'g', concurrency: 2 })
      }
      await world.happen()
      await world.settle()
      expect(
        heard.sort((a, b) => a - b),
        `seed ${seed}`,
      ).toEqual(world.all)
    }
  })
})
