import { Injectable } from '@nestjs/common'
import { Cron, CronExpression } from '@nestjs/schedule'
import { OneReplica } from '@vextrus/service-kit'
import { CachePattern, CacheService } from '@vextrus/shared/cache'
import { lookupKeys, LookupQueries } from './lookup.queries.js'

/**
 * Time-based refresh: what was changed in the database by hand or by an import, which publishes no event, is seen within 5 minutes, and no
 * client ever waits for these lists to be loaded. One replica does it for all.
 */
@Injectable()
export class LookupRefresh {
  constructor(
    private readonly oneReplica: OneReplica,
    private readonly cache: CacheService,
    private readonly lookups: LookupQueries,
  ) {}

  /**
   * Every 5 minutes. The schedule has six fields, the first being seconds: a pattern that asks for every fifth of the first field, and has
   * six, runs every 5 seconds.
   */
  @Cron(CronExpression.EVERY_5_MINUTES, { name: 'refresh-lookups', waitForCompletion: true })
  async refreshLookupCache(): Promise<void> {
    await this.oneReplica.run('refresh-lookups', () => this.refreshAll())
  }

  private async refreshAll(): Promise<void> {
    const { load } = this.lookups
    await this.cache.set(lookupKeys.countries, await load.countries(), CachePattern.LOOKUP)
    await this.cache.set(lookupKeys.currencies, await load.currencies(), CachePattern.LOOKUP)
    await this.cache.set(lookupKeys.taxCodes, await load.taxCodes(), CachePattern.LOOKUP)
  }
}
