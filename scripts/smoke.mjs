// Loads the built dist/ under plain Node and boots a small application on it. Tests run the sources through another compiler: a circle of
// constructor types, say, passes there and crashes here. `npx -y -p node@24 node scripts/smoke.mjs` does it under another Node.
import assert from 'node:assert/strict'
import 'reflect-metadata'
import { Injectable, Module } from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import { main, root, say } from './lib/run.mjs'
import { loadSubpaths, subpaths } from './lib/subpaths.mjs'

await main(async () => {
  await loadSubpaths(root)
  await bootApplication()
  say(
    `smoke: ${subpaths.length} subpaths load by import and require, and an application runs on them (Node ${process.version})`,
  )
})

async function bootApplication() {
  const { Cacheable, RedisCacheModule, RedisCacheService } = await import('@vextrus/shared')
  const { currentLock, Locked } = await import('@vextrus/shared/lock')
  const { RateLimiterService } = await import('@vextrus/shared/rate-limit')
  const { SessionService } = await import('@vextrus/shared/session')
  const { JwtBlacklistService } = await import('@vextrus/shared/jwt')
  const { OnMessage, RedisPubSubService } = await import('@vextrus/shared/pubsub')

  class Countries {
    loads = 0
    async byCode(code) {
      return { code, load: ++this.loads }
    }
    heard = new Promise((resolve) => (this.hear = resolve))
    changed(event) {
      this.hear(event)
    }
    async renumber(code) {
      return `${code} under ${currentLock().key}`
    }
  }
  decorate(Countries, [Injectable()])
  decorateMethod(Countries, 'byCode', Cacheable({ ttl: '5m', keyGenerator: (code) => `country:${code}` }))

  decorateMethod(Countries, 'renumber', Locked({ key: (code) => `lock:country:${code}` }))

  decorateMethod(Countries, 'changed', OnMessage('countries:*'))

  class Application {}
  decorate(Application, [Module({ imports: [RedisCacheModule.forRoot({ driver: 'memory' })], providers: [Countries] })])

  const app = await NestFactory.createApplicationContext(Application, { logger: ['error'], abortOnError: false })
  const countries = app.get(Countries)
  assert.deepEqual(await countries.byCode('BD'), { code: 'BD', load: 1 })
  assert.deepEqual(await countries.byCode('BD'), { code: 'BD', load: 1 }, 'the second call is answered by the cache')
  assert.deepEqual(await app.get(RedisCacheService).get('country:BD'), { code: 'BD', load: 1 })
  assert.equal(await countries.renumber('BD'), 'BD under lock:country:BD')
  const once = [{ limit: 1, window: '1h' }]
  const limited = () => app.get(RateLimiterService).consume(once, { user: 'u1' })
  assert.deepEqual([(await limited()).allowed, (await limited()).allowed], [true, false])
  const session = await app.get(SessionService).create('u1', { cart: [] })
  assert.deepEqual((await app.get(SessionService).get(session.id)).data, { cart: [] })
  const exp = Math.ceil(Date.now() / 1_000) + 60
  await app.get(JwtBlacklistService).revoke({ jti: 'a', exp })
  const revoked = (jti) => app.get(JwtBlacklistService).isRevoked({ jti, exp })
  assert.deepEqual([await revoked('a'), await revoked('b')], [true, false])
  await app.get(RedisPubSubService).publish('countries:BD', { code: 'BD' })
  assert.deepEqual(await countries.heard, { code: 'BD' })
  await app.close()
}

/** What TypeScript makes of decorators. */
function decorate(target, decorators) {
  for (const decorator of decorators) decorator(target)
}

function decorateMethod(target, name, decorator) {
  const descriptor = Object.getOwnPropertyDescriptor(target.prototype, name)
  Object.defineProperty(target.prototype, name, decorator(target.prototype, name, descriptor) ?? descriptor)
}
