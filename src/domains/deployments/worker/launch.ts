import { mkdir } from 'node:fs/promises'
import { isAbsolute } from 'node:path'
import type { Database } from '../../../db/database.ts'
import type { Executor } from '../../../execution/executor.ts'
import { appendLogLines } from '../../../streams/log-lines.ts'
import { OWN_NODE_ID } from '../../compute-nodes/own-node.ts'
import { quoteForShell } from '../../runs/command.ts'
import type { EngineService } from '../engines.ts'
import { deploymentFolder, processFolder } from '../paths.ts'
import type { PlacedServer, Places } from '../places/places.ts'
import { settingsOf } from '../settings.ts'
import type { AttendedServer } from './outcomes.ts'

/** What is needed to start the process of a model server. */
export interface LaunchDependencies {
  database: Database
  executor: Executor
  engines: EngineService
  places: Places
  /** The folder of all deployments. */
  deploymentsDir: string
}

/** The variable by which every process of a model server is recognised. */
const MARKER = 'TRAINYARD_MODEL_SERVER'

/**
 * Starts the command of a model server on its node; on another port, when a stranger has taken its own meanwhile. May
 * be repeated: the command is started once.
 *
 * @throws UnavailableError when no port is free, LaunchError
 */
export async function launchModelServer(
  deps: LaunchDependencies,
  server: AttendedServer & PlacedServer,
): Promise<void> {
  const { database, places, deploymentsDir } = deps
  const settings = settingsOf(server.settings)
  const engine = await deps.engines.use(settings.engine)
  const { node } = server
  const isOwn = node.id === OWN_NODE_ID
  const gpus = server.gpus.map(({ gpu }) => gpu)
  const { port, argv } = await places.settle(server, settings, engine)
  const [program, ...args] = argv
  if (program === undefined) throw new Error('The command is empty.')
  const directory = processFolder(deploymentsDir, server)
  const root = deploymentFolder(deploymentsDir, server.deploymentId)
  await mkdir(directory, { recursive: true, mode: 0o700 })
  await database.transaction(async (tx) => {
    const where = `${isOwn ? '' : `${node.name}, `}port ${port}`
    const withGpus = gpus.length === 0 ? '' : ` and GPU ${gpus.join(', ')}`
    await appendLogLines(database, tx, server.deployment.logStreamId, [
      {
        timestamp: new Date(),
        level: 'INFO',
        source: 'SYSTEM',
        message: `Start ${server.starts} of revision ${server.revision}, on ${where}${withGpus}: ${quoteForShell(argv)}`,
      },
    ])
  })
  await deps.executor.launch({
    nodeId: node.id,
    directory,
    argv: [program, ...args],
    cwd: root,
    marker: { name: MARKER, value: `${server.id}.${server.starts}` },
    env: {
      ...engine.environment,
      // Without the second, CUDA would count the GPUs in another order than nvidia-smi.
      CUDA_VISIBLE_DEVICES: gpus.join(','),
      CUDA_DEVICE_ORDER: 'PCI_BUS_ID',
    },
    // What lies here is brought there; a name on the hub, or a path that is there alone, stays as it is.
    carried: { root, inputs: isAbsolute(settings.modelPath) ? [settings.modelPath] : [], output: null },
  })
}
