import { Controller, Get, Module } from '@nestjs/common'
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger'
import { RulesModule } from '../rules/rules.module.js'
import { LatencyProbe } from './latency-probe.js'
import { type Latency, latencySchema } from './latency.schemas.js'

@ApiTags('health')
@Controller('latency')
export class LatencyController {
  constructor(private readonly probe: LatencyProbe) {}

  @Get()
  @ApiOperation({
    summary: 'Measures reads from this process’s memory, from Redis and from the database; takes a second',
  })
  @ApiOkResponse({ standardSchema: latencySchema })
  measure(): Promise<Latency> {
    return this.probe.measure()
  }
}

@Module({ imports: [RulesModule], controllers: [LatencyController], providers: [LatencyProbe] })
export class LatencyModule {}
