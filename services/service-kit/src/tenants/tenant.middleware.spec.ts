import { Controller, Get, type MiddlewareConsumer, Module, Param, UseGuards, UseInterceptors } from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import { currentTenant } from '@vextrus/shared/cache'
import { expect, it } from 'vitest'
import { TenantMiddleware } from './tenant.middleware.js'
import { TenantRegistry } from './tenant.registry.js'

/** Whose turn it was in each part of the last request. */
const seen = new Map<string, string | undefined>()
const see = (part: string) => seen.set(part, currentTenant())

const guard = { canActivate: () => see('guard').size > 0 }
const interceptor = { intercept: (_: unknown, next: { handle: () => unknown }) => (see('interceptor'), next.handle()) }
const pipe = { transform: (value: unknown) => (see('pipe'), value) }

@Controller('things')
@UseGuards(guard)
@UseInterceptors(interceptor as never)
class Things {
  @Get(':id')
  async get(@Param('id', pipe) id: string): Promise<string> {
    see('controller')
    await new Promise((resolve) => setImmediate(resolve))
    see('what it awaits')
    return id
  }
}

const registry = { get: (id: string) => (id === 'elbe' ? { id } : undefined) }

@Module({ controllers: [Things], providers: [TenantMiddleware, { provide: TenantRegistry, useValue: registry }] })
class App {
  configure(consumer: MiddlewareConsumer): void {
    consumer.apply(TenantMiddleware).forRoutes('{*path}')
  }
}

it('a request is its tenant’s in guards, interceptors, pipes, the controller and what it awaits; else nobody’s', async () => {
  const app = await NestFactory.create(App, { logger: false })
  try {
    await app.listen(0)
    const url = `${await app.getUrl()}/things/1`
    const tenants = async (headers: Record<string, string>) => {
      seen.clear()
      expect((await fetch(url, { headers })).status).toBe(200)
      expect([...seen.keys()]).toEqual(['guard', 'interceptor', 'pipe', 'controller', 'what it awaits'])
      return new Set(seen.values())
    }
    expect(await tenants({ 'x-tenant-id': 'elbe' })).toEqual(new Set(['elbe']))
    expect(await tenants({ 'x-tenant-id': 'nobody' })).toEqual(new Set([undefined]))
    expect(await tenants({})).toEqual(new Set([undefined]))
  } finally {
    await app.close()
  }
})
