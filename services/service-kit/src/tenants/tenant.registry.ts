import { Injectable, type OnModuleInit } from '@nestjs/common'
import { InjectRepository } from '@nestjs/typeorm'
import { Cron, CronExpression } from '@nestjs/schedule'
import { Repository } from 'typeorm'
import { Tenant } from './tenant.entity.js'

/** The tenants there are, kept in the process: every request asks, and a new tenant is a matter of days. Read again every 5 minutes. */
@Injectable()
export class TenantRegistry implements OnModuleInit {
  private tenants: ReadonlyMap<string, Tenant> = new Map()

  constructor(@InjectRepository(Tenant) private readonly repository: Repository<Tenant>) {}

  async onModuleInit(): Promise<void> {
    await this.reload()
  }

  @Cron(CronExpression.EVERY_5_MINUTES, { name: 'reload-tenants' })
  async reload(): Promise<void> {
    const tenants = await this.repository.find({ order: { id: 'ASC' } })
    this.tenants = new Map(tenants.map((tenant) => [tenant.id, tenant]))
  }

  get(id: string): Tenant | undefined {
    return this.tenants.get(id)
  }

  all(): Tenant[] {
    return [...this.tenants.values()]
  }
}
