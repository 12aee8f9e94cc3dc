import { mkdir } from 'node:fs/promises'
import type { Database } from '../../../db/database.ts'
import type { Executor } from '../../../execution/executor.ts'
import { appendLogLines } from '../../../streams/log-lines.ts'
import { storedStrings } from '../../input.ts'
import { quoteForShell } from '../../runs/command.ts'
import type { EngineService } from '../engines.ts'
import { deploymentFolder, processFolder } from '../paths.ts'
import type { Places } from '../places.ts'
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
 * Starts the command of a model server; on another port, when a stranger has taken its own meanwhile. May be
 * repeated: the command is started once.
 *
 * @throws UnavailableError when no port is free, LaunchError
 */
export async function launchModelServer(
  deps: LaunchDependencies,
  server: AttendedServer & { gpus: { gpu: number }[] },
): Promise<void> {
  const { database, places, deploymentsDir } = deps
  const settings = settingsOf(server.settings)
  const engine = await deps.engines.use(settings.engine)
  const gpus = server.gpus.map(({ gpu }) => gpu)
  const kept = { port: server.port, argv: storedStrings(server.argv) }
  const { port, argv } = (await places.isTaken(server.port))
    ? await places.move({ id: server.id, gpus }, settings, engine)
    : kept
  const [program, ...args] = argv
  if (program === undefined) throw new Error('The command is empty.')
  await mkdir(processFolder(deploymentsDir, server), { recursive: true, mode: 0o700 })
  await database.transaction(async (tx) => {
    const where = gpus.length === 0 ? '' : ` and GPU ${gpus.join(', ')}`
    await appendLogLines(database, tx, server.deployment.logStreamId, [
      {
        timestamp: new Date(),
        level: 'INFO',
        source: 'SYSTEM',
        message: `Start ${server.starts} of revision ${server.revision}, on port ${port}${where}: ${quoteForShell(argv)}`,
      },
    ])
  })
  await deps.executor.launch({
    directory: processFolder(deploymentsDir, server),
    argv: [program, ...args],
    cwd: deploymentFolder(deploymentsDir, server.deploymentId),
    marker: { name: MARKER, value: `${server.id}.${server.starts}` },
    env: {
      ...engine.environment,
      // Without the second, CUDA would count the GPUs in another order than nvidia-smi.
      CUDA_VISIBLE_DEVICES: gpus.join(','),
      CUDA_DEVICE_ORDER: 'PCI_BUS_ID',
    },
  })
}
