import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'

/** The full counts of the scenarios in test/faults take up to an hour each; a test that hangs, a minute. */
const TIMEOUT_MS = process.env.TRAINYARD_FAULTS === 'full' ? 3_600_000 : 60_000

export default defineConfig({
  // What our dependencies import as `graphql` is its CommonJS build; Vite would give our own code another one.
  resolve: { alias: [{ find: /^graphql$/, replacement: 'graphql/index.js' }] },
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: TIMEOUT_MS,
    hookTimeout: 60_000,
    pool: 'forks',
    // More than there are cores: most of what a test does is to wait for servers and processes.
    maxWorkers: availableParallelism() + 1,
    execArgv: ['--disable-warning=ExperimentalWarning'],
  },
})
