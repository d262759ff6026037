import { Injectable, NotFoundException } from '@nestjs/common'
import { InjectRepository } from '@nestjs/typeorm'
import { type Page, pageFrom } from '@vextrus/service-kit'
import { CachePattern, CacheService, RedisCacheService } from '@vextrus/shared/cache'
import { Repository } from 'typeorm'
import { INVOICE_TTL, invoiceKey, invoiceListKey, invoiceListTags, invoiceTags } from './invoice.cache.js'
import { Invoice } from './invoice.entities.js'
import { type InvoiceListQuery, type InvoiceView, invoiceView } from './invoice.schemas.js'

/** Reads of invoices. */
@Injectable()
export class InvoiceQueries {
  constructor(
    private readonly cache: RedisCacheService,
    private readonly presets: CacheService,
    @InjectRepository(Invoice) private readonly invoices: Repository<Invoice>,
  ) {}

  /** One invoice, for 5 minutes, under the tags of its tenant, its customer and the status that it has. @throws NotFoundException */
  get(tenantId: string, id: number): Promise<InvoiceView> {
    return this.cache.getOrSet(invoiceKey(tenantId, id), () => this.load(tenantId, id), {
      ttl: INVOICE_TTL,
      tags: (invoice) => invoiceTags(tenantId, invoice),
    })
  }

  /** A page of invoices, the newest first: a query result, for a minute, or until an invoice comes to it or leaves it. */
  list(tenantId: string, query: InvoiceListQuery): Promise<Page<InvoiceView>> {
    const { customerId, status } = query
    const where = {
      tenantId,
      ...(customerId === undefined ? {} : { customerId }),
      ...(status === undefined ? {} : { status }),
    }
    return this.cache.getOrSet(
      invoiceListKey(tenantId, query),
      () => pageFrom(this.invoices, query, { where, order: { id: 'DESC' } }, invoiceView),
      { ttl: this.presets.getTTL(CachePattern.QUERY), tags: invoiceListTags(tenantId, where) },
    )
  }

  private async load(tenantId: string, id: number): Promise<InvoiceView> {
    const invoice = await this.invoices.findOneBy({ tenantId, id })
    if (invoice === null) throw new NotFoundException(`Invoice ${id} was not found`)
    return invoiceView(invoice)
  }
}
