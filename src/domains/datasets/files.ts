import type { Database } from '../../db/database.ts'
import type { Connection } from '../../db/statements.ts'
import { ConflictError, NotFoundError } from '../../errors.ts'
import type { Dataset, DatasetFile, Prisma } from '../../generated/prisma/client.ts'
import { newId } from '../../ids.ts'
import { type Principal, requireUser } from '../accounts/principal.ts'
import { parseInput } from '../input.ts'
import { requireOwnDataset, visibleDatasets } from './access.ts'
import type { Blobs } from './blobs.ts'
import { record, refreshStatus, refuseUsed } from './changes.ts'
import { contentCheckFor } from './content/index.ts'
import { type IncomingFile, whole } from './incoming-file.ts'
import { DeleteDatasetFileInput, FilenameInput } from './inputs.ts'

type DatasetQuery = { include?: Prisma.DatasetInclude; select?: Prisma.DatasetSelect }
type FileQuery = { include?: Prisma.DatasetFileInclude; select?: Prisma.DatasetFileSelect }

/** The files of datasets. */
export function createDatasetFiles(deps: {
  database: Database
  blobs: Blobs
  /** The largest file accepted, in bytes. */
  maxFileBytes: number
  now?: () => Date
}) {
  const { database, blobs, now = () => new Date() } = deps
  const { prisma } = database

  return {
    /** A file by id; null when there is none. */
    async findFile(principal: Principal, id: string, query: FileQuery = {}): Promise<DatasetFile | null> {
      requireUser(principal, 'READ')
      return prisma.datasetFile.findFirst({ ...query, where: { id, dataset: visibleDatasets(principal) } })
    },

    /**
     * Stores a file, checked and hashed on its way in; it belongs to the dataset only once it is whole.
     *
     * @throws NotFoundError, ForbiddenError, ValidationError for a file that is too large, cut off or not what its name says,
     *   ConflictError when the dataset has a file of that name, UnavailableError when the disk is full
     */
    async uploadFile(
      principal: Principal,
      input: { dataset: string; file: IncomingFile },
      query: FileQuery = {},
    ): Promise<DatasetFile> {
      requireUser(principal, 'RUN')
      const filename = parseInput(FilenameInput, { file: input.file.filename }).file
      const dataset = await requireOwnDataset(prisma, principal, input.dataset)
      await refuseTakenFilename(prisma, dataset, filename)
      const id = newId('DatasetFile')
      const storageKey = `datasets/${dataset.id}/${id}`
      const limits = { maxBytes: deps.maxFileBytes, check: contentCheckFor(filename) }
      return blobs.store(storageKey, whole(input.file), limits, async (tx, stored) => {
        // It may have been deleted during the upload, the right taken away, the name used.
        await requireOwnDataset(tx, principal, dataset.id)
        await refuseTakenFilename(tx, dataset, filename)
        await tx.datasetFile.create({
          data: {
            id,
            filename,
            storageKey,
            sha256: stored.sha256,
            sizeBytes: stored.sizeBytes,
            uploadedAt: now(),
            datasetId: dataset.id,
          },
        })
        await refreshStatus(tx, dataset.id, now())
        await record(tx, principal, 'DATASET_FILE_UPLOADED', dataset, { filename, sha256: stored.sha256 })
        return tx.datasetFile.findUniqueOrThrow({ ...query, where: { id } })
      })
    },

    /** Removes a file from its dataset. @throws NotFoundError, ForbiddenError, ConflictError while an active run uses the dataset */
    async deleteFile(principal: Principal, input: unknown, query: DatasetQuery = {}): Promise<Dataset> {
      requireUser(principal, 'RUN')
      const { fileId } = parseInput(DeleteDatasetFileInput, input)
      const { dataset, storageKey } = await database.transaction(async (tx) => {
        const file = await tx.datasetFile.findFirst({
          where: { id: fileId, dataset: visibleDatasets(principal) },
        })
        if (!file) throw new NotFoundError('dataset file', fileId)
        const changed = await requireOwnDataset(tx, principal, file.datasetId)
        await refuseUsed(tx, principal, changed)
        await tx.datasetFile.delete({ where: { id: file.id } })
        await blobs.release(tx, [file.storageKey])
        await refreshStatus(tx, file.datasetId, now())
        await record(tx, principal, 'DATASET_FILE_DELETED', changed, { filename: file.filename })
        const dataset = await tx.dataset.findUniqueOrThrow({ ...query, where: { id: file.datasetId } })
        return { dataset, storageKey: file.storageKey }
      })
      await blobs.discard([storageKey])
      return dataset
    },
  }
}

async function refuseTakenFilename(on: Connection, dataset: Dataset, filename: string): Promise<void> {
  if ((await on.datasetFile.count({ where: { datasetId: dataset.id, filename } })) === 0) return
  throw new ConflictError(
    `Dataset ${dataset.name} already has a file ${filename}: delete it first, or upload under another name.`,
  )
}
