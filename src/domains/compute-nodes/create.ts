import { hostname } from 'node:os'
import type { Logger } from 'pino'
import type { Database } from '../../db/database.ts'
import type { Executor } from '../../execution/executor.ts'
import { createLocalExecutor } from '../../execution/local/local-executor.ts'
import { readHardware } from '../../machine/hardware.ts'
import { createSampler } from '../../machine/sampler.ts'
import type { TelemetrySample } from '../../machine/types.ts'
import type { Signals } from '../../streams/signals.ts'
import { VERSION } from '../../version.ts'
import { storedObject } from '../input.ts'
import { createExecutions } from './agents/executions.ts'
import { createExecutor } from './agents/executor.ts'
import { createLeases, type Leases } from './agents/leases.ts'
import { type AgentRegistration, createAgentRegistration } from './agents/registration.ts'
import { type AgentWork, type AgentWorkDependencies, createAgentWork } from './agents/work.ts'
import { updateOwnNode } from './own-node.ts'
import type { TelemetryService } from './telemetry/service.ts'
import { createTelemetry } from './telemetry/telemetry.ts'
import { type ComputeNodeWatcher, createComputeNodeWatcher } from './watch.ts'

/** What the machines need of the rest of the server. */
export interface ComputeNodesDependencies {
  database: Database
  signals: Signals
  dataDir: string
  /** What commands inherit on the server's own machine. */
  environment: Record<string, string>
  /** Where commands start there that do not say where. */
  workingDir: string
  maxConcurrentRuns: number
  nodeLeaseSeconds: number
  runLeaseSeconds: number
  telemetryDays: number
  inputLink: AgentWorkDependencies['inputLink']
  /** Is told of every sample of every node. */
  observe(nodeId: string, sample: TelemetrySample): void
  log: Logger
}

/** The services of compute nodes that need nothing of runs and deployments. */
export interface ComputeNodesServices {
  agentRegistration: AgentRegistration
  agentWork: AgentWork
  computeNodeWatcher: ComputeNodeWatcher
  telemetry: TelemetryService
}

/** The machines, put together. */
export interface ComputeNodes {
  /** Runs commands on all of them. */
  executor: Executor
  leases: Leases
  services: ComputeNodesServices
  /** What a node measured last; null while it has told nothing. */
  latest(nodeId: string): TelemetrySample | null
  start(): Promise<void>
  stop(): Promise<void>
}

/** Puts together what runs commands on this machine and on others, and what is known of them. */
export async function createComputeNodes(deps: ComputeNodesDependencies): Promise<ComputeNodes> {
  const { database, dataDir, environment, workingDir } = deps
  // Begun here, because a driver that has to be loaded takes seconds.
  const hardware = readHardware(environment)
  const executions = createExecutions({ ...deps, dataDir })
  await executions.start()
  const executor = createExecutor(createLocalExecutor({ environment, workingDir }), executions)
  const leases = createLeases(deps)
  const telemetry = createTelemetry({
    ...deps,
    sampler: createSampler({ environment, folder: dataDir }),
  })
  return {
    executor,
    leases,
    latest: telemetry.latest,
    services: {
      agentRegistration: createAgentRegistration({ ...deps, leases }),
      agentWork: createAgentWork({ ...deps, executions, leases, telemetry }),
      computeNodeWatcher: createComputeNodeWatcher(deps),
      telemetry: telemetry.service,
    },

    async start() {
      await updateOwnNode(database, {
        hostname: hostname(),
        hardware: storedObject(await hardware),
        maxRuns: deps.maxConcurrentRuns,
        version: VERSION,
      })
      await leases.start()
      await telemetry.start()
    },

    async stop() {
      await telemetry.stop()
      await leases.stop()
    },
  }
}
