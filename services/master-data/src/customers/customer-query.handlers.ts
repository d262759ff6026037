import { NotFoundException } from '@nestjs/common'
import { type IQueryHandler, QueryHandler } from '@nestjs/cqrs'
import { InjectRepository } from '@nestjs/typeorm'
import { type Page, pageFrom, tenantTag } from '@vextrus/service-kit'
import { CachePattern, CacheService, RedisCacheService } from '@vextrus/shared/cache'
import { Cacheable } from '@vextrus/shared/utils'
import { Repository } from 'typeorm'
import { CUSTOMER_TTL, customerKey, customerListKey, customerListsTag } from './customer.cache.js'
import { Customer } from './customer.entity.js'
import { GetCustomer, ListCustomers } from './customer.messages.js'
import { type CustomerView, customerView } from './customer.schemas.js'

/** Declarative caching: the method reads the database, the decorator decides whether it must. */
@QueryHandler(GetCustomer)
export class GetCustomerHandler implements IQueryHandler<GetCustomer> {
  constructor(@InjectRepository(Customer) private readonly customers: Repository<Customer>) {}

  /** @throws NotFoundException, which is not cached */
  @Cacheable({
    ttl: CUSTOMER_TTL,
    keyGenerator: ({ tenantId, id }: GetCustomer) => customerKey(tenantId, id),
    tags: ({ tenantId }: CustomerView) => [tenantTag(tenantId)],
  })
  async execute({ tenantId, id }: GetCustomer): Promise<CustomerView> {
    const customer = await this.customers.findOneBy({ tenantId, id })
    if (customer === null) throw new NotFoundException(`Customer ${id} was not found`)
    return customerView(customer)
  }
}

/** A page of customers by name: a query result, for a minute, or until a customer of the tenant changes. */
@QueryHandler(ListCustomers)
export class ListCustomersHandler implements IQueryHandler<ListCustomers> {
  constructor(
    private readonly cache: RedisCacheService,
    private readonly presets: CacheService,
    @InjectRepository(Customer) private readonly customers: Repository<Customer>,
  ) {}

  execute({ tenantId, page }: ListCustomers): Promise<Page<CustomerView>> {
    return this.cache.getOrSet(
      customerListKey(tenantId, page),
      () => pageFrom(this.customers, page, { where: { tenantId }, order: { name: 'ASC', id: 'ASC' } }, customerView),
      { ttl: this.presets.getTTL(CachePattern.QUERY), tags: [tenantTag(tenantId), customerListsTag(tenantId)] },
    )
  }
}
