import { Test } from '@nestjs/testing'
import { RedisLockService } from '@vextrus/shared/lock'
import { RedisCacheTestingModule } from '@vextrus/shared/testing'
import type { DataSource } from 'typeorm'
import { describe, expect, it } from 'vitest'
import { FencedWrites } from './fenced-writes.js'

/** A database that runs what it is given. */
const dataSource = { transaction: (work: (manager: unknown) => unknown) => work({}) } as unknown as DataSource

describe('work under locks', () => {
  it('takes a lock that it names twice once, and does not wait for itself', async () => {
    const app = await Test.createTestingModule({ imports: [RedisCacheTestingModule.forRoot()] }).compile()
    const locks = app.get(RedisLockService)
    const writes = new FencedWrites(dataSource, locks)
    const fences = await writes.run('A transfer', ['b', 'a', 'b'], ({ fenceOf }) =>
      Promise.resolve([fenceOf('a'), fenceOf('b')]),
    )
    expect(fences.map((fence) => typeof fence)).toEqual(['bigint', 'bigint'])
    for (const key of ['a', 'b']) expect(await locks.tryAcquire(key)).not.toBeNull()
    await app.close()
  })
})
