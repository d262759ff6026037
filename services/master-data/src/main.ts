import { runService } from '@vextrus/service-kit'
import { RedisCacheService } from '@vextrus/shared/cache'
import { sendBurst } from './burst/burst.js'
import { burstReport } from './burst/report.js'
import { readConfig } from './config.js'
import { masterData } from './service.js'

/** Starts the service and shows that it works. The only reader of `process.env`. */
await runService(
  masterData,
  () => readConfig(process.env),
  async ({ app, url }, { burst }, say) => {
    if (!burst) return
    const result = await sendBurst(url)
    burstReport(result, app.get(RedisCacheService).getStatistics()).forEach(say)
  },
)
