import { type Database, isUniqueViolation, type Transaction } from '../../db/database.ts'
import { latestFirst } from '../../db/pages.ts'
import type { Connection } from '../../db/statements.ts'
import { ConflictError, NotFoundError, PreconditionFailedError } from '../../errors.ts'
import type { Dataset, DatasetFile, Prisma } from '../../generated/prisma/client.ts'
import { kindOfId, newId } from '../../ids.ts'
import { searchText } from '../../search-text.ts'
import { type Principal, requireUser } from '../accounts/principal.ts'
import { parseInput } from '../input.ts'
import { ACTIVE_STATUSES } from '../runs/status.ts'
import type { Blobs } from './blobs.ts'
import { contentCheckFor } from './content/index.ts'
import { type IncomingFile, readWhole, whole } from './incoming-file.ts'
import {
  CreateDatasetInput,
  DeleteDatasetFileInput,
  DeleteDatasetInput,
  DeleteTrainConfigInput,
  FilenameInput,
} from './inputs.ts'
import type { DatasetStatus } from './status.ts'
import { parseTrainConfig } from './train-config.ts'

/** Which datasets a list shows; unset parts do not restrict. */
export interface DatasetFilter {
  status?: DatasetStatus | null
  type?: string | null
  taskType?: string | null
  search?: string | null
}

type DatasetQuery = { include?: Prisma.DatasetInclude; select?: Prisma.DatasetSelect }
type DatasetListQuery = Pick<Prisma.DatasetFindManyArgs, 'include' | 'select' | 'cursor' | 'take' | 'skip'>
type FileQuery = { include?: Prisma.DatasetFileInclude; select?: Prisma.DatasetFileSelect }

/** What the dataset service needs. */
export interface DatasetDependencies {
  database: Database
  blobs: Blobs
  /** The largest dataset file and the largest train config accepted, in bytes. */
  maxFileBytes: number
  maxTrainConfigBytes: number
  now?: () => Date
}

export type DatasetService = ReturnType<typeof createDatasetService>

