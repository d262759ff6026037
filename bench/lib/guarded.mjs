import { fork } from 'node:child_process'
import { once } from 'node:events'
import { createRequire } from 'node:module'
import 'reflect-metadata'
import { Controller, Get, Module } from '@nestjs/common'
import { APP_GUARD, NestFactory } from '@nestjs/core'
import { FastifyAdapter } from '@nestjs/platform-fastify'
import { RedisThrottlerStorage } from '../../packages/shared/dist/integrations/throttler.js'
import { RedisCacheModule } from '../../packages/shared/dist/module/cache-entry.js'
import { RateLimiterService, RateLimitGuard } from '../../packages/shared/dist/rate-limit/index.js'
import { nestLabStorage, PLENTY } from './limiters.mjs'

const { ThrottlerGuard, ThrottlerModule } = createRequire(import.meta.url)('@nestjs/throttler')

const WINDOW_MS = 60_000
const byHeader = (request) => request.headers['x-user']

/** Ours: a rule of every route, by the user that a header names. */
function ours(connection) {
  return {
    imports: [
      RedisCacheModule.forRoot({
        ...connection,
        rateLimit: {
          rules: [{ limit: PLENTY, window: WINDOW_MS }],
          identity: (context) => ({ user: byHeader(context.switchToHttp().getRequest()) }),
          instances: 1,
          timeout: '5s',
        },
      }),
    ],
    providers: [{ provide: APP_GUARD, useClass: RateLimitGuard }],
  }
}

function throttled(module, imports = []) {
  return { imports: [...imports, module], providers: [{ provide: APP_GUARD, useClass: ThrottlerGuard }] }
}

const throttlerOptions = (storage) => ({
  throttlers: [{ limit: PLENTY, ttl: WINDOW_MS }],
  getTracker: byHeader,
  ...(storage === undefined ? {} : { storage }),
})

/** By name, what each application has beside its one route; the first has nothing. `open(port)` also answers what is to be closed. */
const guards = {
  'no guard': async () => ({}),
  'RateLimitGuard, Redis': async (port) => ours({ host: '127.0.0.1', port, keyPrefix: 'guarded:' }),
  'RateLimitGuard, memory': async () => ours({ driver: 'memory' }),
  'ThrottlerGuard, @nest-lab storage': async (port) => {
    const { storage, close } = await nestLabStorage(port)
    return { ...throttled(ThrottlerModule.forRoot(throttlerOptions(storage))), close }
  },
  'ThrottlerGuard, our storage': async (port) =>
    throttled(
      ThrottlerModule.forRootAsync({
        inject: [RateLimiterService],
        useFactory: (limiter) => throttlerOptions(new RedisThrottlerStorage(limiter)),
      }),
      ours({ host: '127.0.0.1', port, keyPrefix: 'throttled:' }).imports,
    ),
  'ThrottlerGuard, memory': async () => throttled(ThrottlerModule.forRoot(throttlerOptions())),
}

/** A server of Fastify for each guard, in this process: `{ name, run(count), close() }`; the requests come from another. */
export async function guarded(redisPort, { connections, users }) {
  const load = fork(new URL('http-load.mjs', import.meta.url))
  const servers = []
  for (const [name, guard] of Object.entries(guards)) {
    const { imports = [], providers = [], close: closeMore } = await guard(redisPort)
    const app = await NestFactory.create(application(imports, providers), new FastifyAdapter(), {
      logger: ['warn', 'error'],
    })
    await app.listen(0, '127.0.0.1')
    const { port } = app.getHttpServer().address()
    const run = async (count) => {
      load.send({ port, path: '/orders', count, connections, users })
      const [{ failed }] = await once(load, 'message')
      if (failed > 0) throw new Error(`${name} refused ${failed} of ${count} requests`)
    }
    const close = async () => {
      await app.close()
      await closeMore?.()
    }
    servers.push({ name, run, close })
  }
  return { servers, stop: () => load.kill() }
}

function application(imports, providers) {
  class Orders {
    list() {
      return { orders: [] }
    }
  }
  Get()(Orders.prototype, 'list', Object.getOwnPropertyDescriptor(Orders.prototype, 'list'))
  Controller('orders')(Orders)
  class Application {}
  Module({ imports, providers, controllers: [Orders] })(Application)
  return Application
}
