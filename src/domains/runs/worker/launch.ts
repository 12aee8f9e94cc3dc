import { basename, join } from 'node:path'
import type { Database } from '../../../db/database.ts'
import type { Executor } from '../../../execution/executor.ts'
import type { Run } from '../../../generated/prisma/client.ts'
import type { Sealer } from '../../../secrets/sealer.ts'
import type { Storage } from '../../../storage/storage.ts'
import type { ApiTokenService } from '../../accounts/api-tokens.ts'
import { storedStrings } from '../../input.ts'
import { openEnvironment } from '../../launchers/environment.ts'
import { artifactPath } from '../artifact-path.ts'
import type { RunPaths } from '../paths.ts'
import { datasetPath } from '../prepare.ts'

/** What is needed to start the process of a run. */
export interface LaunchDependencies {
  database: Database
  storage: Storage
  executor: Executor
  apiTokens: ApiTokenService
  /** Opens the environments of launchers. */
  sealer: Sealer
  /** Where the process reaches the API. */
  apiUrl: () => string
}

/** The variable by which every process of a run is recognised. */
export const RUN_MARKER = 'TRAINYARD_RUN_ID'

/**
 * Puts the dataset into the run's folder and starts its command with a token of its own. May be repeated:
 * the command is started once.
 */
export async function launchRun(deps: LaunchDependencies, run: Run, paths: RunPaths): Promise<void> {
  const { database, storage, executor, apiTokens } = deps
  const files = await datasetFiles(database, run.datasetName)
  for (const { filename, storageKey } of files) {
    await storage.materialize(storageKey, join(paths.dataset, basename(filename)))
  }
  const [program, ...args] = storedStrings(run.argv)
  if (program === undefined) throw new Error('The command is empty.')
  const { project, launcher, resumedFrom, gpus } = await database.prisma.run.findUniqueOrThrow({
    where: { id: run.id },
    select: {
      project: { select: { workingDirectory: true } },
      launcher: true,
      resumedFrom: true,
      gpus: { select: { gpu: true }, orderBy: { gpu: 'asc' } },
    },
  })
  const token = await database.transaction((tx) => apiTokens.issueForRun(tx, run))
  const checkpoint = resumedFrom && artifactPath(resumedFrom)
  await executor.launch({
    ...(run.nodeId !== null && { nodeId: run.nodeId }),
    directory: paths.process,
    argv: [program, ...args],
    cwd: (launcher ?? project).workingDirectory ?? null,
    marker: { name: RUN_MARKER, value: run.id },
    env: {
      ...(launcher && openEnvironment(deps.sealer, launcher)),
      TRAINYARD_API_URL: deps.apiUrl(),
      TRAINYARD_TOKEN: token,
      TRAINYARD_CONFIG: paths.config,
      TRAINYARD_OUTPUT_DIR: paths.output,
      ...(run.datasetName !== null && { TRAINYARD_DATASET: datasetPath(paths, files) }),
      ...(checkpoint !== null && { TRAINYARD_RESUME_FROM: checkpoint }),
      // Without the second, CUDA would count the GPUs in another order than nvidia-smi.
      ...(run.gpuCount !== null && {
        CUDA_VISIBLE_DEVICES: gpus.map(({ gpu }) => gpu).join(','),
        CUDA_DEVICE_ORDER: 'PCI_BUS_ID',
      }),
    },
    carried: {
      root: paths.root,
      inputs: [paths.config, paths.dataset, ...(checkpoint === null ? [] : [checkpoint])],
      output: paths.output,
    },
  })
}

async function datasetFiles(database: Database, datasetName: string | null) {
  if (datasetName === null) return []
  const dataset = await database.prisma.dataset.findUnique({
    where: { name: datasetName },
    include: { files: { orderBy: { filename: 'asc' } } },
  })
  if (!dataset) throw new Error(`The dataset ${datasetName} was deleted before the run could start.`)
  return dataset.files
}
