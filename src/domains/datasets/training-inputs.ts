import { PreconditionFailedError } from '../../errors.ts'
import type { Prisma, PrismaClient, TrainConfig } from '../../generated/prisma/client.ts'

/** The files and the configuration that a run is started with. */
export interface TrainingInputs {
  files: { filename: string; storageKey: string }[]
  /** The uploaded YAML as it is; null when none is named and the dataset has none. */
  configText: string | null
  /** What is named but not uploaded, in words for people. */
  missing: string[]
}

/**
 * Finds the dataset and the train config that a run names.
 *
 * A config belongs to a dataset and is named by its file name (with or without its ending). The named
 * dataset's config is meant; without a dataset, the only one of that name, or the only one in the project. A dataset's
 * config is used also when no name is given, or when any name serves.
 *
 * @param usable the datasets that may be meant, and those that may when only a config is named; any other is as if it
 *   were not uploaded
 * @throws PreconditionFailedError when several configs may be meant
 */
export async function findTrainingInputs(
  prisma: PrismaClient,
  usable: { projectId: string; datasets: Prisma.DatasetWhereInput; configs: Prisma.DatasetWhereInput },
  names: { datasetName: string | null; trainConfigName: string | null; anyNameServes: boolean },
): Promise<TrainingInputs> {
  const missing: string[] = []
  const dataset =
    names.datasetName === null
      ? null
      : await prisma.dataset.findFirst({
          where: { AND: [{ name: names.datasetName }, usable.datasets] },
          include: { files: { orderBy: { filename: 'asc' } }, trainConfig: true },
        })
  if (names.datasetName !== null && (!dataset || dataset.files.length === 0)) {
    missing.push(`dataset ${names.datasetName}`)
  }

  let config = dataset?.trainConfig ?? null
  const serves = config !== null && names.anyNameServes
  if (names.trainConfigName !== null && !serves && !isNamed(config, names.trainConfigName)) {
    config = names.datasetName === null ? await findConfig(prisma, usable, names.trainConfigName) : null
    if (!config) missing.push(`train config ${names.trainConfigName}`)
  }
  return {
    files: (dataset?.files ?? []).map(({ filename, storageKey }) => ({ filename, storageKey })),
    configText: config?.text ?? null,
    missing,
  }
}

async function findConfig(
  prisma: PrismaClient,
  { projectId, configs }: { projectId: string; configs: Prisma.DatasetWhereInput },
  name: string,
): Promise<TrainConfig | null> {
  const found = await prisma.trainConfig.findMany({
    where: {
      dataset: configs,
      OR: [{ filename: { in: [name, `${name}.yaml`, `${name}.yml`] } }, { dataset: { name } }],
    },
    include: { dataset: { select: { name: true, projectId: true } } },
    orderBy: { datasetId: 'asc' },
  })
  const own = found.filter(({ dataset }) => dataset.projectId === projectId)
  const [config, ...others] = own.length > 0 ? own : found
  if (!config || others.length === 0) return config ?? null
  const datasets = [config, ...others].slice(0, 5).map(({ dataset }) => dataset.name)
  throw new PreconditionFailedError(
    `Several train configs go by the name ${name} (of the datasets ${datasets.join(', ')}): name the dataset as well.`,
    [`train config ${name}`],
  )
}

function isNamed(config: TrainConfig | null, name: string): boolean {
  return config !== null && [name, `${name}.yaml`, `${name}.yml`].includes(config.filename)
}
