import { Column, Entity, PrimaryColumn, PrimaryGeneratedColumn, UpdateDateColumn, VersionColumn } from 'typeorm'
import { exactNumber } from '../http/money.js'
import type { InvoiceStatus } from './invoice-status.js'

/** What an invoice asks money for. */
export interface InvoiceLine {
  readonly description: string
  readonly quantity: number
  /** Minor units. */
  readonly unitPrice: number
}

@Entity('invoices')
export class Invoice {
  @PrimaryGeneratedColumn('identity', { type: 'integer', generatedIdentity: 'BY DEFAULT' })
  id!: number

  @Column('text', { name: 'tenant_id' })
  tenantId!: string

  /** Never changes, so an invoice stands in the lists of one customer for ever. */
  @Column('integer', { name: 'customer_id' })
  customerId!: number

  /** Null: a draft. Unique within the tenant, and without a gap (`invoice-numbers.ts`). */
  @Column('text', { nullable: true })
  number!: string | null

  @Column('text')
  status!: InvoiceStatus

  @Column('text', { name: 'currency_code' })
  currencyCode!: string

  @Column('jsonb')
  lines!: InvoiceLine[]

  /** Of all lines, in minor units. */
  @Column('bigint', { transformer: exactNumber })
  total!: number

  @Column('timestamptz', { name: 'issued_at', nullable: true })
  issuedAt!: Date | null

  /** Grows by one with every change. */
  @VersionColumn()
  version!: number

  @UpdateDateColumn({ name: 'updated_at', type: 'timestamptz' })
  updatedAt!: Date
}

/** The last number of a tenant. Written by `invoice-numbers.ts` alone. */
@Entity('invoice_counter')
export class InvoiceCounter {
  @PrimaryColumn('text', { name: 'tenant_id' })
  tenantId!: string

  @Column('bigint')
  last!: string

  /** Of the lock that the last number was given under. */
  @Column('bigint')
  fence!: string
}
