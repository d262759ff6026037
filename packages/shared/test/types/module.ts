// The types of the module and of what tests use in its place.
import { Inject, Injectable } from '@nestjs/common'
import {
  CachePattern,
  getVextrusToken,
  InjectVextrus,
  MemoryHub,
  RedisCacheModule,
  type RedisCacheModuleOptions,
  RedisCacheService,
} from '@vextrus/shared'
import { createCacheMock, FakeClock, RedisCacheTestingModule } from '@vextrus/shared/testing'
import { type Redis } from 'ioredis'
import { vi } from 'vitest'

declare const client: Redis

// As environment variables give them: each option also takes undefined.
RedisCacheModule.forRoot({
  host: process.env['REDIS_HOST'],
  port: 6_379,
  password: process.env['REDIS_PASSWORD'],
  db: 0,
})
RedisCacheModule.forRoot({ url: process.env['REDIS_URL'], keyPrefix: 'vextrus:', name: 'reports', isGlobal: false })
RedisCacheModule.forRoot({ client, required: true, commandTimeout: '1s' })
RedisCacheModule.forRoot({ driver: 'memory', memory: new MemoryHub(), presets: { [CachePattern.QUERY]: '30s' } })
RedisCacheModule.forRootAsync({ inject: ['CONFIG'], useFactory: (config: { url: string }) => ({ url: config.url }) })
RedisCacheModule.forRootAsync({ name: 'reports', useFactory: async () => ({ driver: 'memory' as const }) })

RedisCacheModule.forRoot({ sentinels: { nodes: ['sentinel-1:26379'], name: 'mymaster' }, onFailover: 'trust' })
RedisCacheModule.forRoot({ cluster: { nodes: [{ host: 'node-1', port: 6_379 }] }, tls: true })
RedisCacheModule.forRoot({
  grace: process.env['GRACE'],
  l1: {
    maxBytes: 1_048_576,
    maxEntries: 1_000,
    ttl: '10s',
    values: 'frozen',
    staleness: '500ms',
    audit: { sample: 0.01 },
  },
  earlyRefresh: false,
  loadConcurrency: 50,
  serializer: 'msgpack',
  compression: { threshold: 65_536, algorithm: 'brotli' },
  maxValueBytes: 1_048_576,
  encryption: { keys: [{ id: '2026', secret: process.env['CACHE_KEY'] ?? '' }] },
  tenancy: { required: true, resolve: () => undefined, global: ['currency'] },
  sensitive: { action: 'skip', fields: ['iban'], allow: ['pinColor'] },
})

RedisCacheModule.forRoot({ l1: { staleness: 'strict', audit: false, ttl: undefined } })
RedisCacheModule.forRoot({ l1: false })

// @ts-expect-error L1 is on unless it is false
RedisCacheModule.forRoot({ l1: true })
// @ts-expect-error there is no such way to hand out values
RedisCacheModule.forRoot({ l1: { values: 'cloned' } })
// @ts-expect-error there is no such policy
RedisCacheModule.forRoot({ onFailover: 'ignore' })
// @ts-expect-error there is no such serializer
RedisCacheModule.forRoot({ serializer: 'xml' })
// @ts-expect-error there is no such driver
RedisCacheModule.forRoot({ driver: 'disk' })
// @ts-expect-error there is no such option
RedisCacheModule.forRoot({ hostname: 'localhost' })
// @ts-expect-error a port is a number
RedisCacheModule.forRoot({ port: '6379' })
// @ts-expect-error a preset is one of CachePattern
RedisCacheModule.forRoot({ presets: { hourly: 3_600 } })

export const options: RedisCacheModuleOptions = {
  defaultTtl: '5m',
  maxTtl: '30d',
  jitter: 0.1,
  logMisses: { sample: 0.01 },
}

@Injectable()
export class Reports {
  constructor(
    readonly cache: RedisCacheService,
    @InjectVextrus(RedisCacheService, 'reports') readonly reports: RedisCacheService,
    @Inject(getVextrusToken(RedisCacheService, 'reports')) readonly same: RedisCacheService,
  ) {}
}

// A mock stands where the service stands, and its methods are mock functions.
const mock = createCacheMock(vi)
mock.get.mockResolvedValue({ id: '1' })
export const reports = new Reports(mock, mock, mock)

RedisCacheTestingModule.forRoot({ clock: new FakeClock() })
// @ts-expect-error a mock is made with the functions of vi or jest
createCacheMock({})
