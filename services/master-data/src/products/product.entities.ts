import { Column, Entity, PrimaryGeneratedColumn, UpdateDateColumn, VersionColumn } from 'typeorm'

@Entity('categories')
export class Category {
  @PrimaryGeneratedColumn('identity', { type: 'integer', generatedIdentity: 'BY DEFAULT' })
  id!: number

  @Column('text', { name: 'tenant_id' })
  tenantId!: string

  @Column('text')
  code!: string

  @Column('text')
  name!: string
}

@Entity('suppliers')
export class Supplier {
  @PrimaryGeneratedColumn('identity', { type: 'integer', generatedIdentity: 'BY DEFAULT' })
  id!: number

  @Column('text', { name: 'tenant_id' })
  tenantId!: string

  @Column('text')
  name!: string

  @Column('text')
  email!: string

  @Column('text', { name: 'country_code' })
  countryCode!: string

  @Column('smallint', { name: 'lead_time_days' })
  leadTimeDays!: number
}

@Entity('products')
export class Product {
  @PrimaryGeneratedColumn('identity', { type: 'integer', generatedIdentity: 'BY DEFAULT' })
  id!: number

  @Column('text', { name: 'tenant_id' })
  tenantId!: string

  /** Unique within the tenant. */
  @Column('text')
  sku!: string

  /** EAN-13. */
  @Column('text')
  barcode!: string

  @Column('text')
  name!: string

  @Column('integer', { name: 'category_id' })
  categoryId!: number

  @Column('integer', { name: 'supplier_id' })
  supplierId!: number

  @Column('text')
  unit!: string

  /** A decimal string with the decimals it was written with: money is never a float. */
  @Column('numeric', { name: 'unit_price' })
  unitPrice!: string

  @Column('text', { name: 'currency_code' })
  currencyCode!: string

  @Column('text', { name: 'tax_code' })
  taxCode!: string

  @Column('integer')
  stock!: number

  @Column('boolean', { name: 'is_active' })
  isActive!: boolean

  /** Grows by one with every change. */
  @VersionColumn()
  version!: number

  @UpdateDateColumn({ name: 'updated_at', type: 'timestamptz' })
  updatedAt!: Date
}
