import { isDeepStrictEqual } from 'node:util'
import type { TestApp } from './app.ts'
import type { ApiClient } from './client.ts'
import { until } from './until.ts'

/**
 * The statements that an operation of a client takes, without what differs from call to call: those that two
 * calls in a row take, because a worker may have something left to do beside one.
 */
export async function statementsOf(app: TestApp, api: ApiClient, operation: string): Promise<string[]> {
  let last: string[] = []
  return until('two calls to take the same statements', async () => {
    const before = last
    last = await statementsOfCall(app, api, operation)
    return isDeepStrictEqual(before, last) ? last : null
  })
}

async function statementsOfCall(app: TestApp, api: ApiClient, operation: string): Promise<string[]> {
  const statements: string[] = []
  const stop = app.onStatement((sql) => statements.push(normalised(sql)))
  try {
    await api.send(operation)
  } finally {
    stop()
  }
  return statements
}

function normalised(sql: string): string {
  return sql
    .replaceAll('`main`.', '')
    .replaceAll('`', '')
    .replace(/\(\?(,\s*\?)*\)/g, '(…)')
    .replace(
      /^SELECT (.*?) FROM/s,
      (_all, columns: string) => `SELECT ${columns.split(',').length} columns FROM`,
    )
}
