import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import type { Database } from '../../db/database.ts'
import { PreconditionFailedError } from '../../errors.ts'
import type { Artifact, Launcher, Prisma, Project, Run } from '../../generated/prisma/client.ts'
import { asExpected } from '../../outage.ts'
import { mergeTrainConfig } from '../datasets/train-config.ts'
import { findTrainingInputs, type TrainingInputs } from '../datasets/training-inputs.ts'
import { type JsonObject, storedObject, storedStrings } from '../input.ts'
import { launchedBy } from '../launchers/choice.ts'
import { artifactPath } from './artifact-path.ts'
import { fillCommand } from './command.ts'
import { type RunPaths, runPaths } from './paths.ts'
import type { RunWishes } from './placement/wishes.ts'

/** What a new run is to be, once project, request and the run it resumes are taken together. */
export interface RunPlan {
  project: Project & { launcher: Launcher | null }
  model: string | null
  datasetName: string | null
  hyperparameters: JsonObject
  resources: JsonObject
  /** What it needs of the machine that it runs on. */
  wishes: RunWishes
  priority: number
  /** The datasets that whoever starts it may see. */
  visible: Prisma.DatasetWhereInput
  /** The datasets that may be meant by `datasetName`. */
  datasets: Prisma.DatasetWhereInput
  /** The datasets whose config may be used when the project names one and no dataset. */
  configs: Prisma.DatasetWhereInput
  /** The run that is continued, and from which checkpoint. */
  resume: { run: Run; checkpoint: Artifact } | null
}

/** A run whose folder is ready. */
export interface PreparedRun {
  paths: RunPaths
  argv: string[]
}

/**
 * Checks that everything a run needs is there, and makes its folder with the configuration that the
 * script will read. Nothing is left behind when it throws.
 *
 * @throws PreconditionFailedError, ValidationError, UnavailableError when the disk is full
 */
export async function prepareRun(
  deps: { database: Database; runsDir: string },
  runId: string,
  plan: RunPlan,
): Promise<PreparedRun> {
  const inputs = await requireInputs(deps.database, plan)
  const paths = runPaths(deps.runsDir, runId)
  const { resume } = plan
  const { command, resumeArgs } = launchedBy(plan.project)
  const template = storedStrings(command)
  const argv = fillCommand(resume ? [...template, ...storedStrings(resumeArgs)] : template, {
    config: paths.config,
    dataset: plan.datasetName === null ? null : datasetPath(paths, inputs.files),
    output: paths.output,
    checkpoint: resume && artifactPath(resume.checkpoint),
    model: plan.model,
    run: runId,
  })
  const config = mergeTrainConfig(await baseConfig(deps.runsDir, plan, inputs), plan.hyperparameters)
  try {
    for (const folder of [paths.output, paths.dataset, paths.process])
      await mkdir(folder, { recursive: true })
    await writeFile(paths.config, config)
  } catch (error) {
    await rm(paths.root, { recursive: true, force: true })
    throw asExpected(error)
  }
  return { paths, argv }
}

/** Where a run finds its dataset: the file when there is one, the folder when there are several. */
export function datasetPath(paths: RunPaths, files: { filename: string }[]): string {
  const [first, ...others] = files
  return first && others.length === 0 ? `${paths.dataset}/${first.filename}` : paths.dataset
}

async function requireInputs(database: Database, plan: RunPlan): Promise<TrainingInputs> {
  const { datasetName, project, resume, datasets, configs } = plan
  // A resumed run continues with the configuration of the run before it; see baseConfig.
  const continues = resume !== null && resume.run.datasetName === datasetName
  const usable = { projectId: project.id, datasets, configs }
  const inputs = await findTrainingInputs(database.prisma, usable, {
    datasetName,
    trainConfigName: continues ? null : project.trainConfigName,
    // The name is that of the config of the project's own dataset.
    anyNameServes: datasetName !== project.datasetName,
  })
  if (inputs.missing.length > 0) {
    await refuseStrangers(database, plan)
    throw new PreconditionFailedError(
      `Not uploaded yet: ${inputs.missing.join(', ')}. Upload it, then start the run again.`,
      inputs.missing,
    )
  }
  return inputs
}

/** Says so when there is a dataset of the name, but not one to be used unless the starter means it. @throws PreconditionFailedError */
async function refuseStrangers(
  { prisma }: Database,
  { datasetName, datasets, visible }: RunPlan,
): Promise<void> {
  if (datasetName === null) return
  const name = { name: datasetName }
  if ((await prisma.dataset.count({ where: { AND: [name, visible] } })) === 0) return
  if ((await prisma.dataset.count({ where: { AND: [name, datasets] } })) > 0) return
  throw new PreconditionFailedError(
    `Dataset ${datasetName} was made by somebody outside the project, after it was named: name it when the run is started, or have it put in the project.`,
    [`dataset ${datasetName}`],
  )
}

/** A resumed run continues with the configuration that the run before it read, unless it trains on other data. */
async function baseConfig(runsDir: string, plan: RunPlan, inputs: TrainingInputs): Promise<string | null> {
  const before = plan.resume?.run
  if (!before || before.datasetName !== plan.datasetName) return inputs.configText
  return readFile(runPaths(runsDir, before.id).config, 'utf8')
}

/** The hyperparameters of a run that resumes: those of the run before it, unless they are overridden. */
export function inheritedHyperparameters(plan: { project: Project; resumed: Run | null }): JsonObject {
  return storedObject(plan.resumed?.hyperparameters ?? plan.project.defaultHyperparameters)
}
