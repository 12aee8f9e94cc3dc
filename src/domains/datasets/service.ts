import type { Database } from '../../db/database.ts'
import { latestFirst } from '../../db/pages.ts'
import { ValidationError } from '../../errors.ts'
import type { Dataset, Prisma } from '../../generated/prisma/client.ts'
import { newId } from '../../ids.ts'
import { searchText } from '../../search-text.ts'
import { type Principal, requireUser } from '../accounts/principal.ts'
import { parseInput } from '../input.ts'
import { byIdOrName, refuseTakenName } from '../names.ts'
import type { ProjectAccess } from '../projects/access.ts'
import { requireProject } from '../projects/find.ts'
import type { Visibility } from '../projects/roles.ts'
import { requireGiver, requireOwnDataset, showsDataset, visibleDatasets } from './access.ts'
import type { Blobs } from './blobs.ts'
import { record, refuseUsed } from './changes.ts'
import { createDatasetFiles } from './files.ts'
import { CreateDatasetInput, DeleteDatasetInput, UpdateDatasetInput } from './inputs.ts'
import type { DatasetStatus } from './status.ts'
import { createTrainConfigs } from './train-configs.ts'

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
    ...createDatasetFiles(deps),
    ...createTrainConfigs(deps),

    /** A dataset by id or name; null when there is none. */
    async find(principal: Principal, ref: string, query: DatasetQuery = {}): Promise<Dataset | null> {
      requireUser(principal, 'READ')
      return prisma.dataset.findFirst({
        ...query,
        where: { AND: [byIdOrName('Dataset', ref), visibleDatasets(principal)] },
      })
    },

    /** As `find`, by name, for the rows of a list: what is asked for at the same moment is read together. */
    async findNamed(principal: Principal, name: string, query: DatasetQuery = {}): Promise<Dataset | null> {
      requireUser(principal, 'READ')
      const dataset = await prisma.dataset.findUnique({ ...query, where: { name } })
      return dataset && (await showsDataset(access, principal, dataset)) ? dataset : null
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
     * Makes a dataset, private unless it is said otherwise, and in a project when one is named: then it is private
     * to that, also when the project is deleted.
     *
     * @throws ValidationError, ConflictError when the name is taken, NotFoundError and ForbiddenError of the project
     */
    async create(principal: Principal, input: unknown, query: DatasetQuery = {}): Promise<Dataset> {
      const { userId } = requireUser(principal, 'RUN')
      const { project: projectRef, ...fields } = parseInput(CreateDatasetInput, input)
      return refuseTakenName('a dataset', fields.name, () =>
        database.transaction(async (tx) => {
          const project =
            typeof projectRef === 'string' ? await requireProject(tx, principal, projectRef, 'EDITOR') : null
          if (project) refuseTeam(fields.visibility)
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
        }),
      )
    },

    /**
     * Changes the fields that are given and leaves the others: who made it may, or the editors of its project. Who
     * sees it is for who made it, or the owners of its project, to say.
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
        const projectId = project === undefined ? before.projectId : (project?.id ?? null)
        if (projectId !== before.projectId) await requireGiver(tx, principal, before)
        if (projectId !== null) refuseTeam(fields.visibility)
        await tx.dataset.update({
          where: { id: before.id },
          data: {
            ...fields,
            ...(projectId !== null && { visibility: 'PRIVATE' }),
            projectId,
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
  }
}

/** @throws ValidationError for a dataset that is in a project: taken out, or left over, it must show to nobody else */
function refuseTeam(visibility: Visibility | undefined): void {
  if (visibility !== 'TEAM') return
  throw ValidationError.at('visibility', 'A dataset that is in a project is seen by its members only.')
}

function matching(filter: DatasetFilter | null | undefined): Prisma.DatasetWhereInput {
  if (!filter) return {}
  const { status, type, taskType, visibility, project, search } = filter
  return {
    ...(status && { status }),
    ...(visibility && { visibility }),
    ...(project && { project: byIdOrName('Project', project) }),
    ...(type && { type }),
    ...(taskType && { taskType }),
    ...(search && {
      OR: [{ name: { contains: searchText(search) } }, { source: { contains: searchText(search) } }],
    }),
  }
}
