import { Injectable, Module } from '@nestjs/common'
import { Test } from '@nestjs/testing'
import { describe, expect, it, vi } from 'vitest'
import { RedisCacheService } from '../cache/cache.js'
import { MissingPeerError } from '../kernel/errors.js'
import { RedisCacheModule } from './redis-cache.module.js'

vi.mock('ioredis', () => {
  throw new Error("Cannot find package 'ioredis'")
})

@Injectable()
class Products {
  constructor(readonly cache: RedisCacheService) {}
}
@Module({ providers: [Products] })
class ProductsModule {}

const compile = (module: ReturnType<typeof RedisCacheModule.forRoot>) =>
  Test.createTestingModule({ imports: [module, ProductsModule] }).compile()

describe('an application without ioredis', () => {
  it('does not boot on Redis, and is told what to install', async () => {
    const app = await compile(RedisCacheModule.forRoot())
    const booting = app.init()
    await expect(booting).rejects.toThrow(MissingPeerError)
    await expect(booting).rejects.toThrow(/driver: 'redis' needs the package ioredis.*npm install ioredis/)
  })

  it('runs in memory', async () => {
    const app = await compile(RedisCacheModule.forRoot({ driver: 'memory' }))
    await app.init()
    expect(await app.get(Products).cache.getOrSet('k', () => 1)).toBe(1)
    await app.close()
  })
})
