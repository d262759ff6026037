import { Inject, Injectable, Logger } from '@nestjs/common'
import { CacheWrites } from '@vextrus/service-kit'
import { CacheUnavailableError } from '@vextrus/shared/cache'
import type { ServiceName } from '../proxy/service-names.js'

/** Carried by every answer of a service that is cached for a tenant: a write of this tenant to that service forgets them all. */
export const answersTag = (tenant: string, service: ServiceName): string => `gateway:${tenant}:${service}`

/**
 * What a write that passes through the gateway does to the answers that it has cached: whoever has written reads what was written, through any
 * replica of the gateway. What is written elsewhere – by another service, a timer, an import – is seen when the answers' seconds are over.
 */
@Injectable()
export class ServiceWrites {
  private readonly logger = new Logger('ServiceWrites')

  constructor(@Inject(CacheWrites) private readonly cacheWrites: CacheWrites) {}

  /**
   * Runs a write. Before its answer is handed back, what is cached of the tenant's and the service's is forgotten: also when it fails, for then
   * nobody knows whether it was done.
   */
  async around<T>(tenant: string, service: ServiceName, write: () => Promise<T>): Promise<T> {
    try {
      return await write()
    } finally {
      await this.forget(answersTag(tenant, service))
    }
  }

  /** The write is done, or may be: what the cache says is no answer to it. */
  private async forget(tag: string): Promise<void> {
    try {
      await this.cacheWrites.invalidate({ tags: [tag] })
    } catch (error) {
      if (!(error instanceof CacheUnavailableError)) throw error
      this.logger.warn(`Old answers may be given for some seconds: ${error.message}`)
    }
  }
}
