import { Injectable } from '@nestjs/common'
import { InjectRepository } from '@nestjs/typeorm'
import { Cron, CronExpression } from '@nestjs/schedule'
import { CacheWrites, OneReplica, Tenant } from '@vextrus/service-kit'
import { runAsTenant } from '@vextrus/shared/cache'
import { Repository } from 'typeorm'
import { revenueKey } from '../invoices/invoice.cache.js'
import { RevenueReport } from './revenue.report.js'

/**
 * Time-based refresh: hardly anybody waits for the report of a tenant to be computed, and what an import changed past the service is in it within
 * 5 minutes. One replica does it for all.
 */
@Injectable()
export class RevenueRefresh {
  constructor(
    private readonly oneReplica: OneReplica,
    private readonly cacheWrites: CacheWrites,
    private readonly report: RevenueReport,
    @InjectRepository(Tenant) private readonly tenants: Repository<Tenant>,
  ) {}

  @Cron(CronExpression.EVERY_5_MINUTES, { name: 'refresh-revenue', waitForCompletion: true })
  async refreshRevenue(): Promise<void> {
    await this.oneReplica.run('refresh-revenue', () => this.refreshAll())
  }

  private async refreshAll(): Promise<void> {
    for (const { id } of await this.tenants.find({ order: { id: 'ASC' } })) {
      await runAsTenant(id, async () => {
        // Not a `set` of what was just read: an invoice that is paid meanwhile would be missing in it for half an hour.
        await this.cacheWrites.invalidate({ keys: [revenueKey(id)] })
        await this.report.get(id)
      })
    }
  }
}
