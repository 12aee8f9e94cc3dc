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
 * dataset's config is meant; without a dataset, the only one of that name. A dataset's config is
 * used also when no name is given, or when any name serves.
 *
 * @param visible the datasets that may be used; any other is as if it were not uploaded
 */
export async function findTrainingInputs(
  prisma: PrismaClient,
  visible: Prisma.DatasetWhereInput,
  names: { datasetName: string | null; trainConfigName: string | null; anyNameServes: boolean },
): Promise<TrainingInputs> {
  const missing: string[] = []
  const dataset =
    names.datasetName === null
      ? null
      : await prisma.dataset.findFirst({
          where: { AND: [{ name: names.datasetName }, visible] },
          include: { files: { orderBy: { filename: 'asc' } }, trainConfig: true },
        })
  if (names.datasetName !== null && (!dataset || dataset.files.length === 0)) {
    missing.push(`dataset ${names.datasetName}`)
  }

  let config = dataset?.trainConfig ?? null
  const serves = config !== null && names.anyNameServes
  if (names.trainConfigName !== null && !serves && !isNamed(config, names.trainConfigName)) {
    config = names.datasetName === null ? await findConfig(prisma, visible, names.trainConfigName) : null
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
  visible: Prisma.DatasetWhereInput,
  name: string,
): Promise<TrainConfig | null> {
  return prisma.trainConfig.findFirst({
    where: {
      dataset: visible,
      OR: [{ filename: { in: [name, `${name}.yaml`, `${name}.yml`] } }, { dataset: { name } }],
    },
    orderBy: { uploadedAt: 'desc' },
  })
}

function isNamed(config: TrainConfig | null, name: string): boolean {
  return config !== null && [name, `${name}.yaml`, `${name}.yml`].includes(config.filename)
}
