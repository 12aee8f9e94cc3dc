import { type Database, isUniqueViolation, type Transaction } from '../../db/database.ts'
import { latestFirst } from '../../db/pages.ts'
import type { Connection } from '../../db/statements.ts'
import { ConflictError, NotFoundError, PreconditionFailedError } from '../../errors.ts'
import type { Dataset, DatasetFile, Prisma } from '../../generated/prisma/client.ts'
import { newId } from '../../ids.ts'
import { searchText } from '../../search-text.ts'
import { type Principal, requireUser } from '../accounts/principal.ts'
import { type AuditAction, recordEvent } from '../audit/record.ts'
import { type JsonObject, parseInput } from '../input.ts'
import type { ProjectAccess } from '../projects/access.ts'
import { byRef as projectByRef, requireProject } from '../projects/find.ts'
import type { Visibility } from '../projects/roles.ts'
import { visibleRuns } from '../runs/access.ts'
import { ACTIVE_STATUSES } from '../runs/status.ts'
import { byRef, requireOwnDataset, showsDataset, visibleDatasets } from './access.ts'
import type { Blobs } from './blobs.ts'
import { contentCheckFor } from './content/index.ts'
import { type IncomingFile, readWhole, whole } from './incoming-file.ts'
import {
  CreateDatasetInput,
  DeleteDatasetFileInput,
  DeleteDatasetInput,
  DeleteTrainConfigInput,
  FilenameInput,
  UpdateDatasetInput,
} from './inputs.ts'
import type { DatasetStatus } from './status.ts'
import { parseTrainConfig } from './train-config.ts'

/** Which datasets a list shows; unset parts do not restrict. */
export interface DatasetFilter {
  status?: DatasetStatus | null
  type?: string | null
  taskType?: string | null
  visibility?: Visibility | null
  /** Id or name of the project that it is in. */
  project?: string | null
  search?: string | null
}

type DatasetQuery = { include?: Prisma.DatasetInclude; select?: Prisma.DatasetSelect }
type DatasetListQuery = Pick<Prisma.DatasetFindManyArgs, 'include' | 'select' | 'cursor' | 'take' | 'skip'>
type FileQuery = { include?: Prisma.DatasetFileInclude; select?: Prisma.DatasetFileSelect }

/** What the dataset service needs. */
export interface DatasetDependencies {
  database: Database
  access: ProjectAccess
  blobs: Blobs
  /** The largest dataset file and the largest train config accepted, in bytes. */
  maxFileBytes: number
  maxTrainConfigBytes: number
  now?: () => Date
}

export type DatasetService = ReturnType<typeof createDatasetService>

