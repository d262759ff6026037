import { Module } from '@nestjs/common'
import { Announcements } from './announcements.js'
import { NotificationsController, NotificationsHealthController } from './notifications.controller.js'
import { Notifications } from './notifications.js'

@Module({
  controllers: [NotificationsController, NotificationsHealthController],
  providers: [Notifications, Announcements],
})
export class NotificationsModule {}
