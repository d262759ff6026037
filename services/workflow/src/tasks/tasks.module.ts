import { Module } from '@nestjs/common'
import { TypeOrmModule } from '@nestjs/typeorm'
import { EventsModule } from '../events/events.module.js'
import { TaskCommands } from './task.commands.js'
import { Task, TaskChange } from './task.entities.js'
import { TaskQueries } from './task.queries.js'
import { TasksController } from './tasks.controller.js'

@Module({
  imports: [TypeOrmModule.forFeature([Task, TaskChange]), EventsModule],
  controllers: [TasksController],
  providers: [TaskQueries, TaskCommands],
})
export class TasksModule {}
