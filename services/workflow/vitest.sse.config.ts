import { defineConfig, mergeConfig } from 'vitest/config'
import base from '../service-kit/vitest.config.js'

/** `npm run sse -w @vextrus/workflow`: a run of minutes, which `npm test` leaves out. */
export default mergeConfig(
  base,
  defineConfig({ test: { include: ['test/sse/full.ts'], disableConsoleIntercept: true } }),
)
