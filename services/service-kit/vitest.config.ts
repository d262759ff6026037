import { defineConfig } from 'vitest/config'

export default defineConfig({
  // Nest and TypeORM read property and constructor types from decorator metadata; keep this explicit.
  oxc: { decorator: { legacy: true, emitDecoratorMetadata: true } },
  test: {
    include: ['src/**/*.spec.ts', 'test/**/*.spec.ts'],
    testTimeout: 180_000,
    // The embedded Postgres takes some seconds to start and to be filled.
    hookTimeout: 300_000,
  },
})
