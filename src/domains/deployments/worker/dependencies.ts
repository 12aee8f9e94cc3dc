import type { Logger } from 'pino'
import type { Signals } from '../../../streams/signals.ts'
import type { Load } from '../load.ts'
import type { LaunchDependencies } from './launch.ts'
import type { Limits } from './outcomes.ts'

/** What it takes to see a model server through. */
export interface AttendDependencies extends LaunchDependencies, Limits {
  signals: Signals
  log: Logger
  load: Load
  /** The address that model servers listen on, on the server's own machine. */
  deploymentHost: string
}
