import { defineConfig } from 'vitest/config'

// One run over the toolkit and all services; each has a config of its own for what only it needs.
export default defineConfig({
  test: {
    projects: [
      'packages/*',
      'services/*',
      { test: { name: 'scripts', include: ['scripts/**/*.spec.mjs'], testTimeout: 60_000 } },
    ],
    // Integration tests start servers and processes and then mostly wait for them: three at a time use two cores; more starve each other.
    maxWorkers: 3,
    reporters: ['default'],
    // The reason of a failure in full: of one that comes once in many runs there is nothing else.
    chaiConfig: { truncateThreshold: 0 },
  },
})
