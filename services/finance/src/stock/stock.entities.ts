import { Column, CreateDateColumn, Entity, PrimaryColumn } from 'typeorm'
import { exactNumber } from '../http/money.js'

/** What lies in the warehouse of one thing. */
@Entity('stock_items')
export class StockItem {
  @PrimaryColumn('text', { name: 'tenant_id' })
  tenantId!: string

  @PrimaryColumn('text')
  sku!: string

  @Column('text')
  name!: string

  /** Never below zero; the sum of its movements. Written by `stock-ledger.ts` alone. */
  @Column('bigint', { transformer: exactNumber })
  quantity!: number

  /** Of the lock that it was last written under. */
  @Column('bigint')
  fence!: string
}

/** Something that came, or went. */
@Entity('stock_movements')
export class StockMovement {
  @PrimaryColumn('text', { name: 'tenant_id' })
  tenantId!: string

  /** Named by whoever asked for it: what is asked for twice under one reference happens once. */
  @PrimaryColumn('text')
  reference!: string

  @Column('text')
  sku!: string

  /** Below zero: it went. */
  @Column('bigint', { transformer: exactNumber })
  quantity!: number

  /** What was there afterwards. */
  @Column('bigint', { transformer: exactNumber })
  remaining!: number

  @CreateDateColumn({ name: 'created_at', type: 'timestamptz' })
  createdAt!: Date
}
