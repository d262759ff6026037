import { Module } from '@nestjs/common'
import { TypeOrmModule } from '@nestjs/typeorm'
import { Flag } from './flag.entity.js'
import { FlagsController } from './flags.controller.js'
import { Flags } from './flags.js'

@Module({ imports: [TypeOrmModule.forFeature([Flag])], controllers: [FlagsController], providers: [Flags] })
export class FlagsModule {}
