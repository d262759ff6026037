import { defineConfig } from 'vitest/config'

// One run over the toolkit and all services; each has a config of its own for what only it needs.
export default defineConfig({
  test: {
    projects: [
      'packages/*',
      'services/*',
      { test: { name: 'scripts', include: ['scripts/**/*.spec.mjs'], testTimeout: 60_000 } },
    ],
    // Integration tests start Redis servers and several Node processes each; more workers than this starve them on two cores.
    maxWorkers: 2,
    reporters: ['default'],
  },
})
