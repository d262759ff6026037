import { Column, Entity, PrimaryGeneratedColumn, UpdateDateColumn, VersionColumn } from 'typeorm'

@Entity('customers')
export class Customer {
  @PrimaryGeneratedColumn('identity', { type: 'integer', generatedIdentity: 'BY DEFAULT' })
  id!: number

  @Column('text', { name: 'tenant_id' })
  tenantId!: string

  /** Unique within the tenant. */
  @Column('text')
  code!: string

  @Column('text')
  name!: string

  @Column('text')
  email!: string

  @Column('text', { name: 'country_code' })
  countryCode!: string

  @Column('text', { name: 'currency_code' })
  currencyCode!: string

  /** VAT or GST registration: public, it stands on every invoice. */
  @Column('text', { name: 'tax_number', nullable: true })
  taxNumber!: string | null

  /** A decimal string in the customer's currency. */
  @Column('numeric', { name: 'credit_limit' })
  creditLimit!: string

  @Column('boolean', { name: 'is_active' })
  isActive!: boolean

  /** Grows by one with every change. */
  @VersionColumn()
  version!: number

  @UpdateDateColumn({ name: 'updated_at', type: 'timestamptz' })
  updatedAt!: Date
}
