import type { DatabaseConfig, RedisConfig } from '@vextrus/service-kit'
import * as kit from '../../../service-kit/test/support/test-service.js'
import type { ProductView } from '../../src/products/product.schemas.js'
import { masterData } from '../../src/service.js'

export * from '../../../service-kit/test/support/test-service.js'

export type Body = Record<string, unknown> & { items: ProductView[]; detail: string; version: number }

export type TestService = kit.TestService<Body>

export const startTestService = (database: DatabaseConfig, redis?: RedisConfig): Promise<TestService> =>
  kit.startTestService<Body>(masterData, database, redis)
