import { createSqliteLogLineStatements, type ExecuteInTransaction } from './sqlite-log-line-statements.ts'
import { sqliteMetricStatements } from './sqlite-metric-statements.ts'
import { createSqliteTelemetryStatements } from './sqlite-telemetry-statements.ts'
import type { Statements } from './statements.ts'

/**
 * The hand-written statements for SQLite. Rows travel as one JSON text in each direction: json_each and
 * json_group_array cost a tenth of binding or mapping every value.
 */
export function createSqliteStatements(executeInTransaction: ExecuteInTransaction): Statements {
  return {
    ...sqliteMetricStatements,
    ...createSqliteLogLineStatements(executeInTransaction),
    ...createSqliteTelemetryStatements(executeInTransaction),
  }
}