/** Datasets, their files and the configuration that each is trained with. */
export function createDatasetService(deps: DatasetDependencies) {
  const { database, blobs, now = () => new Date() } = deps
  const { prisma } = database

  return {
    /** A dataset by id or name; null when there is none. */
    async find(principal: Principal, ref: string, query: DatasetQuery = {}): Promise<Dataset | null> {
      requireUser(principal, 'READ')
      return prisma.dataset.findUnique({ ...query, where: byRef(ref) })
    },

    /** Datasets that match, newest first. */
    async list(
      principal: Principal,
      filter: DatasetFilter | null | undefined,
      query: DatasetListQuery = {},
    ): Promise<Dataset[]> {
      requireUser(principal, 'READ')
      return prisma.dataset.findMany(latestFirst(query, matching(filter)))
    },

    async count(principal: Principal, filter: DatasetFilter | null | undefined): Promise<number> {
      requireUser(principal, 'READ')
      return prisma.dataset.count({ where: matching(filter) })
    },

    /** @throws ValidationError, ConflictError when the name is taken */
    async create(principal: Principal, input: unknown, query: DatasetQuery = {}): Promise<Dataset> {
      const { userId } = requireUser(principal, 'RUN')
      const fields = parseInput(CreateDatasetInput, input)
      try {
        const data = {
          ...fields,
          id: newId('Dataset'),
          status: 'CREATED',
          createdById: userId,
          createdAt: now(),
          updatedAt: now(),
        }
        return await database.transaction((tx) => tx.dataset.create({ ...query, data }))
      } catch (error) {
        if (!isUniqueViolation(error)) throw error
        throw new ConflictError(`There is already a dataset named ${JSON.stringify(fields.name)}.`)
      }
    },

    /** Removes a dataset and its files. @throws NotFoundError, ConflictError while an active run uses it */
    async delete(principal: Principal, input: unknown, query: DatasetQuery = {}): Promise<Dataset> {
      requireUser(principal, 'RUN')
      const { ref } = parseInput(DeleteDatasetInput, input)
      const { deleted, keys } = await database.transaction(async (tx) => {
        const dataset = await requireUnused(tx, ref)
        const files = await tx.datasetFile.findMany({ where: { datasetId: dataset.id } })
        const deleted = await tx.dataset.findUniqueOrThrow({ ...query, where: { id: dataset.id } })
        await tx.dataset.delete({ where: { id: dataset.id } })
        const keys = files.map((file) => file.storageKey)
        await blobs.release(tx, keys)
        return { deleted, keys }
      })
      await blobs.discard(keys)
      return deleted
    },

    /**
     * Stores a file, checked and hashed on its way in; it belongs to the dataset only once it is whole.
     *
     * @throws NotFoundError, ValidationError for a file that is too large, cut off or not what its name says,
     *   ConflictError when the dataset has a file of that name, UnavailableError when the disk is full
     */
    async uploadFile(
      principal: Principal,
      input: { dataset: string; file: IncomingFile },
      query: FileQuery = {},
    ): Promise<DatasetFile> {
      requireUser(principal, 'RUN')
      const filename = parseInput(FilenameInput, { file: input.file.filename }).file
      const dataset = await requireDataset(input.dataset)
      await refuseTakenFilename(prisma, dataset, filename)
      const id = newId('DatasetFile')
      const storageKey = `datasets/${dataset.id}/${id}`
      const limits = { maxBytes: deps.maxFileBytes, check: contentCheckFor(filename) }
      return blobs.store(storageKey, whole(input.file), limits, async (tx, stored) => {
        // Both may have happened during the upload.
        await refuseDeleted(tx, dataset, input.dataset)
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
        await refreshStatus(tx, dataset.id)
        return tx.datasetFile.findUniqueOrThrow({ ...query, where: { id } })
      })
    },

    /** Removes a file from its dataset. @throws NotFoundError, ConflictError while an active run uses the dataset */
    async deleteFile(principal: Principal, input: unknown, query: DatasetQuery = {}): Promise<Dataset> {
      requireUser(principal, 'RUN')
      const { fileId } = parseInput(DeleteDatasetFileInput, input)
      const { dataset, storageKey } = await database.transaction(async (tx) => {
        const file = await tx.datasetFile.findUnique({ where: { id: fileId } })
        if (!file) throw new NotFoundError('dataset file', fileId)
        await requireUnused(tx, file.datasetId)
        await tx.datasetFile.delete({ where: { id: file.id } })
        await blobs.release(tx, [file.storageKey])
        await refreshStatus(tx, file.datasetId)
        const dataset = await tx.dataset.findUniqueOrThrow({ ...query, where: { id: file.datasetId } })
        return { dataset, storageKey: file.storageKey }
      })
      await blobs.discard([storageKey])
      return dataset
    },

    /** Stores the configuration that a dataset is trained with, replacing the one before. @throws NotFoundError, ValidationError */
    async uploadTrainConfig(
      principal: Principal,
      input: { dataset: string; file: IncomingFile },
      query: DatasetQuery = {},
    ): Promise<Dataset> {
      requireUser(principal, 'RUN')
      const filename = parseInput(FilenameInput, { file: input.file.filename }).file
      const dataset = await requireDataset(input.dataset)
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
        await refuseDeleted(tx, dataset, input.dataset)
        await tx.trainConfig.upsert({
          where: { datasetId: dataset.id },
          create: { ...config, datasetId: dataset.id },
          update: config,
        })
        await refreshStatus(tx, dataset.id)
        return tx.dataset.findUniqueOrThrow({ ...query, where: { id: dataset.id } })
      })
    },

    /** Removes the configuration of a dataset. @throws NotFoundError, PreconditionFailedError when it has none */
    async deleteTrainConfig(
      principal: Principal,
      input: unknown,
      query: DatasetQuery = {},
    ): Promise<Dataset> {
      requireUser(principal, 'RUN')
      const { dataset: ref } = parseInput(DeleteTrainConfigInput, input)
      return database.transaction(async (tx) => {
        const dataset = await tx.dataset.findFirst({ where: byRef(ref), include: { trainConfig: true } })
        if (!dataset) throw new NotFoundError('dataset', ref)
        if (!dataset.trainConfig) {
          throw new PreconditionFailedError(`Dataset ${dataset.name} has no train config.`, ['train config'])
        }
        await tx.trainConfig.delete({ where: { datasetId: dataset.id } })
        await refreshStatus(tx, dataset.id)
        return tx.dataset.findUniqueOrThrow({ ...query, where: { id: dataset.id } })
      })
    },
  }

  async function requireDataset(ref: string): Promise<Dataset> {
    const dataset = await prisma.dataset.findFirst({ where: byRef(ref) })
    if (!dataset) throw new NotFoundError('dataset', ref)
    return dataset
  }

  async function refreshStatus(tx: Transaction, id: string): Promise<void> {
    const dataset = await tx.dataset.findUniqueOrThrow({
      where: { id },
      include: { trainConfig: { select: { datasetId: true } }, _count: { select: { files: true } } },
    })
    const hadConfig = dataset.status === 'TRAIN_CONFIG_UPLOADED' || dataset.status === 'TRAIN_CONFIG_DELETED'
    const status: DatasetStatus = dataset.trainConfig
      ? 'TRAIN_CONFIG_UPLOADED'
      : hadConfig
        ? 'TRAIN_CONFIG_DELETED'
        : dataset._count.files > 0
          ? 'READY'
          : 'CREATED'
    await tx.dataset.update({ where: { id }, data: { status, updatedAt: now() } })
  }
}

async function refuseDeleted(tx: Transaction, dataset: Dataset, ref: string): Promise<void> {
  if ((await tx.dataset.count({ where: { id: dataset.id } })) === 0) throw new NotFoundError('dataset', ref)
}

async function refuseTakenFilename(on: Connection, dataset: Dataset, filename: string): Promise<void> {
  if ((await on.datasetFile.count({ where: { datasetId: dataset.id, filename } })) === 0) return
  throw new ConflictError(
    `Dataset ${dataset.name} already has a file ${filename}: delete it first, or upload under another name.`,
  )
}

async function requireUnused(tx: Transaction, ref: string): Promise<Dataset> {
  const dataset = await tx.dataset.findFirst({ where: byRef(ref) })
  if (!dataset) throw new NotFoundError('dataset', ref)
  const users = await tx.run.findMany({
    where: { datasetName: dataset.name, status: { in: ACTIVE_STATUSES } },
    select: { name: true },
    take: 5,
  })
  if (users.length > 0) {
    throw new ConflictError(
      `Dataset ${dataset.name} is used by active runs (${users.map((run) => run.name).join(', ')}): wait for them or cancel them first.`,
    )
  }
  return dataset
}

function byRef(ref: string): { id: string } | { name: string } {
  return kindOfId(ref) === 'Dataset' ? { id: ref } : { name: ref }
}

function matching(filter: DatasetFilter | null | undefined): Prisma.DatasetWhereInput {
  if (!filter) return {}
  const { status, type, taskType, search } = filter
  return {
    ...(status && { status }),
    ...(type && { type }),
    ...(taskType && { taskType }),
    ...(search && {
      OR: [{ name: { contains: searchText(search) } }, { source: { contains: searchText(search) } }],
    }),
  }
}
