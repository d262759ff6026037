import { Injectable } from '@nestjs/common'
import { InjectDataSource } from '@nestjs/typeorm'
import { tenantTag } from '@vextrus/service-kit'
import { CachePattern, CacheService, RedisCacheService } from '@vextrus/shared/cache'
import { DataSource } from 'typeorm'
import { z } from 'zod'
import { minorUnitsSum } from '../http/money.js'
import { invoiceStatus } from '../invoices/invoice-status.js'
import { revenueKey } from '../invoices/invoice.cache.js'

export const revenueSchema = z.array(
  z.object({
    status: invoiceStatus.exclude(['DRAFT']),
    invoices: z.number().int(),
    total: minorUnitsSum,
  }),
)
export type Revenue = z.infer<typeof revenueSchema>

/**
 * What was billed, paid and written off: reads every invoice of a tenant, so it is kept for half an hour (`CachePattern.REPORT`), or until an
 * invoice is issued, paid or made void.
 */
@Injectable()
export class RevenueReport {
  constructor(
    private readonly cache: RedisCacheService,
    private readonly presets: CacheService,
    @InjectDataSource() private readonly dataSource: DataSource,
  ) {}

  get(tenantId: string): Promise<Revenue> {
    return this.cache.getOrSet(revenueKey(tenantId), () => this.load(tenantId), {
      ttl: this.presets.getTTL(CachePattern.REPORT),
      tags: [tenantTag(tenantId)],
    })
  }

  private async load(tenantId: string): Promise<Revenue> {
    const rows = await this.dataSource.query<{ status: Revenue[number]['status']; invoices: number; total: string }[]>(
      `SELECT status, count(*)::int AS invoices, sum(total)::text AS total
         FROM finance.invoices WHERE tenant_id = $1 AND status <> 'DRAFT' GROUP BY status ORDER BY status`,
      [tenantId],
    )
    return rows.map(({ status, invoices, total }) => ({ status, invoices, total: Number(total) }))
  }
}
