import { Injectable, Logger, type OnModuleDestroy } from '@nestjs/common'
import { Cron, CronExpression } from '@nestjs/schedule'
import { InjectDataSource } from '@nestjs/typeorm'
import { PubSubUnavailableError, RedisPubSubService } from '@vextrus/shared/pubsub'
import { DataSource, type EntityManager, In } from 'typeorm'
import { notificationsOf } from '../notifications/task-notifications.js'
import { OutboxRow } from './outbox.entity.js'
import { eventsChannel, messageIdOf, type TaskEvent } from './task-event.js'

/** Rows that are read at a time. */
const PART = 100

/**
 * Events on their way from the database to the logs of Redis. An event is written in the transaction of its change and told after the commit:
 * never one of a change that was rolled back, and never none of one that was not, whoever dies when.
 *
 * A row goes when its messages are in the logs. Between the two a process may die, and another one tells them again; two may tell them at the same
 * time. A log takes each `messageId` once, so it makes no difference. Rows are told in the order in which they were written; those of different
 * tasks that were written at the same moment have none.
 */
@Injectable()
export class Outbox implements OnModuleDestroy {
  private readonly logger = new Logger('Outbox')
  private publishing: Promise<void> | undefined
  private again = false
  private isAway = false
  private stopped = false

  constructor(
    @InjectDataSource() private readonly dataSource: DataSource,
    private readonly messages: RedisPubSubService,
  ) {}

  /** Keeps an event with the change that it tells of. */
  async add(transaction: EntityManager, event: TaskEvent): Promise<void> {
    await transaction.insert(OutboxRow, { event })
  }

  /** Tells what is there, behind the caller's back. */
  publishSoon(): void {
    void this.publish()
  }

  /** Tells what is there. One at a time; whoever asks meanwhile has the table read once more. Never rejects. */
  publish(): Promise<void> {
    this.again = true
    return (this.publishing ??= this.publishAll())
  }

  /** What another process has left, or what Redis was away for. Every replica does it: telling twice is telling once. */
  @Cron(CronExpression.EVERY_5_SECONDS, { name: 'publish-outbox', waitForCompletion: true })
  async sweep(): Promise<void> {
    await this.publish()
  }

  async onModuleDestroy(): Promise<void> {
    this.stopped = true
    await this.publishing
  }

  private async publishAll(): Promise<void> {
    try {
      while (this.again && !this.stopped) {
        this.again = false
        while (!this.stopped && (await this.publishPart()));
      }
      if (this.isAway) this.logger.log('Events are told again')
      this.isAway = false
    } catch (error) {
      const isKnown = error instanceof PubSubUnavailableError
      if (!isKnown || !this.isAway) this.logger.warn(`Events wait in the outbox: ${String(error)}`)
      this.isAway = true
    } finally {
      this.publishing = undefined
    }
  }

  /** Whether there was something. @throws PubSubUnavailableError, and what the database says; the rows stay */
  private async publishPart(): Promise<boolean> {
    const rows = await this.dataSource.manager.find(OutboxRow, { order: { id: 'ASC' }, take: PART })
    const told: string[] = []
    try {
      for (const { id, event } of rows) {
        if (this.stopped) break
        await this.tell(event)
        told.push(id)
      }
    } finally {
      if (told.length > 0) await this.dataSource.manager.delete(OutboxRow, { id: In(told) })
    }
    return rows.length > 0
  }

  private async tell(event: TaskEvent): Promise<void> {
    const options = { durable: true, messageId: messageIdOf(event) }
    await this.messages.publish(eventsChannel(event.tenantId), event, options)
    for (const { channel, message } of notificationsOf(event)) await this.messages.publish(channel, message, options)
  }
}
