import { mkdir } from 'node:fs/promises'
import type { Logger } from 'pino'
import type { Database } from '../../db/database.ts'
import type { Executor } from '../../execution/executor.ts'
import type { ModelDirectory } from '../../gateway/model-directory.ts'
import type { Sealer } from '../../secrets/sealer.ts'
import type { Signals } from '../../streams/signals.ts'
import type { Leases } from '../compute-nodes/agents/leases.ts'
import type { ProjectAccess } from '../projects/access.ts'
import { createModelDirectory } from './directory.ts'
import { createEngineService, type EngineService } from './engines.ts'
import { createLoad } from './load.ts'
import type { ModelSources } from './model-path.ts'
import { createPlaces, type PlaceDependencies } from './places/places.ts'
import { createDeploymentRecords, type DeploymentRecords } from './records.ts'
import { createServedModels } from './served-models.ts'
import { createDeploymentService, type DeploymentService } from './service.ts'
import { createUsageCounter } from './usage.ts'
import { createDeploymentWatcher, type DeploymentWatcher } from './watch.ts'
import type { Limits } from './worker/outcomes.ts'
import { createDeploymentWorker } from './worker/worker.ts'

/** What serving models takes of the rest of the server. */
export interface DeploymentsDependencies extends ModelSources, PlaceDependencies, Limits {
  database: Database
  signals: Signals
  executor: Executor
  leases: Pick<Leases, 'isOver'>
  access: ProjectAccess
  sealer: Sealer
  runsDir: string
  /** The folder of all deployments. */
  deploymentsDir: string
  trustRemoteCode: boolean
  log: Logger
}

/** What resolvers call. */
export interface DeploymentServices {
  engines: EngineService
  deployments: DeploymentService
  deploymentRecords: DeploymentRecords
  deploymentWatcher: DeploymentWatcher
}

/** The parts of this domain, each with the others that it needs. */
export interface Deployments {
  services: DeploymentServices
  /** How the gateway sees them. */
  directory: ModelDirectory
  /** Takes up what an earlier server left, and begins to work. */
  start(): Promise<void>
  /** Leaves the model servers alone: they go on, and the next server finds them. */
  stop(): Promise<void>
}

/** Puts the parts of this domain together. */
export function createDeployments(deps: DeploymentsDependencies): Deployments {
  const engines = createEngineService(deps)
  const places = createPlaces(deps)
  const load = createLoad()
  const usage = createUsageCounter(deps)
  const served = createServedModels(deps)
  const deployments = createDeploymentService({ ...deps, engines, places })
  const directory = createModelDirectory({ ...deps, deployments, served, usage, load })
  const worker = createDeploymentWorker({ ...deps, engines, places, load })

  return {
    services: {
      engines,
      deployments,
      deploymentRecords: createDeploymentRecords({ ...deps, usage }),
      deploymentWatcher: createDeploymentWatcher(deps),
    },
    directory,
    async start() {
      await mkdir(deps.deploymentsDir, { recursive: true, mode: 0o700 })
      await usage.start()
      await worker.start()
      directory.start()
    },
    async stop() {
      await directory.stop()
      await worker.stop()
      await usage.stop()
    },
  }
}
