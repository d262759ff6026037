import { Column, CreateDateColumn, Entity, PrimaryColumn, PrimaryGeneratedColumn, UpdateDateColumn } from 'typeorm'
import type { TaskStatus } from './task-status.js'

/** Something that somebody asks for, and somebody else approves or rejects. */
@Entity('tasks')
export class Task {
  @PrimaryGeneratedColumn('identity', { type: 'integer', generatedIdentity: 'BY DEFAULT' })
  id!: number

  @Column('text', { name: 'tenant_id' })
  tenantId!: string

  @Column('text')
  title!: string

  @Column('text')
  status!: TaskStatus

  /** The user who wrote it. Never changes, and neither does the approver. */
  @Column('text')
  requester!: string

  /** The user who is to decide; null: anybody who approves. */
  @Column('text', { nullable: true })
  approver!: string | null

  /** An invoice of the finance service that it is about. A pointer: the invoice is finance's, and may be gone. */
  @Column('integer', { name: 'invoice_id', nullable: true })
  invoiceId!: number | null

  @Column('text', { name: 'decided_by', nullable: true })
  decidedBy!: string | null

  /** Grows by one with every change. */
  @Column('integer')
  version!: number

  /** Of the lock that it was last written under. */
  @Column('bigint')
  fence!: string

  @CreateDateColumn({ name: 'created_at', type: 'timestamptz' })
  createdAt!: Date

  @UpdateDateColumn({ name: 'updated_at', type: 'timestamptz' })
  updatedAt!: Date
}

/** One change of a task: its history has one of each version, from 1 without a gap. */
@Entity('task_changes')
export class TaskChange {
  @PrimaryColumn('text', { name: 'tenant_id' })
  tenantId!: string

  @PrimaryColumn('integer', { name: 'task_id' })
  taskId!: number

  @PrimaryColumn('integer')
  version!: number

  /** Null: it was written. */
  @Column('text', { name: 'old_status', nullable: true })
  oldStatus!: TaskStatus | null

  @Column('text', { name: 'new_status' })
  newStatus!: TaskStatus

  @Column('text')
  actor!: string

  @Column('text', { nullable: true })
  comment!: string | null

  @CreateDateColumn({ name: 'created_at', type: 'timestamptz' })
  createdAt!: Date
}
