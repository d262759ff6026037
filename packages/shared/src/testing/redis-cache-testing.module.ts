import { type DynamicModule, Module } from '@nestjs/common'
import { RedisCacheService } from '../cache/cache.js'
import { getVextrusToken } from '../nest/tokens.js'
import { MemoryHub } from '../kernel/memory-hub.js'
import type { Clock } from '../kernel/clock.js'
import { CacheRuntime } from '../module/cache-runtime.js'
import type { RedisCacheModuleOptions } from '../module/module-options.js'
import type { RedisConnectionOptions } from '../redis/options.js'
import { connectionModule, type RedisCacheModuleExtras } from '../module/redis-cache.module.js'
import { CacheProbe } from './cache-probe.js'
import { RecordingStore } from './recording-store.js'

/** What {@link RedisCacheTestingModule.forRoot} takes. Every field also accepts undefined. */
export interface RedisCacheTestingOptions
  extends
    RedisCacheModuleExtras,
    Omit<RedisCacheModuleOptions, keyof RedisConnectionOptions | 'driver' | 'memory' | 'required' | 'onFailover'> {
  /** The time that entries live by; a `FakeClock` is advanced by hand. @default the machine's */
  readonly clock?: Clock | undefined
}

/**
 * `RedisCacheModule` for tests: the real services on the memory driver, without Redis, and a {@link CacheProbe} beside them (for a named
 * connection under `getVextrusToken(CacheProbe, name)`). Each `forRoot` has a memory of its own. `jitter` is 0 unless it is given, so an
 * entry lives exactly as long as the code under test says.
 *
 * @example
 * ```ts
 * const clock = new FakeClock()
 * const app = await Test.createTestingModule({
 *   imports: [RedisCacheTestingModule.forRoot({ clock })],
 *   providers: [ProductService],
 * }).compile()
 * ```
 */
@Module({})
export class RedisCacheTestingModule {
  static forRoot({ clock, isGlobal, name, ...options }: RedisCacheTestingOptions = {}): DynamicModule {
    const module = connectionModule(
      RedisCacheTestingModule,
      { isGlobal, name },
      { useFactory: () => ({ jitter: 0, ...options, driver: 'memory', memory: new MemoryHub({ clock }) }) },
      {},
      {
        clock,
        quiet: true,
        memoryStore: (hub, prefix) => new RecordingStore(hub, prefix),
        // A test may end with a lock in its hands, and nobody would move the clock on.
        lastWorkMs: clock === undefined ? undefined : 0,
      },
    )
    const probe = {
      provide: getVextrusToken(CacheProbe, name),
      useFactory: ({ store }: CacheRuntime): CacheProbe => {
        const recording = store as RecordingStore
        // A cache of its own, as in another process: what the probe reads is in nobody's statistics, and comes from the store and not from
        // some memory. It looks at stored keys, whosever turn it is.
        const { serializer, compression, maxValueBytes, encryption } = options
        const looking = { serializer, compression, maxValueBytes, encryption, l1: false } as const
        return new CacheProbe(new RedisCacheService(recording.beside(), looking, { clock }), recording)
      },
      inject: [getVextrusToken(CacheRuntime, name)],
    }
    return {
      ...module,
      providers: [...(module.providers ?? []), probe],
      exports: [...(module.exports ?? []), probe.provide],
    }
  }
}
