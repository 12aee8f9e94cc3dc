import { defineConfig } from 'vitest/config'

export default defineConfig({
  // What our dependencies import as `graphql` is its CommonJS build; Vite would give our own code another one.
  resolve: { alias: [{ find: /^graphql$/, replacement: 'graphql/index.js' }] },
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    pool: 'forks',
    execArgv: ['--disable-warning=ExperimentalWarning'],
  },
})
