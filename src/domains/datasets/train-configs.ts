import type { Database } from '../../db/database.ts'
import { PreconditionFailedError } from '../../errors.ts'
import type { Dataset, Prisma } from '../../generated/prisma/client.ts'
import { type Principal, requireUser } from '../accounts/principal.ts'
import { parseInput } from '../input.ts'
import { requireOwnDataset } from './access.ts'
import { record, refreshStatus } from './changes.ts'
import { type IncomingFile, readWhole } from './incoming-file.ts'
import { DeleteTrainConfigInput, FilenameInput } from './inputs.ts'
import { parseTrainConfig } from './train-config.ts'

type DatasetQuery = { include?: Prisma.DatasetInclude; select?: Prisma.DatasetSelect }

/** The configurations that datasets are trained with. */
export function createTrainConfigs(deps: {
  database: Database
  /** The largest config accepted, in bytes. */
  maxTrainConfigBytes: number
  now?: () => Date
}) {
  const { database, now = () => new Date() } = deps
  const { prisma } = database

  return {
    /** Stores the configuration that a dataset is trained with, replacing the one before. @throws NotFoundError, ForbiddenError, ValidationError */
    async uploadTrainConfig(
      principal: Principal,
      input: { dataset: string; file: IncomingFile },
      query: DatasetQuery = {},
    ): Promise<Dataset> {
      requireUser(principal, 'RUN')
      const filename = parseInput(FilenameInput, { file: input.file.filename }).file
      const dataset = await requireOwnDataset(prisma, principal, input.dataset)
      const bytes = await readWhole(input.file, deps.maxTrainConfigBytes)
      const { content } = parseTrainConfig(filename, bytes, { maxBytes: deps.maxTrainConfigBytes })
      const config = {
        filename,
        content,
        sizeBytes: bytes.length,
        text: bytes.toString('utf8'),
        uploadedAt: now(),
      }
      return database.transaction(async (tx) => {
        // It may have been deleted during the upload, or the right taken away.
        await requireOwnDataset(tx, principal, dataset.id)
        await tx.trainConfig.upsert({
          where: { datasetId: dataset.id },
          create: { ...config, datasetId: dataset.id },
          update: config,
        })
        await refreshStatus(tx, dataset.id, now())
        await record(tx, principal, 'TRAIN_CONFIG_UPLOADED', dataset, { filename })
        return tx.dataset.findUniqueOrThrow({ ...query, where: { id: dataset.id } })
      })
    },

    /** Removes the configuration of a dataset. @throws NotFoundError, ForbiddenError, PreconditionFailedError when it has none */
    async deleteTrainConfig(
      principal: Principal,
      input: unknown,
      query: DatasetQuery = {},
    ): Promise<Dataset> {
      requireUser(principal, 'RUN')
      const { dataset: ref } = parseInput(DeleteTrainConfigInput, input)
      return database.transaction(async (tx) => {
        const dataset = await requireOwnDataset(tx, principal, ref)
        const config = await tx.trainConfig.findUnique({ where: { datasetId: dataset.id } })
        if (!config) {
          throw new PreconditionFailedError(`Dataset ${dataset.name} has no train config.`, ['train config'])
        }
        await tx.trainConfig.delete({ where: { datasetId: dataset.id } })
        await refreshStatus(tx, dataset.id, now())
        await record(tx, principal, 'TRAIN_CONFIG_DELETED', dataset, { filename: config.filename })
        return tx.dataset.findUniqueOrThrow({ ...query, where: { id: dataset.id } })
      })
    },
  }
}
