import type { Database } from '../../db/database.ts'
import type { Signals } from '../../streams/signals.ts'
import type { DeploymentService } from '../deployments/service.ts'
import type { RunService } from '../runs/service.ts'

/** What is needed to have nodes do something. */
export interface NodeOperationDependencies {
  database: Database
  signals: Signals
  runs: Pick<RunService, 'start' | 'resume' | 'requestEnd' | 'passOnEnd'>
  deployments: Pick<DeploymentService, 'start' | 'requestStop' | 'hasStopped'>
  /** How long runs may take to end by themselves unless the request says so, in seconds. */
  cancelGraceSeconds: number
  /** How long model servers may take. */
  deploymentStopSeconds: number
  now?: () => Date
}
