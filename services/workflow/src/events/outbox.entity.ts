import { Column, Entity, PrimaryGeneratedColumn } from 'typeorm'
import type { TaskEvent } from './task-event.js'

/** An event that is committed, and not yet told to everybody. */
@Entity('outbox')
export class OutboxRow {
  @PrimaryGeneratedColumn('identity', { type: 'bigint', generatedIdentity: 'BY DEFAULT' })
  id!: string

  @Column('jsonb')
  event!: TaskEvent
}
