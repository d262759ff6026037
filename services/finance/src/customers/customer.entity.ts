import { Column, Entity, PrimaryGeneratedColumn } from 'typeorm'

/** Whom a tenant bills. */
@Entity('customers')
export class Customer {
  @PrimaryGeneratedColumn('identity', { type: 'integer', generatedIdentity: 'BY DEFAULT' })
  id!: number

  @Column('text', { name: 'tenant_id' })
  tenantId!: string

  @Column('text')
  name!: string

  /** The row stays: invoices that have a number refer to it for ever. */
  @Column('boolean', { name: 'is_deleted' })
  deleted!: boolean
}
