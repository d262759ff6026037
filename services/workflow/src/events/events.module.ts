import { Module } from '@nestjs/common'
import { TypeOrmModule } from '@nestjs/typeorm'
import { Tenant } from '@vextrus/service-kit'
import { Outbox } from './outbox.js'
import { TaskInvalidation } from './task-invalidation.js'

@Module({
  imports: [TypeOrmModule.forFeature([Tenant])],
  providers: [Outbox, TaskInvalidation],
  exports: [Outbox, TaskInvalidation],
})
export class EventsModule {}
