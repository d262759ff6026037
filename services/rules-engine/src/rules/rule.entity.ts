import { Column, Entity, PrimaryGeneratedColumn, UpdateDateColumn, VersionColumn } from 'typeorm'
import type { Condition } from '../conditions/condition.js'

/** What a tenant wants done about a subject when a condition holds. */
@Entity('rules')
export class Rule {
  @PrimaryGeneratedColumn('identity', { type: 'integer', generatedIdentity: 'BY DEFAULT' })
  id!: number

  @Column('text', { name: 'tenant_id' })
  tenantId!: string

  /** The question that it answers: `invoice.approval`. It never changes, so that a rule belongs to one cached list for ever. */
  @Column('text')
  subject!: string

  /** Unique within tenant and subject. */
  @Column('text')
  name!: string

  /** Higher ones first; of equals the older rule. */
  @Column('integer')
  priority!: number

  @Column('jsonb')
  condition!: Condition

  /** Whatever the asking service understands; never looked into here. */
  @Column('jsonb')
  outcome!: Record<string, unknown>

  @Column('boolean', { name: 'is_enabled' })
  enabled!: boolean

  /** Grows by one with every change. */
  @VersionColumn()
  version!: number

  @UpdateDateColumn({ name: 'updated_at', type: 'timestamptz' })
  updatedAt!: Date
}
