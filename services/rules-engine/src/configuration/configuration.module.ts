import { Module } from '@nestjs/common'
import { TypeOrmModule } from '@nestjs/typeorm'
import { ConfigurationController } from './configuration.controller.js'
import { Configuration } from './configuration.js'
import { Setting } from './setting.entity.js'

@Module({
  imports: [TypeOrmModule.forFeature([Setting])],
  controllers: [ConfigurationController],
  providers: [Configuration],
})
export class ConfigurationModule {}
