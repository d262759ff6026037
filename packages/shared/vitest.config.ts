import { defineConfig } from 'vitest/config'

export default defineConfig({
  // Nest reads constructor types from decorator metadata; keep this explicit.
  oxc: { decorator: { legacy: true, emitDecoratorMetadata: true } },
  test: {
    include: ['src/**/*.spec.ts', 'test/**/*.spec.ts'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
})
