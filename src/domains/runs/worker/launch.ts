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
  /** The part of the server's environment that runs inherit. */
  environment: Record<string, string>
  /** Where commands start unless their project says otherwise. */
  workingDir: string
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
  const { project, launcher, resumedFrom } = await database.prisma.run.findUniqueOrThrow({
    where: { id: run.id },
    select: { project: { select: { workingDirectory: true } }, launcher: true, resumedFrom: true },
  })
  const token = await database.transaction((tx) => apiTokens.issueForRun(tx, run))
  await executor.launch({
    directory: paths.process,
    argv: [program, ...args],
    cwd: (launcher ?? project).workingDirectory ?? deps.workingDir,
    marker: { name: RUN_MARKER, value: run.id },
    env: {
      ...deps.environment,
      ...(launcher && openEnvironment(deps.sealer, launcher)),
      TRAINYARD_API_URL: deps.apiUrl(),
      TRAINYARD_TOKEN: token,
      TRAINYARD_CONFIG: paths.config,
      TRAINYARD_OUTPUT_DIR: paths.output,
      ...(run.datasetName !== null && { TRAINYARD_DATASET: datasetPath(paths, files) }),
      ...(resumedFrom && { TRAINYARD_RESUME_FROM: artifactPath(resumedFrom) }),
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