/** Datasets, their files and the configuration that each is trained with. */
export function createDatasetService(deps: DatasetDependencies) {
  const { database, access, blobs, now = () => new Date() } = deps
  const { prisma } = database

  const selected = (principal: Principal, filter: DatasetFilter | null | undefined) => ({
    AND: [visibleDatasets(principal), matching(filter)],
  })

  return {
    /** A dataset by id or name; null when there is none. */
    async find(principal: Principal, ref: string, query: DatasetQuery = {}): Promise<Dataset | null> {
      requireUser(principal, 'READ')
      return prisma.dataset.findFirst({ ...query, where: { AND: [byRef(ref), visibleDatasets(principal)] } })
    },

    /** As `find`, by name, for the rows of a list: what is asked for at the same moment is read together. */
    async findNamed(principal: Principal, name: string, query: DatasetQuery = {}): Promise<Dataset | null> {
      requireUser(principal, 'READ')
      const dataset = await prisma.dataset.findUnique({ ...query, where: { name } })
      return dataset && (await showsDataset(access, principal, dataset)) ? dataset : null
    },

    /** A file by id; null when there is none. */
    async findFile(principal: Principal, id: string, query: FileQuery = {}): Promise<DatasetFile | null> {
      requireUser(principal, 'READ')
      return prisma.datasetFile.findFirst({ ...query, where: { id, dataset: visibleDatasets(principal) } })
    },

    /** Datasets that match, newest first. */
    async list(
      principal: Principal,
      filter: DatasetFilter | null | undefined,
      query: DatasetListQuery = {},
    ): Promise<Dataset[]> {
      requireUser(principal, 'READ')
      return prisma.dataset.findMany(latestFirst(query, selected(principal, filter)))
    },

    async count(principal: Principal, filter: DatasetFilter | null | undefined): Promise<number> {
      requireUser(principal, 'READ')
      return prisma.dataset.count({ where: selected(principal, filter) })
    },

    /**
     * Makes a dataset, private unless it is said otherwise, and in a project when one is named.
     *
     * @throws ValidationError, ConflictError when the name is taken, NotFoundError and ForbiddenError of the project
     */
    async create(principal: Principal, input: unknown, query: DatasetQuery = {}): Promise<Dataset> {
      const { userId } = requireUser(principal, 'RUN')
      const { project: projectRef, ...fields } = parseInput(CreateDatasetInput, input)
      try {
        return await database.transaction(async (tx) => {
          const project =
            typeof projectRef === 'string' ? await requireProject(tx, principal, projectRef, 'EDITOR') : null
          const data = {
            ...fields,
            id: newId('Dataset'),
            status: 'CREATED',
            createdById: userId,
            projectId: project?.id ?? null,
            createdAt: now(),
            updatedAt: now(),
          }
          const made = await tx.dataset.create({ data })
          await record(tx, principal, 'DATASET_CREATED', made, {
            visibility: fields.visibility,
            project: project?.name ?? null,
          })
          return tx.dataset.findUniqueOrThrow({ ...query, where: { id: made.id } })
        })
      } catch (error) {
        if (!isUniqueViolation(error)) throw error
        throw new ConflictError(`There is already a dataset named ${JSON.stringify(fields.name)}.`)
      }
    },

    /**
     * Changes the fields that are given and leaves the others: who made it may, or the editors of its project.
     *
     * @throws NotFoundError, ForbiddenError, ValidationError
     */
    async update(principal: Principal, input: unknown, query: DatasetQuery = {}): Promise<Dataset> {
      requireUser(principal, 'RUN')
      const { ref, project: projectRef, ...fields } = parseInput(UpdateDatasetInput, input)
      return database.transaction(async (tx) => {
        const before = await requireOwnDataset(tx, principal, ref)
        const project =
          typeof projectRef === 'string'
            ? await requireProject(tx, principal, projectRef, 'EDITOR')
            : projectRef
        await tx.dataset.update({
          where: { id: before.id },
          data: {
            ...fields,
            ...(project !== undefined && { projectId: project?.id ?? null }),
            updatedAt: now(),
          },
        })
        await record(tx, principal, 'DATASET_UPDATED', before, {
          ...(fields.visibility && { visibility: fields.visibility }),
          ...(project !== undefined && { project: project?.name ?? null }),
        })
        return tx.dataset.findUniqueOrThrow({ ...query, where: { id: before.id } })
      })
    },

    /** Removes a dataset and its files. @throws NotFoundError, ForbiddenError, ConflictError while an active run uses it */
    async delete(principal: Principal, input: unknown, query: DatasetQuery = {}): Promise<Dataset> {
      requireUser(principal, 'RUN')
      const { ref } = parseInput(DeleteDatasetInput, input)
      const { deleted, keys } = await database.transaction(async (tx) => {
        const dataset = await requireOwnDataset(tx, principal, ref)
        await refuseUsed(tx, principal, dataset)
        const files = await tx.datasetFile.findMany({ where: { datasetId: dataset.id } })
        const deleted = await tx.dataset.findUniqueOrThrow({ ...query, where: { id: dataset.id } })
        await tx.dataset.delete({ where: { id: dataset.id } })
        const keys = files.map((file) => file.storageKey)
        await blobs.release(tx, keys)
        await record(tx, principal, 'DATASET_DELETED', dataset, { files: files.map((file) => file.filename) })
        return { deleted, keys }
      })
      await blobs.discard(keys)
      return deleted
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
        await refreshStatus(tx, dataset.id)
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
        await refreshStatus(tx, file.datasetId)
        await record(tx, principal, 'DATASET_FILE_DELETED', changed, { filename: file.filename })
        const dataset = await tx.dataset.findUniqueOrThrow({ ...query, where: { id: file.datasetId } })
        return { dataset, storageKey: file.storageKey }
      })
      await blobs.discard([storageKey])
      return dataset
    },

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
        await refreshStatus(tx, dataset.id)
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
        await refreshStatus(tx, dataset.id)
        await record(tx, principal, 'TRAIN_CONFIG_DELETED', dataset, { filename: config.filename })
        return tx.dataset.findUniqueOrThrow({ ...query, where: { id: dataset.id } })
      })
    },
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

async function refuseTakenFilename(on: Connection, dataset: Dataset, filename: string): Promise<void> {
  if ((await on.datasetFile.count({ where: { datasetId: dataset.id, filename } })) === 0) return
  throw new ConflictError(
    `Dataset ${dataset.name} already has a file ${filename}: delete it first, or upload under another name.`,
  )
}

/** @throws ConflictError while an active run uses the dataset, by the names of those runs that may be seen */
async function refuseUsed(tx: Transaction, principal: Principal, dataset: Dataset): Promise<void> {
  const isUser = { datasetName: dataset.name, status: { in: ACTIVE_STATUSES } }
  const count = await tx.run.count({ where: isUser })
  if (count === 0) return
  const users = await tx.run.findMany({
    where: { AND: [isUser, visibleRuns(principal)] },
    select: { name: true },
    take: 5,
  })
  const which = users.length > 0 ? users.map((run) => run.name).join(', ') : 'of others'
  throw new ConflictError(
    `Dataset ${dataset.name} is used by active runs (${which}): wait for them or cancel them first.`,
  )
}

/** Writes down what was done with a dataset. */
async function record(
  tx: Transaction,
  principal: Principal,
  action: AuditAction,
  { id, name }: Dataset,
  details: JsonObject,
): Promise<void> {
  await recordEvent(tx, principal, { action, target: { kind: 'Dataset', id, name }, details })
}

function matching(filter: DatasetFilter | null | undefined): Prisma.DatasetWhereInput {
  if (!filter) return {}
  const { status, type, taskType, visibility, project, search } = filter
  return {
    ...(status && { status }),
    ...(visibility && { visibility }),
    ...(project && { project: projectByRef(project) }),
    ...(type && { type }),
    ...(taskType && { taskType }),
    ...(search && {
      OR: [{ name: { contains: searchText(search) } }, { source: { contains: searchText(search) } }],
    }),
  }
}
