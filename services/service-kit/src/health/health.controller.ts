import { Controller, Get } from '@nestjs/common'
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger'
import { type CacheStatistics, RedisCacheService } from '@vextrus/shared/cache'
import { z } from 'zod'

const counts = { hits: z.number().int(), misses: z.number().int() }

const cacheStatisticsSchema = z
  .looseObject({ ...counts, hitRate: z.number().meta({ description: 'Percent, two decimals', example: 96.15 }) })
  .meta({ description: 'Counters of this process since it began' })

@ApiTags('health')
@Controller('health')
export class HealthController {
  constructor(private readonly cache: RedisCacheService) {}

  @Get()
  @ApiOperation({ summary: 'Whether the process answers; asks neither database nor Redis' })
  @ApiOkResponse({ standardSchema: z.object({ status: z.literal('ok'), uptimeSeconds: z.number().int() }) })
  live(): { status: 'ok'; uptimeSeconds: number } {
    return { status: 'ok', uptimeSeconds: Math.floor(process.uptime()) }
  }

  @Get('cache')
  @ApiOperation({ summary: 'How well the cache works; a hit rate above 80 % is the aim' })
  @ApiOkResponse({ standardSchema: cacheStatisticsSchema })
  cacheStatistics(): CacheStatistics {
    return this.cache.getStatistics()
  }
}
