import type { Database } from '../../db/database.ts'
import type { Executor } from '../../execution/executor.ts'
import type { Prisma } from '../../generated/prisma/client.ts'
import type { Signals } from '../../streams/signals.ts'

/** What Pothos selects of a run. */
export type RunQuery = { include?: Prisma.RunInclude; select?: Prisma.RunSelect }

/** What the run service needs. */
export interface RunDependencies {
  database: Database
  signals: Signals
  executor: Executor
  /** The folder of all runs. */
  runsDir: string
  /** How long a cancelled run may take to end by itself unless the request says so, in seconds. */
  cancelGraceSeconds: number
  /** Whether projects may have commands of their own, instead of a launcher. */
  freeCommands: boolean
  now?: () => Date
}
