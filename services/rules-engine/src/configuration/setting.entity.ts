import { Column, Entity, PrimaryColumn, UpdateDateColumn, VersionColumn } from 'typeorm'

/** One value of a tenant's configuration. */
@Entity('settings')
export class Setting {
  @PrimaryColumn('text', { name: 'tenant_id' })
  tenantId!: string

  @PrimaryColumn('text')
  key!: string

  /** Any JSON but null. */
  @Column('jsonb')
  value!: unknown

  /** Grows by one with every change. */
  @VersionColumn()
  version!: number

  @UpdateDateColumn({ name: 'updated_at', type: 'timestamptz' })
  updatedAt!: Date
}
