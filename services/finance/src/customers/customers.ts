import { Injectable, NotFoundException } from '@nestjs/common'
import { InjectDataSource, InjectRepository } from '@nestjs/typeorm'
import { CacheWrites, DomainEvents, type Page, pageFrom, type PageQuery } from '@vextrus/service-kit'
import { DataSource, type EntityManager, In, Repository } from 'typeorm'
import { customerTag, revenueKey } from '../invoices/invoice.cache.js'
import { Invoice } from '../invoices/invoice.entities.js'
import { setStatus } from '../invoices/set-status.js'
import { Customer } from './customer.entity.js'
import { CustomerDeleted } from './customer.events.js'
import { type CustomerDeletion, type CustomerInput, type CustomerView, customerView } from './customer.schemas.js'

/** Whom the tenants bill. */
@Injectable()
export class Customers {
  constructor(
    private readonly cacheWrites: CacheWrites,
    private readonly events: DomainEvents,
    @InjectDataSource() private readonly dataSource: DataSource,
    @InjectRepository(Customer) private readonly customers: Repository<Customer>,
  ) {}

  /** A page by name, from the database. */
  list(tenantId: string, page: PageQuery): Promise<Page<CustomerView>> {
    const find = { where: { tenantId, deleted: false }, order: { name: 'ASC', id: 'ASC' } } as const
    return pageFrom(this.customers, page, find, customerView)
  }

  async create(tenantId: string, { name }: CustomerInput): Promise<CustomerView> {
    return customerView(await this.customers.save(this.customers.create({ tenantId, name, deleted: false })))
  }

  /**
   * Deletes a customer with its drafts. What was issued and not paid is made void; it stays, as what was paid does, since a number that was
   * given must not be missing. All of them are forgotten by one tag.
   * @throws NotFoundException
   */
  async delete(tenantId: string, id: number): Promise<CustomerDeletion> {
    const targets = { keys: [revenueKey(tenantId)], tags: [customerTag(tenantId, id)] }
    const deletion = await this.cacheWrites.around(targets, () =>
      this.dataSource.transaction((transaction) => remove(transaction, tenantId, id)),
    )
    await this.events.publish(new CustomerDeleted(tenantId, id))
    return deletion
  }
}

async function remove(transaction: EntityManager, tenantId: string, id: number): Promise<CustomerDeletion> {
  const lock = { mode: 'pessimistic_write' } as const
  const customer = await transaction.findOne(Customer, { where: { tenantId, id, deleted: false }, lock })
  if (customer === null) throw new NotFoundException(`Customer ${id} was not found`)
  await transaction.update(Customer, { tenantId, id }, { deleted: true })
  const invoices = await transaction.find(Invoice, {
    select: { id: true, status: true },
    where: { tenantId, customerId: id, status: In(['DRAFT', 'ISSUED']) },
    order: { id: 'ASC' },
    lock,
  })
  const idsOf = (status: Invoice['status']) => invoices.filter((row) => row.status === status).map((row) => row.id)
  const [drafts, issued] = [idsOf('DRAFT'), idsOf('ISSUED')]
  await transaction.delete(Invoice, { tenantId, id: In(drafts) })
  await setStatus(transaction, issued, 'VOID')
  return { deletedDrafts: drafts.length, voidedInvoices: issued.length }
}
