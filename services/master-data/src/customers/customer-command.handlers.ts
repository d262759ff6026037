import { NotFoundException } from '@nestjs/common'
import { CommandHandler, type ICommandHandler } from '@nestjs/cqrs'
import { InjectDataSource, InjectRepository } from '@nestjs/typeorm'
import { CacheWrites, DomainEvents, explained, lockedRow, tenantTag } from '@vextrus/service-kit'
import { CacheUnavailableError } from '@vextrus/shared/cache'
import { CacheEvict, CachePut } from '@vextrus/shared/utils'
import { DataSource, Repository } from 'typeorm'
import { CUSTOMER_TTL, customerKey } from './customer.cache.js'
import { Customer } from './customer.entity.js'
import {
  CreateCustomer,
  CustomerDeleted,
  CustomerUpdated,
  DeleteCustomer,
  UpdateCustomer,
} from './customer.messages.js'
import { type CustomerView, customerView } from './customer.schemas.js'

const mistakes = { missing: 'The country does not exist', taken: 'There is a customer with this code already' }

@CommandHandler(CreateCustomer)
export class CreateCustomerHandler implements ICommandHandler<CreateCustomer> {
  constructor(
    @InjectRepository(Customer) private readonly customers: Repository<Customer>,
    private readonly events: DomainEvents,
  ) {}

  async execute(command: CreateCustomer): Promise<CustomerView> {
    const created = await this.createCustomer(command)
    await this.events.publish(new CustomerUpdated(created.tenantId, created.id, created.version))
    return created
  }

  /** The id is the database's, so the key is made of the result. */
  @CachePut({
    key: ({ tenantId, id }: CustomerView) => customerKey(tenantId, id),
    ttl: CUSTOMER_TTL,
    tags: ({ tenantId }: CustomerView) => [tenantTag(tenantId)],
    version: ({ version }: CustomerView) => version,
  })
  async createCustomer({ tenant, input }: CreateCustomer): Promise<CustomerView> {
    const row = this.customers.create({ ...input, tenantId: tenant.id, currencyCode: tenant.currencyCode })
    return customerView(await explained(this.customers.save(row), mistakes))
  }
}

@CommandHandler(UpdateCustomer)
export class UpdateCustomerHandler implements ICommandHandler<UpdateCustomer> {
  constructor(
    @InjectDataSource() private readonly dataSource: DataSource,
    private readonly cacheWrites: CacheWrites,
    private readonly events: DomainEvents,
  ) {}

  async execute(command: UpdateCustomer): Promise<CustomerView> {
    const updated = await this.updateCustomer(command)
    await this.events.publish(new CustomerUpdated(command.tenantId, command.id, updated.version))
    return updated
  }

  /**
   * What it answers is stored: the next read finds it. Of two updates the later row stays, in whatever order they are stored. The hold is for a
   * process that dies before it has stored anything. @throws NotFoundException, BadRequestException
   */
  @CachePut({
    keyGenerator: ({ tenantId, id }: UpdateCustomer) => customerKey(tenantId, id),
    ttl: CUSTOMER_TTL,
    tags: ({ tenantId }: CustomerView) => [tenantTag(tenantId)],
    version: ({ version }: CustomerView) => version,
  })
  async updateCustomer({ tenantId, id, changes }: UpdateCustomer): Promise<CustomerView> {
    const write = () =>
      this.dataSource.transaction(async (transaction) => {
        const row = await lockedRow(transaction, Customer, { tenantId, id }, `Customer ${id}`)
        transaction.merge(Customer, row, changes)
        return transaction.save(row)
      })
    const targets = { keys: [customerKey(tenantId, id)] }
    return customerView(await explained(this.cacheWrites.around(targets, write), mistakes))
  }
}

const evicted = { keyGenerator: (tenantId: string, id: number) => customerKey(tenantId, id) }

@CommandHandler(DeleteCustomer)
export class DeleteCustomerHandler implements ICommandHandler<DeleteCustomer> {
  constructor(
    @InjectRepository(Customer) private readonly customers: Repository<Customer>,
    private readonly events: DomainEvents,
  ) {}

  async execute({ tenantId, id }: DeleteCustomer): Promise<void> {
    try {
      await this.deleteCustomer(tenantId, id)
    } catch (error) {
      // No hold could be placed, so nothing has been deleted. This service does not refuse writes because Redis is away.
      if (!(error instanceof CacheUnavailableError)) throw error
      await this.deleteWithoutHold(tenantId, id)
    }
    await this.events.publish(new CustomerDeleted(tenantId, id))
  }

  /** Nobody is shown the customer while it is deleted, or after this process has died in the middle of it. @throws NotFoundException, CacheUnavailableError */
  @CacheEvict({ ...evicted, hold: true })
  async deleteCustomer(tenantId: string, id: number): Promise<void> {
    await this.remove(tenantId, id)
  }

  /** Evicts after the deletion; what Redis did not acknowledge is repeated by the toolkit. @throws NotFoundException */
  @CacheEvict(evicted)
  async deleteWithoutHold(tenantId: string, id: number): Promise<void> {
    await this.remove(tenantId, id)
  }

  private async remove(tenantId: string, id: number): Promise<void> {
    const { affected } = await this.customers.delete({ tenantId, id })
    if (affected === 0) throw new NotFoundException(`Customer ${id} was not found`)
  }
}
