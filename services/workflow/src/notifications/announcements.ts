import { Injectable } from '@nestjs/common'
import { RedisPubSubService } from '@vextrus/shared/pubsub'
import { label } from '@vextrus/service-kit'
import { z } from 'zod'
import { tenantChannel } from './channels.js'
import type { Notification } from './task-notifications.js'

export const announcementInput = z.strictObject({
  text: label(1_000),
  reference: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9._:/-]{0,99}$/, 'must be 1 to 100 letters, digits or . _ : / -')
    .optional()
    .meta({ description: 'Sent twice, it is told once' }),
})
export type AnnouncementInput = z.infer<typeof announcementInput>

export const announcementResult = z.object({
  id: z.string(),
  repeated: z.boolean().meta({ description: 'It had been told before, and was not told again' }),
})
export type AnnouncementResult = z.infer<typeof announcementResult>

/** What everybody of a tenant is told. It is kept in the log of notifications alone: there is no row, so no outbox. */
@Injectable()
export class Announcements {
  constructor(private readonly messages: RedisPubSubService) {}

  /** @throws PubSubUnavailableError it may have been told: send it again, with the same reference */
  async tell(tenantId: string, by: string, { text, reference }: AnnouncementInput): Promise<AnnouncementResult> {
    const message: Notification = { type: 'announcement', text, by, at: new Date().toISOString() }
    const { id = '', fresh } = await this.messages.publish(tenantChannel(tenantId), message, {
      durable: true,
      ...(reference === undefined ? {} : { messageId: `announcement:${reference}` }),
    })
    return { id, repeated: !fresh }
  }
}
