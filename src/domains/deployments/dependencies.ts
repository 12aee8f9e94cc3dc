import type { Executor } from '../../execution/executor.ts'
import type { Prisma } from '../../generated/prisma/client.ts'
import type { Signals } from '../../streams/signals.ts'
import type { Leases } from '../compute-nodes/agents/leases.ts'
import type { EngineService } from './engines.ts'
import type { ModelDependencies } from './models.ts'
import type { Places } from './places/places.ts'

/** What a resolver asks for besides. */
export type DeploymentQuery = { include?: Prisma.DeploymentInclude; select?: Prisma.DeploymentSelect }

/** What the deployment service needs. */
export interface DeploymentDependencies extends ModelDependencies {
  signals: Signals
  executor: Executor
  leases: Pick<Leases, 'isOver'>
  engines: EngineService
  places: Places
  /** The part of the server's environment that model servers inherit. */
  environment: Record<string, string>
  /** The folder of all deployments. */
  deploymentsDir: string
  trustRemoteCode: boolean
  /** How long a model server may take to end after SIGTERM. */
  deploymentStopSeconds: number
  now?: () => Date
}
