import { Column, Entity, PrimaryColumn, UpdateDateColumn, VersionColumn } from 'typeorm'

/** One of the ways in which a feature can be on. */
export interface Variant {
  readonly name: string
  /** Its share of all weights is its share of the subjects. */
  readonly weight: number
}

/** A feature that is on for some of a tenant's users or documents, and off for the others. */
@Entity('flags')
export class Flag {
  @PrimaryColumn('text', { name: 'tenant_id' })
  tenantId!: string

  @PrimaryColumn('text')
  key!: string

  /** False: off for everybody, whatever the rest says. */
  @Column('boolean', { name: 'is_enabled' })
  enabled!: boolean

  /** Percent of the subjects for whom it is on, with two decimals. */
  @Column('double precision')
  rollout!: number

  @Column('jsonb')
  variants!: Variant[]

  /** Subjects for whom it is on wherever the roll-out stands. */
  @Column('jsonb', { name: 'allow_list' })
  allowList!: string[]

  /** Grows by one with every change. */
  @VersionColumn()
  version!: number

  @UpdateDateColumn({ name: 'updated_at', type: 'timestamptz' })
  updatedAt!: Date
}
