import { BadRequestException, ConflictException, Injectable } from '@nestjs/common'
import { InjectDataSource } from '@nestjs/typeorm'
import { CacheWrites, DomainEvents, lockedRow, type Tenant } from '@vextrus/service-kit'
import { DataSource, type EntityManager, In } from 'typeorm'
import { Customer } from '../customers/customer.entity.js'
import { InvoiceNumbers, type TakeNumbers } from './invoice-numbers.js'
import { invoiceKey, listTagsOf, revenueKey, statusTag } from './invoice.cache.js'
import { Invoice } from './invoice.entities.js'
import { InvoiceCreated, InvoicesStatusChanged, InvoiceStatusChanged } from './invoice.events.js'
import {
  BULK_LIMIT,
  type BulkStatusChange,
  type BulkStatusResult,
  type InvoiceInput,
  type InvoiceView,
  invoiceView,
  type StatusChange,
} from './invoice.schemas.js'
import { type InvoiceStatus, mayBecome } from './invoice-status.js'
import { setStatus } from './set-status.js'

/**
 * Writes of invoices: commit, then the cache, then the answer. Changes of what is cached already have their invalidation around them
 * (`CacheWrites.around`); lists are the events' matter.
 */
@Injectable()
export class InvoiceCommands {
  constructor(
    private readonly cacheWrites: CacheWrites,
    private readonly events: DomainEvents,
    private readonly numbers: InvoiceNumbers,
    @InjectDataSource() private readonly dataSource: DataSource,
  ) {}

  /** Adds a draft, in the currency of the tenant. @throws BadRequestException no such customer */
  async create(tenant: Tenant, { customerId, lines }: InvoiceInput): Promise<InvoiceView> {
    const created = await this.dataSource.transaction(async (transaction) => {
      // Kept until the end: a customer that is being deleted gets no invoice any more.
      const lock = { mode: 'pessimistic_read' } as const
      const where = { tenantId: tenant.id, id: customerId, deleted: false }
      if ((await transaction.findOne(Customer, { where, lock })) === null)
        throw new BadRequestException('The customer does not exist')
      return transaction.save(
        transaction.create(Invoice, {
          tenantId: tenant.id,
          customerId,
          number: null,
          status: 'DRAFT',
          currencyCode: tenant.currencyCode,
          lines,
          total: lines.reduce((sum, { quantity, unitPrice }) => sum + quantity * unitPrice, 0),
          issuedAt: null,
        }),
      )
    })
    await this.events.publish(new InvoiceCreated(tenant.id, created.id, customerId))
    return invoiceView(created)
  }

  /**
   * Issues an invoice, which gives it its number, or says that it was paid or is void.
   * @throws NotFoundException @throws ConflictException it can't get this status, or has another version by now
   * @throws StaleWriterError, LockTimeoutError, LockUnavailableError it was to be issued, and was not
   */
  async changeStatus(tenantId: string, id: number, { status, version }: StatusChange): Promise<InvoiceView> {
    const write = () =>
      this.writing(tenantId, status, async (transaction, take) => {
        const row = await lockedRow(transaction, Invoice, { tenantId, id }, `Invoice ${id}`, version)
        const oldStatus = row.status
        if (!mayBecome(oldStatus, status))
          throw new ConflictException(`Invoice ${id} is ${oldStatus}, not to be ${status}`)
        await setStatus(transaction, [id], status, await take?.(1))
        return { oldStatus, row: await transaction.findOneByOrFail(Invoice, { tenantId, id }) }
      })
    const keys = [invoiceKey(tenantId, id), revenueKey(tenantId)]
    const { oldStatus, row } = await this.cacheWrites.around({ keys }, write)
    await this.events.publish(new InvoiceStatusChanged(tenantId, id, row.customerId, oldStatus, status))
    return invoiceView(row)
  }

  /**
   * Gives another status to all invoices that have the one, or to some of them; the oldest are issued first.
   * @throws StaleWriterError, LockTimeoutError, LockUnavailableError they were to be issued, and were not
   */
  async changeStatuses(tenantId: string, { from, to, customerId, ids }: BulkStatusChange): Promise<BulkStatusResult> {
    const where = {
      tenantId,
      status: from,
      ...(customerId === undefined ? {} : { customerId }),
      ...(ids === undefined ? {} : { id: In(ids) }),
    }
    const write = () =>
      this.writing(tenantId, to, async (transaction, take) => {
        // In one order: of two who lock many rows neither waits for the other in a circle.
        const rows = await transaction.find(Invoice, {
          select: { id: true, customerId: true },
          where,
          order: { id: 'ASC' },
          take: BULK_LIMIT + 1,
          lock: { mode: 'pessimistic_write' },
        })
        const changed = rows.slice(0, BULK_LIMIT)
        if (changed.length > 0)
          await setStatus(
            transaction,
            changed.map(({ id }) => id),
            to,
            await take?.(changed.length),
          )
        return { changed, more: rows.length > BULK_LIMIT }
      })
    const targets = {
      keys: [revenueKey(tenantId)],
      tags: [statusTag(tenantId, from), ...listTagsOf(tenantId, [], [from, to])],
    }
    const { changed, more } = await this.cacheWrites.around(targets, write)
    const customerIds = [...new Set(changed.map((row) => row.customerId))]
    if (changed.length > 0) await this.events.publish(new InvoicesStatusChanged(tenantId, from, to, customerIds))
    return { changed: changed.length, more }
  }

  /** A transaction, and under the lock of the numbers where it will take some. */
  private writing<T>(
    tenantId: string,
    to: InvoiceStatus,
    work: (transaction: EntityManager, take: TakeNumbers | undefined) => Promise<T>,
  ): Promise<T> {
    return to === 'ISSUED'
      ? this.numbers.numbering(tenantId, work)
      : this.dataSource.transaction((transaction) => work(transaction, undefined))
  }
}
